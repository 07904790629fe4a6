package ledger

import "math"

// gate is one dimension of one node, with the shapes that it was the first to refuse. They are not
// woken when room appears: the gate offers the one whose turn it is and that its room is enough for.
// A gate's room is necessary, not sufficient: an offer that another node refuses moves to that
// node's gate. Every shape that competes stands at exactly one gate; those that nothing is known
// to refuse stand at the ungated gate, which has room for all.
type gate struct {
	node  *limitNode // nil: the ungated gate
	dim   dim
	parks tree[*park] // by queue
	stale []*park     // whose place in parks is that of an older key of their queue
	dirty bool        // in the ledger's list of gates to look at
	offer *park       // nil: not in the tree of open gates
	shape *shape      // of the offer
	link  node[*gate]
}

// park is the shapes of one queue at one gate; the reserved shape has one for itself.
type park struct {
	parkKey
	queue  *queue
	key    queueKey // as it was when it took its place
	shapes tree[*shape]
	stale  bool
	at     int // index in the gate's stale parks or the queue's fresh ones
	link   node[*park]
}

type parkKey struct {
	gate     *gate
	reserved bool
}

func parkBefore(a, b *park) bool { return a.key.less(&b.key) }

// gateBefore orders open gates by what they offer.
func gateBefore(a, b *gate) bool {
	if a.offer.queue != b.offer.queue || a.offer.reserved != b.offer.reserved {
		return a.offer.key.less(&b.offer.key)
	}
	return shapeBefore(a.shape, b.shape)
}

func (l *Ledger) newGate(n *limitNode, d dim) *gate {
	g := &gate{node: n, dim: d, parks: tree[*park]{less: parkBefore}}
	g.link.item, g.link.weight = g, l.random()
	return g
}

func (g *gate) free() int64 {
	if g.node == nil {
		return math.MaxInt64
	}
	return g.node.free(g.dim)
}

// need is how much room of the gate's dimension the shape needs at once, with what is held for others.
func (g *gate) need(s *shape) int64 {
	switch {
	case g.node == nil:
		return 0
	case g.dim == seats, g.dim == closing:
		return plus(1, g.node.held(g.dim, s))
	}
	return plus(s.ask.of(g.dim), g.node.held(g.dim, s))
}

// stand puts a shape that stands nowhere at a gate.
func (l *Ledger) stand(s *shape, g *gate) {
	key := parkKey{g, s.reservation() != nil}
	p := s.queue.parks[key]
	if p == nil {
		p = &park{parkKey: key, queue: s.queue, shapes: tree[*shape]{less: shapeBefore}}
		p.link.item, p.link.weight = p, l.random()
		s.queue.parks[key] = p
	}
	l.touch(g)
	s.park = p
	s.link.need = g.need(s)
	empty := p.shapes.root == nil
	p.shapes.insert(&s.link)
	if empty {
		l.enterGate(p)
	} else {
		g.parks.setNeed(&p.link, p.low())
	}
}

func (p *park) keyOfNow() queueKey {
	key := p.queue.key()
	key.reserved = p.reserved
	return key
}

// enterGate gives a park its place among the others of its gate.
func (l *Ledger) enterGate(p *park) {
	p.key = p.keyOfNow()
	p.link.need = p.low()
	p.gate.parks.insert(&p.link)
	p.stale, p.at = false, len(p.queue.fresh)
	p.queue.fresh = append(p.queue.fresh, p)
}

// leave takes a shape away from its gate.
func (l *Ledger) leave(s *shape) {
	l.touch(s.park.gate)
	s.park.shapes.remove(&s.link)
	l.quit(s)
}

// quit forgets where a shape stood that is no longer among the shapes of its park.
func (l *Ledger) quit(s *shape) {
	p := s.park
	s.park = nil
	if p.shapes.root != nil {
		p.gate.parks.setNeed(&p.link, p.low())
		return
	}
	p.gate.parks.remove(&p.link)
	if p.stale {
		p.gate.stale = take(p.gate.stale, p)
	} else {
		p.queue.fresh = take(p.queue.fresh, p)
	}
	delete(p.queue.parks, p.parkKey)
}

// take removes a park from the list that it is in.
func take(list []*park, p *park) []*park {
	last := list[len(list)-1]
	list[p.at], last.at = last, p.at
	list[len(list)-1] = nil
	return list[:len(list)-1]
}

// touch withdraws what a gate offers and has it looked at again.
func (l *Ledger) touch(g *gate) {
	if g.offer != nil {
		l.open.remove(&g.link)
		g.offer, g.shape = nil, nil
	}
	if !g.dirty {
		g.dirty = true
		l.dirty = append(l.dirty, g)
	}
}

// roomChanged is touch for when only the room changed.
func (l *Ledger) roomChanged(g *gate) {
	if g.parks.root != nil {
		l.touch(g)
	}
}

// look finds what a gate offers.
func (l *Ledger) look(g *gate) {
	g.dirty = false
	free := g.free()
	if g.parks.root == nil || g.parks.low() > free {
		return
	}
	for _, p := range g.stale {
		g.parks.remove(&p.link)
		l.enterGate(p)
	}
	clear(g.stale)
	g.stale = g.stale[:0]
	g.offer = g.parks.within(free).item
	g.shape = g.offer.within(free)
	l.open.insert(&g.link)
}
