package ledger

import (
	"cmp"
	"slices"
)

// Takeover is room that a waiting pod, or its gang, takes from operations of lower levels.
type Takeover struct {
	UID string
	// Victims are the pods to evict, whole operations. None where what leaves already is enough.
	Victims [][]string
}

// Takeovers plans what is to be evicted for the pods that wait in queues that preempt: for at most max
// of them, those first that would go first. It must follow an Admit that left nothing that has room.
//
// The pods leaving are on their way out: their room is counted as coming, and nothing is evicted in its place.
// Operations of the pods that are spared are not chosen. For pods that may not, and for those behind them in
// their queues, nothing is planned.
//
// Nothing is planned for a pod that others go before when the room comes: an eviction must serve who asked for
// it. So the room is to be reserved for the first pod of each queue that is named; others of that queue are
// named only where they lack no more than a seat, which nobody of a lower level can take piece by piece.
func (l *Ledger) Takeovers(leaving []string, spared, may func(uid string) bool, max int) []Takeover {
	var queues []*queue
	for _, q := range l.queues {
		if q.open && q.config.Preemption == LowerPriority && len(q.parks) > 0 {
			queues = append(queues, q)
		}
	}
	if len(queues) == 0 {
		return nil
	}
	slices.SortFunc(queues, func(a, b *queue) int {
		return cmp.Or(cmp.Compare(b.config.Level, a.config.Level), cmp.Compare(a.name, b.name))
	})
	var planned []Takeover
	t := l.newPlan(leaving, spared)
	for _, q := range queues {
		first := true
		failed := map[*shape]bool{}
		for _, p := range q.nextInLine(max - len(planned)) {
			if !may(p.uid) {
				break
			}
			if failed[p.shape] {
				continue
			}
			victims, ok := t.takeover(p, first && (q.reserved == nil || q.reserved.pod == p))
			if !ok {
				failed[p.shape] = true
				continue
			}
			planned = append(planned, Takeover{p.uid, victims})
			first = false
		}
	}
	return planned
}

// plan is what is known of evictions while they are planned.
type plan struct {
	ledger  *Ledger
	spared  func(uid string) bool
	leaving map[*pod]bool
	going   map[*operation]bool // whose seats will be free
	seated  map[*operation]bool // that have been promised a seat
	gone    map[*queue]int64    // seats that its operations will have left
	freed   map[mark]int64      // room that will be free
	claimed map[mark]int64      // and who was planned for will take
	served  map[*shape]int      // pods that were planned for
	choice  []candidate         // those that may be evicted, in order
	chosen  bool                // choice is made
}

type candidate struct {
	op          *operation
	level, born int64
}

func (l *Ledger) newPlan(leaving []string, spared func(uid string) bool) *plan {
	t := &plan{ledger: l, spared: spared, leaving: map[*pod]bool{}, going: map[*operation]bool{}, seated: map[*operation]bool{},
		gone: map[*queue]int64{}, freed: map[mark]int64{}, claimed: map[mark]int64{}, served: map[*shape]int{}}
	var ops []*operation
	left := map[*operation]int32{}
	for _, uid := range leaving {
		p := l.podNamed(uid)
		if p == nil || !p.state.Holds() || t.leaving[p] {
			continue
		}
		t.free(p)
		if left[p.op]++; left[p.op] == p.op.holders() {
			ops = append(ops, p.op)
		}
	}
	for _, op := range ops {
		t.unseat(op)
	}
	return t
}

// free notes that a pod leaves.
func (t *plan) free(p *pod) {
	t.leaving[p] = true
	for n := range p.path().nodes {
		for _, want := range p.vec.needs {
			at := mark{n, want.dim}
			t.freed[at] = plus(t.freed[at], want.amount)
		}
	}
}

// unseat notes that the last pods of an operation leave.
func (t *plan) unseat(op *operation) {
	spare := t.spare(op.queue)
	t.going[op] = true
	t.gone[op.queue]++
	for n := range op.seatPath().nodes {
		if n.kind != Agent || spare > 0 {
			t.freed[mark{n, seats}]++
		}
	}
}

// spare is how many seats a queue holds, of those that will not be left, that it is not guaranteed.
func (t *plan) spare(q *queue) int64 { return q.taken(seats) - t.gone[q] - q.guarantee }

// preemptible is the operations of queues below the highest that preempts, in the order in which they are
// evicted.
func (t *plan) preemptible() []candidate {
	if t.chosen {
		return t.choice
	}
	t.chosen = true
	for _, q := range t.ledger.queues {
		if !q.exists {
			continue
		}
		for op := range q.seated.all {
			if !t.protected(op) {
				t.choice = append(t.choice, candidate{op, q.config.Level, op.born()})
			}
		}
	}
	slices.SortFunc(t.choice, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(b.born, a.born),
			cmp.Compare(a.op.queue.name, b.op.queue.name), cmp.Compare(a.op.name, b.op.name))
	})
	return t.choice
}

// takeover plans for one pod. It is not ok where nothing can be done for it.
func (t *plan) takeover(p *pod, first bool) (victims [][]string, ok bool) {
	if t.going[p.op] {
		return nil, false // what it lacks will be more
	}
	short, ok := t.shortages(p)
	if !ok {
		return nil, false
	}
	all := lacks(p.shape)
	if !first && slices.ContainsFunc(all, func(s shortage) bool { return s.dim != seats }) {
		return nil, false
	}
	var ops []*operation
	if len(short) > 0 {
		if ops = t.victims(p.op.queue, short); ops == nil {
			return nil, false
		}
	}
	for _, op := range ops {
		victims = append(victims, t.uids(op))
	}
	if t.rivals(p, all, ops, first) {
		return nil, false
	}
	for _, op := range ops {
		for m := op.members; m != nil; m = m.following {
			if m.state.Holds() && !t.leaving[m] {
				t.free(m)
			}
		}
		t.unseat(op)
	}
	t.claim(p)
	return victims, true
}

// claim notes what a pod that was planned for will take, beside what is held for it.
func (t *plan) claim(p *pod) {
	s := p.shape
	r := s.reservation()
	for n := range s.path().nodes {
		for want := range s.wants {
			if want.dim == seats && t.seated[p.op] {
				continue
			}
			amount := want.amount
			if r != nil {
				amount -= r.need(n, want.dim)
			}
			at := mark{n, want.dim}
			t.claimed[at] = plus(t.claimed[at], max(amount, 0))
		}
	}
	t.seated[p.op] = true
	t.served[s]++
}

// rivals says whether others that nothing was planned for go before a pod when the room comes that is
// freed by these operations, and by what else leaves, and would take what it lacks.
func (t *plan) rivals(p *pod, lacking []shortage, ops []*operation, first bool) bool {
	var opened []mark
	add := func(n *limitNode, d dim) {
		if !slices.Contains(opened, mark{n, d}) {
			opened = append(opened, mark{n, d})
		}
	}
	for at := range t.freed {
		add(at.node, at.dim)
	}
	for _, op := range ops {
		for n := range op.seatPath().nodes {
			add(n, seats)
		}
		for m := op.members; m != nil; m = m.following {
			for n := range m.path().nodes {
				for _, want := range m.vec.needs {
					add(n, want.dim)
				}
			}
		}
	}
	own := p.op.queue.key()
	own.reserved = true
	for _, at := range opened {
		if int(at.dim) >= len(at.node.gates) || at.node.gates[at.dim] == nil {
			continue
		}
		for k := range at.node.gates[at.dim].parks.all {
			if k.queue == p.op.queue {
				continue
			}
			key := k.keyOfNow()
			// Turns change with what leaves.
			if !key.less(&own) && (key.level != own.level || first && !key.reserved) {
				continue
			}
			for s := range k.shapes.all {
				if s.pods.len() > t.served[s] && s.gang == nil || s.gang != nil && t.served[s] == 0 {
					if s.takes(lacking) {
						return true
					}
				}
			}
		}
	}
	return false
}

// takes says whether a shape needs anything of what is lacking to another.
func (s *shape) takes(lacking []shortage) bool {
	at := s.path()
	for _, lack := range lacking {
		if !at.has(lack.node) {
			continue
		}
		for want := range s.wants {
			if want.dim == lack.dim {
				return true
			}
		}
	}
	return false
}

// nextInLine is the first pods of a queue that compete, of a gang the first alone.
func (q *queue) nextInLine(most int) []*pod {
	var shapes []*shape
	for s := range q.shapes {
		if s.park != nil {
			shapes = append(shapes, s)
		}
	}
	slices.SortFunc(shapes, func(a, b *shape) int {
		if shapeBefore(a, b) {
			return -1
		}
		return 1
	})
	var line []*pod
	for _, s := range shapes[:min(len(shapes), max(most, 0))] {
		left := most
		if s.gang != nil || q.config.Strategy == StrictFIFO {
			left = 1
		}
		for p := range s.pods.all {
			if left--; left < 0 {
				break
			}
			line = append(line, p)
		}
	}
	slices.SortFunc(line, func(a, b *pod) int {
		switch {
		case a.shape.seated != b.shape.seated && a.shape.seated, a.shape.seated == b.shape.seated && podBefore(a, b):
			return -1
		}
		return 1
	})
	return line[:min(len(line), max(most, 0))]
}
