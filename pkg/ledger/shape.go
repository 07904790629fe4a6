package ledger

import "iter"

// shape is the waiting pods of one queue that need the same: same owner, same vector, and a seat
// or none because their operation has one. What refuses one of them refuses all of them.
type shape struct {
	shapeKey
	ask     *vector // what it needs at once: what one pod asks for, or a whole gang
	pods    roster
	never   bool // asks more than a bound on its path allows in all
	partial bool // a gang of which pods are not here yet
	inLine  bool // StrictFIFO: in its queue's line
	park    *park
	link    node[*shape] // in the park
	place   node[*shape] // in the queue's line
}

// shapeKey is what makes pods be of one shape. A gang that forms has one for each owner it has, whatever
// its pods ask for.
type shapeKey struct {
	queue *queue
	owner
	vec    *vector // nil: of a gang
	seated bool
	gang   *operation

	runtime int64 // at most so long do its pods hold room; 0: nobody says
	only    *pod  // that room is reserved for
}

func keyOf(p *pod) shapeKey {
	at := p.op.standing()
	key := shapeKey{queue: p.op.queue, owner: p.owner, vec: p.vec, seated: at.seated}
	if at.missing > 0 {
		key.vec, key.gang = nil, p.op
		return key
	}
	key.runtime = p.runtime
	if r := p.op.queue.reserved; r != nil && r.pod == p {
		key.only = p
	}
	return key
}

// shapeBefore orders shapes of one queue by their heads.
func shapeBefore(a, b *shape) bool {
	if a.seated != b.seated {
		return a.seated
	}
	return podBefore(a.pods.head, b.pods.head)
}

// neverFits says whether a bound on the path is lower than what the shape needs at once.
func (s *shape) neverFits() bool {
	if s.partial {
		return false // what it will need is not known
	}
	for n := range s.path().nodes {
		if !s.seated && n.bound(seats) == 0 {
			return true
		}
		for _, want := range s.ask.needs {
			if bound := n.bound(want.dim); bound >= 0 && want.amount > bound {
				return true
			}
		}
	}
	return false
}

// refusal is the first gate on the path that has no room for what the shape needs at once, or nil.
func (l *Ledger) refusal(s *shape) *gate {
	for n := range s.path().nodes {
		if n.limits.Closed != "" {
			return l.gateOf(n, closing)
		}
		if n.bounds == nil {
			continue
		}
		if !s.seated && n.freeSeats(s.queue) < plus(1, n.held(seats, s)) {
			return l.gateOf(n, seats)
		}
		for _, want := range s.ask.needs {
			if n.free(want.dim) < plus(want.amount, n.held(want.dim, s)) {
				return l.gateOf(n, want.dim)
			}
		}
	}
	return nil
}

// joinShape puts a waiting pod into its shape.
func (l *Ledger) joinShape(p *pod) {
	key := keyOf(p)
	s := l.shapes[key]
	if s == nil {
		s = l.newShape(key)
	}
	p.shape = s
	if s.gang != nil {
		l.hide(s)
		s.pods.insert(p)
		l.muster(s)
		l.show(s)
		l.exposeHead(s.queue)
		return
	}
	if s.pods.head != nil && !podBefore(p, s.pods.head) {
		s.pods.insert(p)
		return
	}
	fresh := s.pods.head == nil
	l.lift(s)
	s.pods.insert(p)
	if fresh {
		l.show(s)
	} else {
		l.lower(s)
	}
	l.exposeHead(s.queue)
}

// leaveShape takes a pod out of its shape, and the shape away with its last pod.
func (l *Ledger) leaveShape(p *pod) {
	s := p.shape
	if r := s.reservation(); r != nil && r.pod == p {
		l.unreserve(s.queue)
	}
	p.shape = nil
	if s.gang != nil {
		l.hide(s)
		s.pods.remove(p)
		if s.pods.head == nil {
			l.dropShape(s)
		} else {
			l.muster(s)
			l.show(s)
		}
		l.exposeHead(s.queue)
		return
	}
	if s.pods.head != p {
		s.pods.remove(p)
		return
	}
	l.lift(s)
	s.pods.remove(p)
	if s.pods.head == nil {
		l.dropShape(s)
	} else {
		l.lower(s)
	}
	l.exposeHead(s.queue)
}

func (l *Ledger) newShape(key shapeKey) *shape {
	s := &shape{shapeKey: key}
	s.link.item, s.link.weight = s, l.random()
	s.place.item, s.place.weight = s, l.random()
	if key.gang == nil {
		s.ask = key.vec
		s.ask.refs++
		s.never = s.neverFits()
	} else {
		s.ask = l.vecs.retain(&l.dims, nil)
	}
	l.shapes[key] = s
	key.queue.shapes[s] = struct{}{}
	if key.project != nil {
		key.project.shapes[s] = struct{}{}
	}
	if key.workflow != nil {
		key.workflow.shapes[s] = struct{}{}
	}
	return s
}

// dropShape forgets a shape that is lifted and has no pods.
func (l *Ledger) dropShape(s *shape) {
	s.inLine = false
	if s.park != nil {
		l.quit(s)
	}
	delete(l.shapes, s.shapeKey)
	delete(s.queue.shapes, s)
	if s.project != nil {
		delete(s.project.shapes, s)
	}
	if s.workflow != nil {
		delete(s.workflow.shapes, s)
	}
	l.vecs.release(&l.dims, s.ask)
}

// lift takes a shape out of everything ordered by its head, so that the head may change. lower
// puts it back to the same places.
func (l *Ledger) lift(s *shape) {
	if s.park != nil {
		l.touch(s.park.gate)
		s.park.shapes.remove(&s.link)
	}
	if s.inLine {
		s.queue.line.remove(&s.place)
	}
}

func (l *Ledger) lower(s *shape) {
	if s.park != nil {
		s.park.shapes.insert(&s.link)
	}
	if s.inLine {
		s.queue.line.insert(&s.place)
	}
}

// show makes a shape that stands nowhere compete: at the free gate, or in the line of a StrictFIFO
// queue (exposeHead must follow). What can never fit, and a part of a gang, competes nowhere.
func (l *Ledger) show(s *shape) {
	switch {
	case s.never || s.partial || !s.queue.open:
	case s.queue.config.Strategy == StrictFIFO:
		s.inLine = true
		s.queue.line.insert(&s.place)
	default:
		l.stand(s, l.ungated)
	}
}

// hide undoes show.
func (l *Ledger) hide(s *shape) {
	if s.inLine {
		s.inLine = false
		s.queue.line.remove(&s.place)
	}
	if s.park != nil {
		l.leave(s)
		l.retire(s)
	}
}

// exposeHead lets exactly the head of a StrictFIFO queue stand at a gate. It must follow whatever
// may have changed the head.
func (l *Ledger) exposeHead(q *queue) {
	var head *shape
	if q.line.first != nil {
		head = q.line.first.item
	}
	if q.exposed == head {
		if head != nil && head.park == nil {
			l.stand(head, l.ungated)
		}
		return
	}
	if q.exposed != nil && q.exposed.inLine && q.exposed.park != nil {
		l.leave(q.exposed)
		l.retire(q.exposed)
	}
	q.exposed = head
	if head != nil && head.park == nil {
		l.stand(head, l.ungated)
	}
}

// rejudge looks again at what can never fit after a limit on the path of these shapes changed.
func (l *Ledger) rejudge(shapes iter.Seq[*shape]) {
	for s := range shapes {
		if never := s.neverFits(); never != s.never {
			l.hide(s)
			s.never = never
			l.show(s)
			l.exposeHead(s.queue)
		}
	}
}
