package ledger

import (
	"math"
	"slices"
)

// shortage is how much room a limit lacks for a shape.
type shortage struct {
	node   *limitNode
	dim    dim
	lack   int64
	beyond bool // sums end at the largest amount, so what would be freed is not known
}

func (s shortage) lacks() bool { return s.lack > 0 }

// lacks is what the limits on the path of a shape lack of what it needs at once.
func lacks(s *shape) []shortage {
	var short []shortage
	for n := range s.path().nodes {
		if n.bounds == nil {
			continue
		}
		for want := range s.wants {
			free, amount := n.free(want.dim), plus(want.amount, n.held(want.dim, s))
			if want.dim == seats {
				free = n.freeSeats(s.queue)
			}
			if free >= amount {
				continue
			}
			beyond := n.taken(want.dim) == math.MaxInt64 || free < 0 && amount > math.MaxInt64+free
			lack := int64(math.MaxInt64)
			if !beyond {
				lack = amount - free
			}
			short = append(short, shortage{n, want.dim, lack, beyond})
		}
	}
	return short
}

// wants yields what a shape needs of each limit at once, its seat first.
func (s *shape) wants(yield func(need) bool) {
	if !s.seated && !yield(need{seats, 1}) {
		return
	}
	for _, want := range s.ask.needs {
		if !yield(want) {
			return
		}
	}
}

// Victims names the pods that hold room and are to be evicted, by whole operations, so that a waiting
// pod, or its gang, has room: of the queues of lower levels that are charged where an agent, project
// or organization refuses it, the lowest level first, then the youngest operation. No queue is taken
// below its guarantee. It is nil where the pod's queue does not preempt, where the pod has room,
// where anything else keeps it waiting, and where evicting would not be enough. It changes nothing.
func (l *Ledger) Victims(uid string) []string {
	p := l.podNamed(uid)
	if p == nil || p.shape == nil || p.shape.park == nil || p.op.queue.config.Preemption != LowerPriority {
		return nil
	}
	plan := l.newPlan(nil, nil)
	short, ok := plan.shortages(p)
	if !ok {
		return nil
	}
	var uids []string
	for _, op := range plan.victims(p.op.queue, short) {
		uids = append(uids, plan.uids(op)...)
	}
	return uids
}

// shortages is what the limits that a pod's queue shares lack for it, beside what others leave and
// those before it take. It is not ok where more than that refuses it.
func (t *plan) shortages(p *pod) (short []shortage, ok bool) {
	for n := range p.path().nodes {
		if n.limits.Closed != "" {
			return nil, false
		}
	}
	s := p.shape
	for n := range s.path().nodes {
		if n.bounds == nil {
			continue
		}
		for want := range s.wants {
			if n.bound(want.dim) < 0 || want.dim == seats && t.seated[p.op] {
				continue
			}
			at := mark{n, want.dim}
			free, amount := n.free(want.dim), plus(plus(want.amount, n.held(want.dim, s)), t.claimed[at])
			if want.dim == seats {
				free = n.freeSeats(s.queue)
			}
			if freed := t.freed[at]; free > math.MaxInt64-freed {
				free = math.MaxInt64
			} else {
				free += freed
			}
			if free >= amount {
				continue
			}
			beyond := n.taken(want.dim) == math.MaxInt64 || free < 0 && amount > math.MaxInt64+free
			if n.kind == Queue || n.kind == Workflow || beyond {
				return nil, false
			}
			short = append(short, shortage{node: n, dim: want.dim, lack: amount - free})
		}
	}
	return short, true
}

// victims is the operations to evict so that nothing is lacking; nil where that cannot be.
func (t *plan) victims(q *queue, short []shortage) []*operation {
	var chosen []*operation
	spent := map[*queue]int64{}
	for _, c := range t.preemptible() {
		op := c.op
		if c.level >= q.config.Level || t.going[op] || !t.relieves(op, short) || t.spare(op.queue) <= spent[op.queue] {
			continue
		}
		spent[op.queue]++
		t.relieve(op, short, 1)
		chosen = append(chosen, op)
	}
	if slices.ContainsFunc(short, shortage.lacks) {
		return nil
	}
	// What was chosen for one limit may be needless once others were chosen for the next one. Who
	// was last in turn is spared first.
	for _, op := range slices.Backward(slices.Clone(chosen)) {
		t.relieve(op, short, -1)
		if slices.ContainsFunc(short, shortage.lacks) {
			t.relieve(op, short, 1)
		} else {
			chosen = slices.DeleteFunc(chosen, func(o *operation) bool { return o == op })
		}
	}
	return chosen
}

// uids is the pods of an operation that hold room and do not leave yet.
func (t *plan) uids(op *operation) []string {
	var uids []string
	for _, m := range op.inOrder() {
		if m.state.Holds() && !t.leaving[m] {
			uids = append(uids, m.uid)
		}
	}
	return uids
}

// protected says whether a pod that holds room is not to be evicted.
func (t *plan) protected(o *operation) bool {
	for p := o.members; p != nil; p = p.following {
		if p.state.Holds() && !t.leaving[p] && (p.unpreemptible || t.spared != nil && t.spared(p.uid)) {
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
func (t *plan) relieves(o *operation, short []shortage) bool {
	for _, s := range short {
		if s.lacks() && t.chargedAt(o, s.node, s.dim) > 0 {
			return true
		}
	}
	return false
}

// relieve notes that an operation is to be evicted, or with a sign of -1 that it is not.
func (t *plan) relieve(o *operation, short []shortage, sign int64) {
	for i := range short {
		short[i].lack -= sign * t.chargedAt(o, short[i].node, short[i].dim)
	}
}

// chargedAt is how much of a dimension of a node an operation holds, beside pods that leave.
func (t *plan) chargedAt(o *operation, n *limitNode, d dim) int64 {
	if d == seats {
		if !t.going[o] && o.seatPath().has(n) {
			return 1
		}
		return 0
	}
	sum := int64(0)
	for p := o.members; p != nil; p = p.following {
		if p.state.Holds() && !t.leaving[p] && p.path().has(n) {
			sum = plus(sum, p.vec.of(d))
		}
	}
	return sum
}
