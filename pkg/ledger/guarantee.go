package ledger

import (
	"cmp"
	"math"
	"slices"
)

// A queue that is guaranteed seats of its agent has those that it does not hold kept for it, whether
// or not it wants them now: nothing is taken from what runs, so a seat that was lent would not be
// back in time. For them it goes before the queues of every level.

// guarantee divides the seats of an agent among the guarantees of its queues: from the highest level
// down, then by name. No queue is kept more than it may use itself, and an agent without a
// concurrency has nothing to keep.
func (l *Ledger) guarantee(a *agent) {
	if len(a.guaranteed) == 0 {
		return
	}
	queues := make([]*queue, 0, len(a.guaranteed))
	for q := range a.guaranteed {
		queues = append(queues, q)
	}
	slices.SortFunc(queues, func(a, b *queue) int {
		return cmp.Or(cmp.Compare(b.config.Level, a.config.Level), cmp.Compare(a.name, b.name))
	})
	left := max(a.bound(seats), 0)
	for _, q := range queues {
		q.guarantee = min(q.config.Guaranteed, left)
		if own := q.bound(seats); own >= 0 {
			q.guarantee = min(q.guarantee, own)
		}
		left -= q.guarantee
		l.keep(q)
	}
}

// keep keeps what a queue does not hold of its guarantee.
func (l *Ledger) keep(q *queue) {
	kept := max(0, q.guarantee-q.taken(seats))
	if kept == q.kept {
		return
	}
	a := q.agent
	a.kept += kept - q.kept
	if (kept > 0) != (q.kept > 0) {
		q.kept = kept
		l.rekey(q)
	}
	q.kept = kept
	if len(a.gates) == 0 || a.gates[seats] == nil {
		return
	}
	g := a.gates[seats]
	for _, reserved := range []bool{false, true} {
		if p := q.parks[parkKey{g, reserved}]; p != nil {
			g.parks.setNeed(&p.link, p.low())
		}
	}
	l.roomChanged(g)
}

// credit is how much more of the dimension of its gate there is for the queue of a park than for
// others: the seats kept for it.
func (p *park) credit() int64 {
	if a := p.queue.agent; a != nil && p.gate.node == &a.limitNode && p.gate.dim == seats {
		return p.queue.kept
	}
	return 0
}

// low is the least room of its gate with which one of its shapes could be admitted.
func (p *park) low() int64 { return p.shapes.low() - p.credit() }

// within is the first of its shapes that so much room of its gate is enough for.
func (p *park) within(free int64) *shape {
	credit := p.credit()
	if free > math.MaxInt64-credit {
		credit = 0
	}
	return p.shapes.within(free + credit).item
}

// freeSeats is how many seats of a node there are for a queue.
func (n *limitNode) freeSeats(q *queue) int64 {
	free := n.free(seats)
	if n.kind == Agent && n.bound(seats) >= 0 {
		free += q.kept
	}
	return free
}

// keptFor names the other queues for which an agent keeps seats, in order, and how many those are.
func (q *queue) keptFor() (names []string, kept int64) {
	for other := range q.agent.guaranteed {
		if other != q && other.kept > 0 {
			names = append(names, other.name)
			kept += other.kept
		}
	}
	slices.Sort(names)
	return names, kept
}
