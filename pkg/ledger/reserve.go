package ledger

import (
	"cmp"
	"math"
	"slices"
)

// reservation holds room for a pod that was passed over for too long, or for its whole gang. What it
// needs of a limit that has refused it is held there from then on against waiting pods of its level
// and of lower ones, so that room gathers until it fits; then it goes first in its level. A limit
// that never refused it is not held, nor do pods that need nothing of a held limit wait for it.
type reservation struct {
	pod   *pod
	level int64
	at    path
	marks []mark
	// within is in how much time the room may be needed: pods that are through by then may use it.
	within int64
}

// mark is a limit that has refused a reserved pod.
type mark struct {
	node *limitNode
	dim  dim
}

// Reserve holds room for a waiting pod until it is admitted, stops waiting, asks for something else,
// its queue is changed, its organization or a parent of its workflow is another, or Unreserve. It says whether room is held now: a queue has
// one reservation at most, and only for a pod that competes for room. Pods that run no longer than within
// may use the room meanwhile; it is to be called again as that gets less. Of 0 or less none may.
func (l *Ledger) Reserve(uid string, within int64) bool {
	p := l.podNamed(uid)
	if p == nil || p.shape == nil || p.shape.park == nil {
		return false
	}
	q := p.op.queue
	if q.reserved != nil {
		if q.reserved.pod != p {
			return false
		}
		l.setWithin(q.reserved, within)
		return true
	}
	if q.config.Strategy == StrictFIFO && !p.shape.begins(p) {
		return false
	}
	r := &reservation{pod: p, level: q.config.Level, at: p.path(), within: within}
	if s := p.shape; s.gang != nil {
		l.hide(s)
		q.reserved = r
		l.show(s)
		l.exposeHead(q)
	} else {
		l.leaveShape(p)
		q.reserved = r
		l.joinShape(p)
	}
	l.reservations = hold(l.reservations, r)
	for n := range r.at.nodes {
		n.holds = hold(n.holds, r)
	}
	l.mark(r)
	return true
}

// setWithin has what the room is not held from any longer looked at again.
func (l *Ledger) setWithin(r *reservation, within int64) {
	before := r.within
	r.within = within
	if before < within {
		l.relax(r, func(s *shape) bool { return s.runtime > before && s.runtime <= within })
	}
}

// Reserved says whether room is held for a pod.
func (l *Ledger) Reserved(uid string) bool {
	p := l.podNamed(uid)
	return p != nil && p.op.queue.reserved != nil && p.op.queue.reserved.pod == p
}

// Unreserve ends the reservation of a pod. It waits on where it waited.
func (l *Ledger) Unreserve(uid string) {
	if l.Reserved(uid) {
		l.endReservation(l.podNamed(uid).op.queue)
	}
}

// endReservation ends the reservation of a queue, if it has one, whose pod waits on.
func (l *Ledger) endReservation(q *queue) {
	if r := q.reserved; r != nil {
		l.unreserve(q)
		l.leaveShape(r.pod)
		l.joinShape(r.pod)
	}
}

// unreserve ends the reservation that a queue has. The shape of its pod must be left next.
func (l *Ledger) unreserve(q *queue) {
	r := q.reserved
	q.reserved = nil
	l.reservations = slices.DeleteFunc(l.reservations, func(o *reservation) bool { return o == r })
	for n := range r.at.nodes {
		n.holds = slices.DeleteFunc(n.holds, func(o *reservation) bool { return o == r })
	}
	l.relax(r, everyShape)
}

// hold adds a reservation behind those of its level: who is before it in the list has its room first.
func hold(list []*reservation, r *reservation) []*reservation {
	at := len(list)
	for at > 0 && list[at-1].level < r.level {
		at--
	}
	return slices.Insert(list, at, r)
}

// Head is the first pod of a queue that waits and may compete, admissible or not.
func (l *Ledger) Head(queue string) (uid string, ok bool) {
	q := l.queues[queue]
	if q == nil || !q.open {
		return "", false
	}
	var head *shape
	for s := range q.shapes {
		if !s.never && !s.partial && (head == nil || shapeBefore(s, head)) {
			head = s
		}
	}
	if head == nil {
		return "", false
	}
	return head.pods.head.uid, true
}

// reservation is the one that a shape has, or nil.
func (s *shape) reservation() *reservation {
	if r := s.queue.reserved; r != nil && r.pod.shape == s {
		return r
	}
	return nil
}

// mark notes the limits that refuse a reserved pod. That others need more room from now on is found
// when they are next looked at.
func (l *Ledger) mark(r *reservation) {
	s := r.pod.shape
	if s == nil || s.park == nil {
		return
	}
	for n := range r.at.nodes {
		if !s.seated && n.freeSeats(s.queue) < plus(1, n.held(seats, s)) {
			r.add(mark{n, seats})
		}
		for _, want := range s.ask.needs {
			if n.free(want.dim) < plus(want.amount, n.held(want.dim, s)) {
				r.add(mark{n, want.dim})
			}
		}
	}
}

func (r *reservation) add(m mark) {
	if !slices.Contains(r.marks, m) {
		r.marks = append(r.marks, m)
	}
}

// need is how much of a dimension is held of a node.
func (r *reservation) need(n *limitNode, d dim) int64 {
	s := r.pod.shape
	switch {
	case d == closing || s == nil || s.park == nil || !slices.Contains(r.marks, mark{n, d}):
		return 0
	case d != seats:
		return s.ask.of(d)
	case s.seated:
		return 0
	}
	return 1
}

// held is how much of a dimension is held of a node against a shape.
func (n *limitNode) held(d dim, s *shape) int64 {
	sum := int64(0)
	for r := range n.holders(s) {
		sum = plus(sum, r.need(n, d))
	}
	return sum
}

// holders yields the reservations that hold room of a node, or may, against a shape.
func (n *limitNode) holders(s *shape) func(yield func(*reservation) bool) {
	return func(yield func(*reservation) bool) {
		if len(n.holds) == 0 {
			return
		}
		own := s.reservation()
		for _, r := range n.holds {
			if r == own || r.level < s.queue.config.Level {
				return
			}
			if (s.runtime <= 0 || s.runtime > r.within) && !yield(r) {
				return
			}
		}
	}
}

// plus adds amounts; the sum ends at the largest amount.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func everyShape(*shape) bool { return true }

// relax has those that wait where a reservation may have held room looked at again.
func (l *Ledger) relax(r *reservation, which func(*shape) bool) {
	for _, m := range r.marks {
		if int(m.dim) >= len(m.node.gates) || m.node.gates[m.dim] == nil {
			continue
		}
		var shapes []*shape
		for p := range m.node.gates[m.dim].parks.all {
			for s := range p.shapes.all {
				if which(s) {
					shapes = append(shapes, s)
				}
			}
		}
		for _, s := range shapes {
			l.leave(s)
			l.stand(s, l.ungated)
		}
	}
}

// retire is to be called for a shape that stops competing: what is held for it is free.
func (l *Ledger) retire(s *shape) {
	if r := s.reservation(); r != nil {
		l.relax(r, everyShape)
	}
}

// heldFor is the pods that room is held for which a shape needs, those with the first claim first.
func heldFor(s *shape) []string {
	var uids []string
	for n := range s.path().nodes {
		for r := range n.holders(s) {
			for want := range s.wants {
				if r.need(n, want.dim) > 0 && !slices.Contains(uids, r.pod.uid) {
					uids = append(uids, r.pod.uid)
				}
			}
		}
	}
	return uids
}

// PassedOver says whether a waiting pod lacks an amount that a limit on its path has given to others
// since: to pods behind it in its queue, or to younger ones of other queues of its level or of lower
// ones. Who lacks nothing but a seat is not passed over: seats go by turns.
func (l *Ledger) PassedOver(uid string) bool {
	p := l.podNamed(uid)
	if p == nil || p.shape == nil || p.shape.park == nil {
		return false
	}
	for _, lack := range lacks(p.shape) {
		if lack.dim == seats {
			continue
		}
		for v := range l.chargedTo(lack.node) {
			behind := v.created > p.created
			if v.op.queue == p.op.queue {
				behind = podBefore(p, v)
			}
			if behind && v.op != p.op && v.op.queue.config.Level <= p.op.queue.config.Level && v.vec.of(lack.dim) > 0 {
				return true
			}
		}
	}
	return false
}

// FitsBy is when there is room for the pod of a reservation at the latest, going by when the pods
// that hold room end. It is not known where too few of them say.
func (l *Ledger) FitsBy(uid string, ends func(uid string) (at int64, known bool)) (at int64, known bool) {
	if !l.Reserved(uid) || l.podNamed(uid).shape.park == nil {
		return 0, false
	}
	s := l.podNamed(uid).shape
	at = math.MinInt64
	for _, lack := range lacks(s) {
		freed, ok := l.freedBy(lack, s.queue, ends)
		if !ok {
			return 0, false
		}
		at = max(at, freed)
	}
	return at, true
}

// freedBy is when as much of a limit is free as is lacking.
func (l *Ledger) freedBy(lack shortage, q *queue, ends func(uid string) (int64, bool)) (int64, bool) {
	type end struct{ at, amount int64 }
	var all []end
	if lack.beyond {
		return 0, false
	}
	if lack.dim == seats {
		last := map[*operation]end{}
		for p := range l.chargedTo(lack.node) {
			at, ok := ends(p.uid)
			if !ok {
				at = math.MaxInt64
			}
			// A seat may be kept for the queue that had it.
			if lack.node.kind == Agent && p.op.queue != q && p.op.queue.guarantee > 0 {
				at = math.MaxInt64
			}
			if before, seen := last[p.op]; !seen || before.at < at {
				last[p.op] = end{at, 1}
			}
		}
		for _, e := range last {
			all = append(all, e)
		}
	} else {
		for p := range l.chargedTo(lack.node) {
			if at, ok := ends(p.uid); ok {
				all = append(all, end{at, p.vec.of(lack.dim)})
			}
		}
	}
	slices.SortFunc(all, func(a, b end) int { return cmp.Compare(a.at, b.at) })
	left := lack.lack
	for _, e := range all {
		if left -= e.amount; left <= 0 {
			return e.at, e.at < math.MaxInt64
		}
	}
	return 0, false
}

// chargedTo yields the pods that hold room of a node, of operations whose seat is there or not.
func (l *Ledger) chargedTo(n *limitNode) func(yield func(*pod) bool) {
	return func(yield func(*pod) bool) {
		for _, q := range l.queues {
			if n.kind == Queue && n != &q.limitNode || n.kind == Agent && (q.agent == nil || n != &q.agent.limitNode) {
				continue
			}
			for op := range q.seated.all {
				for p := op.members; p != nil; p = p.following {
					if p.state.Holds() && p.path().has(n) && !yield(p) {
						return
					}
				}
			}
		}
	}
}
