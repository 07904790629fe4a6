package ledger

import (
	"cmp"
	"math"
	"slices"
)

// Victims names the pods that hold room and are to be evicted, by whole operations, so that a waiting
// pod, or its gang, has room: of the queues of lower levels that are charged where an agent, project
// or organization refuses it, the lowest level first, then the youngest operation. No queue is taken
// below its guarantee. It is nil where the pod's queue does not preempt, where the pod has room,
// where anything else keeps it waiting, and where evicting would not be enough. It changes nothing.
func (l *Ledger) Victims(uid string) []string {
	p := l.pods[uid]
	if p == nil || p.shape == nil || p.shape.park == nil || p.op.queue.config.Preemption != LowerPriority {
		return nil
	}
	short := shortages(p.shape)
	if len(short) == 0 {
		return nil
	}
	var chosen []*operation
	spare := map[*queue]int64{}
	for _, op := range l.preemptible(p, short) {
		if _, known := spare[op.queue]; !known {
			spare[op.queue] = op.queue.taken(seats) - op.queue.guarantee
		}
		if spare[op.queue] > 0 && op.relieves(short) {
			spare[op.queue]--
			op.relieve(short, 1)
			chosen = append(chosen, op)
		}
	}
	if slices.ContainsFunc(short, shortage.lacks) {
		return nil
	}
	// What was chosen for one limit may be needless once others were chosen for the next one. Who
	// was last in turn is spared first.
	for _, op := range slices.Backward(slices.Clone(chosen)) {
		op.relieve(short, -1)
		if slices.ContainsFunc(short, shortage.lacks) {
			op.relieve(short, 1)
		} else {
			chosen = slices.DeleteFunc(chosen, func(o *operation) bool { return o == op })
		}
	}
	var uids []string
	for _, op := range chosen {
		for _, m := range op.inOrder() {
			if m.state.Holds() {
				uids = append(uids, m.uid)
			}
		}
	}
	return uids
}

// shortage is how much room a limit lacks for a shape.
type shortage struct {
	node        *limitNode
	dim         dim
	lack, freed int64
}

func (s shortage) lacks() bool { return s.freed < s.lack }

// shortages is what the shared limits on the path of a shape lack; nil where more than that refuses it.
func shortages(s *shape) []shortage {
	var short []shortage
	for _, n := range pathOf(s.queue, s.project) {
		if n == nil {
			continue
		}
		if n.limits.Closed != "" {
			return nil
		}
		asks := s.ask.needs
		if !s.seated {
			asks = append([]need{{seats, 1}}, asks...)
		}
		for _, want := range asks {
			free, amount := n.free(want.dim), plus(want.amount, n.held(want.dim, s))
			if want.dim == seats {
				free = n.freeSeats(s.queue)
			}
			if free >= amount {
				continue
			}
			// Where sums end at the largest amount, what an eviction frees is not known.
			beyond := n.taken(want.dim) == math.MaxInt64 || free < 0 && amount > math.MaxInt64+free
			if n.kind == Queue || beyond {
				return nil
			}
			short = append(short, shortage{node: n, dim: want.dim, lack: amount - free})
		}
	}
	return short
}

// preemptible is the operations that may be evicted for a pod, in order.
func (l *Ledger) preemptible(p *pod, short []shortage) []*operation {
	var list []*operation
	for _, q := range l.queues {
		if !q.exists || q.config.Level >= p.op.queue.config.Level {
			continue
		}
		for op := q.seated; op != nil; op = op.nextSeated {
			if !op.protected() && op.relieves(short) {
				list = append(list, op)
			}
		}
	}
	slices.SortFunc(list, func(a, b *operation) int {
		return cmp.Or(cmp.Compare(a.queue.config.Level, b.queue.config.Level), cmp.Compare(b.born(), a.born()),
			cmp.Compare(a.queue.name, b.queue.name), cmp.Compare(a.name, b.name))
	})
	return list
}

// protected says whether a pod that holds room is not to be evicted.
func (o *operation) protected() bool {
	for p := o.members; p != nil; p = p.following {
		if p.unpreemptible && p.state.Holds() {
			return true
		}
	}
	return false
}

// born is when the first of its pods that hold room was created.
func (o *operation) born() int64 {
	born := int64(0)
	first := true
	for p := o.members; p != nil; p = p.following {
		if p.state.Holds() && (first || p.created < born) {
			born, first = p.created, false
		}
	}
	return born
}

// relieves says whether evicting it helps where room is still lacking.
func (o *operation) relieves(short []shortage) bool {
	for _, s := range short {
		if s.lacks() && o.chargedAt(s.node, s.dim) > 0 {
			return true
		}
	}
	return false
}

// relieve notes that an operation is to be evicted, or with a sign of -1 that it is not.
func (o *operation) relieve(short []shortage, sign int64) {
	for i := range short {
		short[i].freed += sign * o.chargedAt(short[i].node, short[i].dim)
	}
}

// chargedAt is how much of a dimension of a node an operation holds.
func (o *operation) chargedAt(n *limitNode, d dim) int64 {
	if d == seats {
		if slices.Contains(pathSlice(o.queue, o.seatProject), n) {
			return 1
		}
		return 0
	}
	sum := int64(0)
	for p := o.members; p != nil; p = p.following {
		if p.state.Holds() && slices.Contains(pathSlice(o.queue, p.project), n) {
			sum = plus(sum, p.vec.of(d))
		}
	}
	return sum
}
