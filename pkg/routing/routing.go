// Package routing says which agent an operation goes to, where several serve its queue.
package routing

import (
	"fmt"
	"strings"
)

// Agent is one of those that serve a queue.
type Agent struct {
	Name string
	// Closed says why it gets no operations now ("is draining"); empty: it does.
	Closed string
	// Seats is how many operations may run there at a time, Unlimited or a number.
	Seats int64
	// Taken is how many of them are taken: by what runs there and by what was sent there and waits.
	Taken int64
	// Misfit says why no node there fits this operation, as far as is known; empty: one may.
	Misfit string
}

// Unlimited seats.
const Unlimited = -1

func (a Agent) free() bool { return a.Seats == Unlimited || a.Taken < a.Seats }

// Choice is where an operation goes.
type Choice struct {
	Agent string
	// Reason says why not to those before it in order; empty if there are none.
	Reason string
}

// Choose chooses for an operation that is with current (empty: with none yet) and has not begun. Taken counts it with
// none of them. It goes to the first agent, in order, that is open, has a free seat and may have a node for it. Where there is
// none it stays where it is, or waits with the first that is open; no choice if all are closed.
//
// An operation is not called back from an agent that has room for it, though one before has room again: what was sent is
// about to begin.
func Choose(agents []Agent, current string) (Choice, bool) {
	var passed []string
	for _, a := range agents {
		if a.Name == current && a.Closed == "" && a.free() && a.Misfit == "" {
			return Choice{Agent: current}, true
		}
	}
	for _, a := range agents {
		switch {
		case a.Closed != "":
			passed = append(passed, fmt.Sprintf("agent %s %s", a.Name, a.Closed))
		case !a.free():
			passed = append(passed, fmt.Sprintf("agent %s: %d of %d seats are taken", a.Name, a.Taken, a.Seats))
		case a.Misfit != "":
			passed = append(passed, fmt.Sprintf("agent %s: %s", a.Name, a.Misfit))
		default:
			return Choice{Agent: a.Name, Reason: strings.Join(passed, "; ")}, true
		}
	}
	first := ""
	for _, a := range agents {
		if a.Closed != "" {
			continue
		}
		if a.Name == current {
			first = current
			break
		}
		if first == "" {
			first = a.Name
		}
	}
	return Choice{Agent: first, Reason: strings.Join(passed, "; ")}, first != ""
}
