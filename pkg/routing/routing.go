// Package routing says which of several agents an operation of a queue goes to. It is pure.
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
	// Taken is how many of them are taken: by what runs there and by what was sent there and is to run.
	Taken int64
	// Waiting is how many operations of the queue were sent there and have no node yet, Stuck those of them that no node fits.
	Waiting, Stuck int
}

// Unlimited seats.
const Unlimited = -1

const (
	// ahead is how many operations of a queue wait at an agent that has no free seat: enough that none stays empty while
	// the next is on its way.
	ahead = 2
	// burst is how many are on their way at a time to an agent whose seats nobody has limited: its nodes say when it is full.
	burst = 16
)

// free is how many more may be sent there to run at once.
func (a *Agent) free() int64 {
	switch {
	case a.Closed != "" || a.Stuck > 0:
		return 0
	case a.Seats == Unlimited:
		return max(int64(burst-a.Waiting), 0)
	}
	return max(a.Seats-a.Taken, 0)
}

// HasSeat says whether one more may be sent there to run at once.
func (a *Agent) HasSeat() bool { return a.free() > 0 }

// room says how much there is, for people.
func (a *Agent) room() string {
	switch {
	case a.Stuck > 0:
		return "no node there fits what waits"
	case a.Seats == Unlimited && a.free() == 0:
		return fmt.Sprintf("%d wait there for a node", a.Waiting)
	case a.Seats == Unlimited:
		return "it has room"
	case a.free() == 0:
		return fmt.Sprintf("none of %d seats free", a.Seats)
	}
	return fmt.Sprintf("%d of %d seats free", a.free(), a.Seats)
}

// Choice is where an operation goes.
type Choice struct {
	Agent string
	// Reason says what speaks for it, and what against those that were passed over.
	Reason string
}

// Choose chooses for an operation that is counted with no agent. It goes to the first that has a free seat, in order, or to that with
// the most. Where none is free, a few wait at each agent, the first ones first; false: at each of them wait enough.
// Misfit is an agent whose nodes the operation has been found not to fit; empty: none. It gets it if all others are closed.
func Choose(agents []Agent, mostFree bool, misfit string) (Choice, bool) {
	open := 0
	for i := range agents {
		if agents[i].Closed == "" && agents[i].Name != misfit {
			open++
		}
	}
	tried := func(a *Agent) bool { return a.Name == misfit && open > 0 }
	best := -1
	for i := range agents {
		a := &agents[i]
		if tried(a) || a.free() == 0 || best >= 0 && !(mostFree && more(a, &agents[best])) {
			continue
		}
		best = i
	}
	if best >= 0 {
		reason := []string{fmt.Sprintf("agent %s: %s", agents[best].Name, agents[best].room())}
		for i := range agents {
			if a := &agents[i]; i != best && (i < best || mostFree) {
				reason = append(reason, passed(a, tried(a)))
			}
		}
		return Choice{agents[best].Name, strings.Join(reason, "; ")}, true
	}
	for i := range agents {
		a := &agents[i]
		if a.Closed != "" || tried(a) || a.Waiting >= ahead || best >= 0 && !(mostFree && a.Waiting < agents[best].Waiting) {
			continue
		}
		best = i
	}
	if best < 0 {
		return Choice{}, false
	}
	reason := []string{fmt.Sprintf("agent %s: it is next there, and no agent has a free seat", agents[best].Name)}
	for i := range agents {
		if a := &agents[i]; i != best && a.Closed != "" {
			reason = append(reason, passed(a, false))
		}
	}
	return Choice{agents[best].Name, strings.Join(reason, "; ")}, true
}

// more says whether one agent has more free seats than another, or is to be asked first.
func more(a, than *Agent) bool {
	if (a.Seats == Unlimited) != (than.Seats == Unlimited) {
		return a.Seats == Unlimited
	}
	return a.free() > than.free()
}

// passed says why, or with how much room, an agent was passed over.
func passed(a *Agent, tried bool) string {
	if tried && a.Closed == "" {
		return fmt.Sprintf("agent %s: no node there fits it", a.Name)
	}
	return a.Says()
}

// Says is how much room it has, or why it gets nothing.
func (a *Agent) Says() string {
	if a.Closed != "" {
		return fmt.Sprintf("agent %s %s", a.Name, a.Closed)
	}
	return fmt.Sprintf("agent %s: %s", a.Name, a.room())
}
