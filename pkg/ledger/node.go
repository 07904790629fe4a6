package ledger

import (
	"maps"
	"math"
)

// limitNode is one place where room is limited: a queue, an agent, a project or an organization.
type limitNode struct {
	kind   Kind
	name   string
	exists bool    // false: named by others, not set
	limits Limits  // as set
	bounds []int64 // the same by dimension; missing or negative: unlimited
	used   []total // by dimension
	kept   int64   // of an agent: seats that only the queues they are guaranteed to may take
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

// path is the nodes a pod is charged on, by kind; nil where there is none.
type path [4]*limitNode

func pathOf(q *queue, p *project) path {
	at := path{Queue: &q.limitNode}
	if q.agent != nil {
		at[Agent] = &q.agent.limitNode
	}
	if p != nil {
		at[Project] = &p.limitNode
		if p.organization != nil {
			at[Organization] = &p.organization.limitNode
		}
	}
	return at
}

func pathSlice(q *queue, p *project) []*limitNode {
	at := pathOf(q, p)
	return at[:]
}

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
	organization *organization // also of a deleted project, while it has pods
	shapes       map[*shape]struct{}
	refs         int // pods and seats
}

// organization groups projects.
type organization struct {
	limitNode
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

// move takes all that is used of one node from another and gives it to a third, either of which may
// be nil: what a queue holds is held of its agent, what a project holds of its organization.
func (l *Ledger) move(what, from, to *limitNode) {
	for d, t := range what.used {
		if from != nil {
			l.setUsed(from, dim(d), from.usage(dim(d)).minus(t))
		}
		if to != nil {
			l.setUsed(to, dim(d), to.usage(dim(d)).plus(t))
		}
	}
}

// setLimits replaces the bounds of a node, and says whether they are others.
func (l *Ledger) setLimits(n *limitNode, limits Limits) bool {
	if n.limits.equal(limits) {
		return false
	}
	old := n.bounds
	n.bounds = nil
	n.limits = Limits{limits.Seats, maps.Clone(limits.Resources), limits.Closed}
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
	return limits.Seats == other.Seats && limits.Closed == other.Closed && maps.Equal(limits.Resources, other.Resources)
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
