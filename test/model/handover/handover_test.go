package handover

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// running counts the copies that run, everywhere.
func (s state) running() (n int) {
	for _, r := range s.replicas {
		if r.uid != 0 && r.life == runs {
			n++
		}
	}
	return n
}

// uncounted says that a copy runs which the hub does not know of. What an agent runs that was not evicted is, whether it is heard of or not, an
// Assignment with its finalizer: so those bound what it may begin while nobody hears of it.
func (s state) uncounted() bool {
	for at, r := range s.replicas {
		o := s.objects[at]
		if r.uid != 0 && r.life == runs && !s.evicted[slot(at).agent()] && (o.uid != r.uid || !o.agentFinalizer) {
			return true
		}
	}
	return false
}

// settled says that it is over, and nothing of it is left anywhere that is up.
func (s state) settled() bool {
	if s.phase != done {
		return false
	}
	for at, o := range s.objects {
		if !s.down[slot(at).agent()] && (o.uid != 0 || s.replicas[at].uid != 0) {
			return false
		}
	}
	return true
}

// found is what an exploration came to.
type found struct {
	states, settled int
	// wrong is the way to a state that must not be, if there is one.
	wrong string
	// stuck is the way to a state from which it can't be settled, if there is one.
	stuck string
}

func explore(r rules, from state, bound int) found {
	index := map[state]int32{from: 0}
	all := []state{from}
	type link struct {
		by   int32
		name string
	}
	came := []link{{by: -1}}
	var back [][]int32
	back = append(back, nil)
	way := func(i int32) string {
		var names []string
		for ; came[i].by >= 0; i = came[i].by {
			names = append(names, came[i].name)
		}
		var b strings.Builder
		for n := len(names) - 1; n >= 0; n-- {
			fmt.Fprintf(&b, "%s\n", names[n])
		}
		return b.String()
	}
	for i := int32(0); int(i) < len(all); i++ {
		s := all[i]
		if undisturbed := from.crashes == 0 && from.restores == 0; undisturbed && s.ends > 1 {
			return found{states: len(all), wrong: way(i) + "comes to its end twice"}
		}
		if s.running() > 1 {
			return found{states: len(all), wrong: way(i) + "runs twice"}
		}
		if s.uncounted() {
			return found{states: len(all), wrong: way(i) + "runs, and the hub does not know of it"}
		}
		for _, next := range r.steps(s) {
			if s.phase == done && next.to.phase != done {
				return found{states: len(all), wrong: way(i) + next.name + "\nits result is recorded twice"}
			}
			to, known := index[next.to]
			if !known {
				to = int32(len(all))
				index[next.to] = to
				all, came, back = append(all, next.to), append(came, link{i, next.name}), append(back, nil)
				if len(all) > bound {
					return found{states: len(all), wrong: "more states than can be explored"}
				}
			}
			back[to] = append(back[to], i)
		}
	}
	// Everything from which a settled state can be reached.
	f := found{states: len(all)}
	good := make([]bool, len(all))
	var open []int32
	for i, s := range all {
		if s.settled() {
			good[i], open = true, append(open, int32(i))
			f.settled++
		}
	}
	for len(open) > 0 {
		i := open[len(open)-1]
		open = open[:len(open)-1]
		for _, from := range back[i] {
			if !good[from] {
				good[from], open = true, append(open, from)
			}
		}
	}
	for i := range all {
		if !good[i] {
			f.stuck = way(int32(i)) + fmt.Sprintf("%+v", all[i])
			break
		}
	}
	return f
}

var everything = flag.Bool("everything", false, "also explore all faults together: 7.6 million states, a minute and 6 GiB")

func TestNothingRunsTwiceAndNothingIsLost(t *testing.T) {
	starts := map[string]state{
		"moves":               {moves: 2},
		"moves and deaths":    {moves: 1, crashes: 1},
		"set back":            {moves: 1, restores: 1},
		"deaths":              {crashes: 2},
		"deaths and set back": {crashes: 1, restores: 1},
	}
	if *everything {
		starts["all"] = state{moves: 1, crashes: 1, restores: 1}
	}
	for name, from := range starts {
		t.Run(name, func(t *testing.T) {
			f := explore(protocol, from, 20_000_000)
			t.Logf("%d states, settled in %d", f.states, f.settled)
			assert.Empty(t, f.wrong)
			assert.Empty(t, f.stuck)
			require.Positive(t, f.settled)
		})
	}
}

// Each rule of the protocol is there for something.
func TestEveryRuleIsNeeded(t *testing.T) {
	for name, test := range map[string]struct {
		without func(*rules)
		from    state
	}{
		"looks before moving": {func(r *rules) { r.looksBeforeMoving = false }, state{moves: 1}},
		"lists live":          {func(r *rules) { r.listsLive = false }, state{moves: 1, crashes: 1}},
		"fences":              {func(r *rules) { r.fences = false }, state{moves: 1, crashes: 1}},
		"records first":       {func(r *rules) { r.recordsFirst = false }, state{}},
		"confirms":            {func(r *rules) { r.confirms = false }, state{moves: 1, restores: 1}},
		"claims":              {func(r *rules) { r.claims = false }, state{moves: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			weaker := protocol
			test.without(&weaker)
			f := explore(weaker, test.from, 20_000_000)
			t.Log(f.states, f.wrong, f.stuck)
			assert.NotEmpty(t, f.wrong+f.stuck)
		})
	}
}
