package ledger

import (
	"iter"
	"maps"
	"math"
	"slices"
)

// limitNode is one place where room is limited: a queue, an agent, a project, an organization or a
// workflow.
type limitNode struct {
	kind   Kind
	name   string
	above  *limitNode // what it holds is held of: a queue's agent, a project's organization, a workflow's parent
	exists bool       // false: named by others, not set
	limits Limits     // as set
	bounds []int64    // the same by dimension; missing or negative: unlimited
	used   []total    // by dimension
	kept   int64      // of an agent: seats that only the queues they are guaranteed to may take
	holds  []*reservation
	gates  []*gate // by dimension; nil where nothing was ever refused
	shut   *gate   // of closing; nil likewise
}

func (n *limitNode) bound(d dim) int64 {
	if int(d) < len(n.bounds) {
		return n.bounds[d]
	}
	return Unlimited
}

func (n *limitNode) taken(d dim) int64 {
	if int(d) < len(n.used) {
		return n.used[d].value()
	}
	return 0
}

// free is how much more may be charged; negative where more is charged than the bound allows. Of an
// agent's seats it is what no queue is guaranteed.
func (n *limitNode) free(d dim) int64 {
	if d == closing {
		if n.limits.Closed != "" {
			return 0
		}
		return math.MaxInt64
	}
	bound := n.bound(d)
	if bound < 0 {
		return math.MaxInt64
	}
	if d == seats {
		return bound - n.taken(d) - n.kept
	}
	return bound - n.taken(d)
}

// over says whether more is charged than the bound allows.
func (n *limitNode) over(d dim) bool {
	bound := n.bound(d)
	return bound >= 0 && n.taken(d) > bound
}

// owner is whom a pod or a seat is charged to besides its queue; nil where there is none.
type owner struct {
	project  *project
	workflow *workflow
}

// path is where something is charged: a queue, a project and a workflow, and what is above each of
// them. nil where there is none.
type path [3]*limitNode

func pathOf(q *queue, o owner) path {
	at := path{&q.limitNode}
	if o.project != nil {
		at[1] = &o.project.limitNode
	}
	if o.workflow != nil {
		at[2] = &o.workflow.limitNode
	}
	return at
}

// nodes yields the nodes of a path, by kind, workflows from the innermost one.
func (at path) nodes(yield func(*limitNode) bool) {
	for _, n := range at {
		for ; n != nil; n = n.above {
			if !yield(n) {
				return
			}
		}
	}
}

func (at path) has(node *limitNode) bool {
	for n := range at.nodes {
		if n == node {
			return true
		}
	}
	return false
}

func (p *pod) path() path { return pathOf(p.op.queue, p.owner) }

func (s *shape) path() path { return pathOf(s.queue, s.owner) }

// seatPath is where the seat of an operation is charged.
func (o *operation) seatPath() path { return pathOf(o.queue, o.seatOwner) }

// agent serves queues.
type agent struct {
	limitNode
	queues     map[*queue]struct{} // also deleted ones that still have pods
	guaranteed map[*queue]struct{} // those that are guaranteed seats
	levels     map[int64]*level
	changed    bool // since Changed was last called
}

// level is the queues of an agent that share a priority.
type level struct {
	queues  map[*queue]struct{}
	largest int64 // the largest finite concurrency, at least 1
	pending int   // operations that wait
}

// project owns pods, over all queues.
type project struct {
	limitNode
	changed      bool          // since ChangedTenants was last called
	organization *organization // also of a deleted project, while it has pods
	shapes       map[*shape]struct{}
	refs         int // pods and seats
}

// workflow bounds the operations below it, at any depth.
type workflow struct {
	limitNode
	parent   *workflow // also of a deleted workflow, while it has pods or children
	children map[*workflow]struct{}
	shapes   map[*shape]struct{} // of its own pods, not of its children's
	refs     int                 // its own pods and seats
}

// organization groups projects.
type organization struct {
	limitNode
	changed  bool // since ChangedTenants was last called
	projects map[*project]struct{}
}

// charge adds to what is used of a node. A negative amount frees.
func (l *Ledger) charge(n *limitNode, d dim, amount int64) {
	if amount >= 0 {
		l.setUsed(n, d, n.usage(d).plus(total{lo: uint64(amount)}))
	} else {
		l.setUsed(n, d, n.usage(d).minus(total{lo: uint64(-amount)}))
	}
}

func (n *limitNode) usage(d dim) total {
	if int(d) < len(n.used) {
		return n.used[d]
	}
	return total{}
}

func (l *Ledger) setUsed(n *limitNode, d dim, t total) {
	for int(d) >= len(n.used) {
		n.used = append(n.used, total{})
	}
	n.used[d] = t
	if int(d) < len(n.gates) && n.gates[d] != nil {
		l.roomChanged(n.gates[d])
	}
}

// unlimited is what a node has that is not set.
func unlimited(kind Kind, name string) limitNode {
	return limitNode{kind: kind, name: name, limits: noLimits}
}

var noLimits = Limits{Seats: Unlimited}

// move hangs a node below another one, or below none: what it holds is held of those above it.
func (l *Ledger) move(n, to *limitNode) {
	for d, t := range n.used {
		for from := n.above; from != nil; from = from.above {
			l.setUsed(from, dim(d), from.usage(dim(d)).minus(t))
		}
		for above := to; above != nil; above = above.above {
			l.setUsed(above, dim(d), above.usage(dim(d)).plus(t))
		}
	}
	n.above = to
}

// rehang is move for a node that pods may be charged to at any time, with the shapes on whose path it
// is. Nothing stays held for pods of those shapes, and none stays at the gate of a node that it leaves.
func (l *Ledger) rehang(n, to *limitNode, shapes iter.Seq[*shape]) {
	for _, r := range slices.Clone(l.reservations) {
		if r.at.has(n) {
			l.endReservation(r.pod.op.queue)
		}
	}
	moved := slices.Collect(shapes)
	for _, s := range moved {
		l.hide(s)
	}
	l.move(n, to)
	for _, s := range moved {
		s.never = s.neverFits()
		l.show(s)
		l.exposeHead(s.queue)
	}
}

// setLimits replaces the bounds of a node, and says whether they are others.
func (l *Ledger) setLimits(n *limitNode, limits Limits) bool {
	if n.limits.equal(limits) {
		return false
	}
	old := n.bounds
	n.bounds = nil
	n.limits = Limits{limits.Seats, maps.Clone(limits.Resources), maps.Clone(limits.Whole), limits.Closed}
	if limits.Seats >= 0 {
		n.setBound(seats, limits.Seats)
	}
	for name, bound := range limits.Resources {
		if bound >= 0 {
			n.setBound(l.dims.retain(name), bound)
		}
	}
	for d := 1; d < len(old); d++ {
		if old[d] >= 0 {
			l.dims.release(dim(d))
		}
	}
	for _, g := range n.gates {
		if g != nil {
			l.roomChanged(g)
		}
	}
	if n.shut != nil {
		l.roomChanged(n.shut)
	}
	return true
}

func (limits Limits) equal(other Limits) bool {
	return limits.Seats == other.Seats && limits.Closed == other.Closed && maps.Equal(limits.Resources, other.Resources) &&
		maps.Equal(limits.Whole, other.Whole)
}

func (n *limitNode) setBound(d dim, bound int64) {
	for int(d) >= len(n.bounds) {
		n.bounds = append(n.bounds, Unlimited)
	}
	n.bounds[d] = bound
}

// gateOf is the gate where shapes wait for a dimension of a node.
func (l *Ledger) gateOf(n *limitNode, d dim) *gate {
	if d == closing {
		if n.shut == nil {
			n.shut = l.newGate(n, closing)
		}
		return n.shut
	}
	for int(d) >= len(n.gates) {
		n.gates = append(n.gates, nil)
	}
	if n.gates[d] == nil {
		n.gates[d] = l.newGate(n, d)
	}
	return n.gates[d]
}
