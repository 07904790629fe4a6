package workflow

// Rerunning is a node that runs again.
type Rerunning struct {
	Node int
	// Whole: everything inside it runs again. Else it ended badly by itself: of a nested workflow, only what
	// ended badly in it runs again.
	Whole bool
	// Reason says why.
	Reason string
}

// Rerun says which nodes to set back to pending to repair a DAG that is over: those that failed or were
// stopped, and those that were decided by them. The nodes come in topological order; all others are kept.
//
// A node that succeeded is kept where what is kept of its upstreams still meets its trigger
// (one_succeeded), and runs again where it took the bad end for an answer (all_done, one_failed), for that
// answer is taken back. A skipped node is decided again if an upstream runs again. A node that is
// upstream_failed is kept only where what is kept decides the same: all_failed after upstreams that
// succeeded.
func Rerun(g *Graph, statuses []Status) []Rerunning {
	p := NewProgress(g, statuses)
	var out []Rerunning
	for _, at := range g.order {
		node := int(at)
		was := p.status[node]
		back := p.runsAgain(node)
		r := Rerunning{Node: node, Whole: back}
		switch was {
		case Pending, Active:
			continue
		case Failed, Stopped:
			r.Reason = was.String()
		case UpstreamFailed:
			if decide(g.nodes[node].Trigger, p.tally[node]) == unmet {
				continue
			}
			r.Whole, r.Reason = true, was.String()
		case Skipped:
			if p.tally[node].done() == p.tally[node].total {
				continue
			}
			r.Whole, r.Reason = true, "an upstream runs again"
		default:
			if !back {
				continue
			}
			r.Reason = "an upstream that decided it runs again"
		}
		p.Set(node, Pending)
		out = append(out, r)
	}
	return out
}

// runsAgain says whether upstreams that are not done leave a node's trigger open.
func (p *Progress) runsAgain(node int) bool {
	return decide(p.graph.nodes[node].Trigger, p.tally[node]) == undecided
}
