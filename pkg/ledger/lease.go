package ledger

import (
	"errors"
	"fmt"
)

// Revalidate says whether the charge of an admitted pod still stands under the limits of now; the
// error is the sentence for people. A pod that runs stays whatever the limits say.
func (l *Ledger) Revalidate(uid string) error {
	p := l.podNamed(uid)
	if p == nil || !p.state.Holds() {
		return fmt.Errorf("pod %s holds no room: it must be admitted before it is placed", uid)
	}
	if p.state == Running {
		return nil
	}
	q := p.op.queue
	if _, sentence := q.unavailable(); sentence != "" {
		return errors.New(sentence)
	}
	for n := range p.path().nodes {
		if sentence := n.closed(); sentence != "" {
			return errors.New(sentence)
		}
		if p.op.running == 0 && n.over(seats) {
			return l.overError(n, seats)
		}
		for _, want := range p.vec.needs {
			if n.over(want.dim) {
				return l.overError(n, want.dim)
			}
		}
	}
	return nil
}

func (l *Ledger) overError(n *limitNode, d dim) error {
	used, bound := n.taken(d), n.bound(d)
	if d == seats {
		return fmt.Errorf("%s %s: %d operations hold a seat and its concurrency is now %d; the pod waits again", n.kind, n.displayName(), used, bound)
	}
	name := l.dims.names[d]
	if name == CostPerHour {
		return fmt.Errorf("%s %s: cost %s per hour is charged and its quota is now %s per hour; the pod waits again",
			n.kind, n.displayName(), FormatAmount(name, used), FormatAmount(name, bound))
	}
	return fmt.Errorf("%s %s: %s of %s is charged and its quota is now %s; the pod waits again",
		n.kind, n.displayName(), FormatAmount(name, used), name, FormatAmount(name, bound))
}

// Contended says whether others wait for room that this pod would give back with its charge. It
// speaks of what the last Admit left waiting.
func (l *Ledger) Contended(uid string) bool {
	p := l.podNamed(uid)
	if p == nil || !p.state.Holds() {
		return false
	}
	// A gang that forms gives its room back as a whole.
	whole := p.op.holders() == 1 || p.op.gang > 1 && p.op.running == 0
	for n := range p.op.seatPath().nodes {
		if whole && n.crowded(seats) {
			return true
		}
	}
	for n := range p.path().nodes {
		for _, want := range p.vec.needs {
			if n.crowded(want.dim) {
				return true
			}
		}
	}
	return false
}

// crowded says whether shapes stand at the gate of a dimension and none of them has room.
func (n *limitNode) crowded(d dim) bool {
	if int(d) >= len(n.gates) || n.gates[d] == nil {
		return false
	}
	g := n.gates[d]
	return g.parks.root != nil && g.parks.low() > g.free()
}
