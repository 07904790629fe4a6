package workflow

import (
	"fmt"
	"strings"
)

// Decision is what becomes of a node now.
type Decision struct {
	Node int
	// Status is Active (start it), Skipped, UpstreamFailed, or Failed (its condition makes no sense).
	Status Status
	// Reason says why it does not start.
	Reason string
}

// When evaluates the condition of a node. It is asked when the node's trigger is met, and not before:
// only then what the condition reads of the upstreams is there. It should answer the same when asked
// again. An error fails the node.
type When func(node int) (bool, error)

// Progress is a DAG under way: a cache of the statuses of its nodes that knows which decisions a change
// can bring about. It can be made anew from statuses at any time. It is not safe for concurrent use.
type Progress struct {
	graph  *Graph
	status []Status
	tally  []tally
	counts Counts

	// dirty are the nodes to look at, by their rank, so that a node is decided after all of its upstreams.
	dirty  heap
	queued []bool
}

// NewProgress takes up a DAG at the statuses of its nodes, which may be nil for one that has not begun.
func NewProgress(g *Graph, statuses []Status) *Progress {
	n := g.Len()
	p := &Progress{graph: g, status: make([]Status, n), tally: make([]tally, n), dirty: make(heap, 0, n), queued: make([]bool, n)}
	copy(p.status, statuses)
	p.counts = Count(p.status)
	for i := range n {
		p.tally[i].total = int32(len(g.up[i]))
		for _, u := range g.up[i] {
			p.tally[i].add(p.status[u], 1)
		}
	}
	for _, i := range g.order {
		p.touch(int(i))
	}
	return p
}

// Advance says what becomes of a DAG at these statuses, given in the order of the declaration. It costs
// O(nodes + dependencies). A nil When holds always.
func Advance(g *Graph, statuses []Status, when When) []Decision {
	return NewProgress(g, statuses).Advance(when)
}

// IfAllSucceed says what becomes of every node of a DAG in which all that starts succeeds, by their places.
func IfAllSucceed(g *Graph, when When) []Decision {
	out := make([]Decision, g.Len())
	p := NewProgress(g, nil)
	for {
		decisions := p.Advance(when)
		if len(decisions) == 0 {
			return out
		}
		for _, d := range decisions {
			out[d.Node] = d
			if d.Status == Active {
				p.Set(d.Node, Succeeded)
			}
		}
	}
}

// Set records the status of a node. It costs O(its dependents).
func (p *Progress) Set(node int, s Status) {
	was := p.status[node]
	if was == s {
		return
	}
	p.status[node] = s
	p.counts[was]--
	p.counts[s]++
	p.touch(node)
	for _, d := range p.graph.down[node] {
		p.tally[d].add(was, -1)
		p.tally[d].add(s, 1)
		p.touch(int(d))
	}
}

// touch makes the next Advance look at a node if it can still be decided.
func (p *Progress) touch(node int) {
	if p.status[node] == Pending && !p.queued[node] {
		p.queued[node] = true
		p.dirty.push(p.graph.rank[node])
	}
}

// Advance decides what the changes since it was last called allow to decide, and records it. The
// decisions come in topological order. A nil When holds always.
func (p *Progress) Advance(when When) []Decision {
	var out []Decision
	for len(p.dirty) > 0 {
		node := int(p.graph.order[p.dirty.pop()])
		p.queued[node] = false
		if p.status[node] != Pending {
			continue
		}
		if d, ok := p.decide(node, when); ok {
			p.Set(node, d.Status)
			out = append(out, d)
		}
	}
	return out
}

func (p *Progress) decide(node int, when When) (Decision, bool) {
	n := &p.graph.nodes[node]
	if n.SkipOnUpstreamSkip && p.tally[node].skipped > 0 {
		return Decision{node, Skipped, fmt.Sprintf("%s, and skipOnUpstreamSkip is set", p.upstreams(node, Skipped))}, true
	}
	switch decide(n.Trigger, p.tally[node]) {
	case undecided:
		return Decision{}, false
	case unmet:
		return Decision{node, UpstreamFailed, p.whyUnmet(node)}, true
	}
	if when != nil {
		switch holds, err := when(node); {
		case err != nil:
			return Decision{node, Failed, fmt.Sprintf("its condition cannot be evaluated: %v", err)}, true
		case !holds:
			return Decision{node, Skipped, "its condition is false"}, true
		}
	}
	return Decision{Node: node, Status: Active}, true
}

// Status is where a node stands.
func (p *Progress) Status(node int) Status { return p.status[node] }

// Counts are the nodes by status.
func (p *Progress) Counts() Counts { return p.counts }

// Waiting says what a pending node waits for: "waits for 2 of 3: \"a\" active, \"b\" pending".
func (p *Progress) Waiting(node int) string {
	up := p.tally[node]
	if p.status[node] != Pending || up.total == up.done() {
		return ""
	}
	return fmt.Sprintf("waits for %d of %d: %s", up.total-up.done(), up.total, p.upstreams(node, Pending, Active))
}

func (p *Progress) whyUnmet(node int) string {
	trigger := p.graph.nodes[node].Trigger
	var culprits []Status
	switch trigger {
	case AllFailed:
		culprits = []Status{Succeeded, Skipped, Stopped}
	case OneSucceeded, OneFailed:
		culprits = []Status{Succeeded, Skipped, Failed, UpstreamFailed, Stopped}
	default:
		trigger = AllSucceeded
		culprits = []Status{Failed, UpstreamFailed, Stopped}
	}
	return fmt.Sprintf("%s cannot be met: %s", trigger, p.upstreams(node, culprits...))
}

// maxListed is how many upstreams a sentence lists.
const maxListed = 4

// upstreams lists the upstreams that have one of the statuses.
func (p *Progress) upstreams(node int, of ...Status) string {
	var wanted [numStatuses]bool
	for _, s := range of {
		wanted[s] = true
	}
	var listed []string
	more := 0
	for _, u := range p.graph.up[node] {
		switch {
		case !wanted[p.status[u]]:
		case len(listed) == maxListed:
			more++
		default:
			listed = append(listed, fmt.Sprintf("%q %s", p.graph.nodes[u].Name, p.status[u]))
		}
	}
	text := strings.Join(listed, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
