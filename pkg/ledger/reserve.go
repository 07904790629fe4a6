package ledger

import (
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
}

// mark is a limit that has refused a reserved pod.
type mark struct {
	node *limitNode
	dim  dim
}

// Reserve holds room for a waiting pod until it is admitted, stops waiting, asks for something else,
// its queue or organization is changed, or Unreserve. It says whether room is held now: a queue has
// one reservation at most, and only for a pod that competes for room.
func (l *Ledger) Reserve(uid string) bool {
	p := l.pods[uid]
	if p == nil || p.shape == nil || p.shape.park == nil {
		return false
	}
	q := p.op.queue
	if q.reserved != nil {
		return q.reserved.pod == p
	}
	if q.config.Strategy == StrictFIFO && !p.shape.begins(p) {
		return false
	}
	r := &reservation{pod: p, level: q.config.Level, at: pathOf(q, p.project)}
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
	for _, n := range r.at {
		if n != nil {
			n.holds = hold(n.holds, r)
		}
	}
	l.mark(r)
	return true
}

// Unreserve ends the reservation of a pod. It waits on where it waited.
func (l *Ledger) Unreserve(uid string) {
	if p := l.pods[uid]; p != nil && p.op.queue.reserved != nil && p.op.queue.reserved.pod == p {
		l.endReservation(p.op.queue)
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
	for _, n := range r.at {
		if n != nil {
			n.holds = slices.DeleteFunc(n.holds, func(o *reservation) bool { return o == r })
		}
	}
	l.relax(r)
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
	return head.pods.first.item.uid, true
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
	for _, n := range r.at {
		if n == nil {
			continue
		}
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
	case s == nil || s.park == nil || !slices.Contains(r.marks, mark{n, d}):
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
	if len(n.holds) == 0 || s.backfill || d == closing {
		return 0
	}
	sum, own := int64(0), s.reservation()
	for _, r := range n.holds {
		if r == own || r.level < s.queue.config.Level {
			break
		}
		sum = plus(sum, r.need(n, d))
	}
	return sum
}

// plus adds amounts; the sum ends at the largest amount.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// relax has all that waits where a reservation may have held room looked at again.
func (l *Ledger) relax(r *reservation) {
	for _, m := range r.marks {
		if int(m.dim) >= len(m.node.gates) || m.node.gates[m.dim] == nil {
			continue
		}
		var shapes []*shape
		for p := range m.node.gates[m.dim].parks.all {
			shapes = slices.AppendSeq(shapes, p.shapes.all)
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
		l.relax(r)
	}
}
