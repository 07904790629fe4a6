package ledger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fixture is a ledger with an agent "default" without limits.
type fixture struct {
	*Ledger
	t       *testing.T
	created int64
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{Ledger: New(), t: t}
	f.SetAgent("default", Limits{Seats: Unlimited})
	return f
}

// limited builds Limits from seats and pairs of resource and bound.
func limited(seats int64, pairs ...any) Limits {
	limits := Limits{Seats: seats, Resources: map[string]int64{}}
	for i := 0; i < len(pairs); i += 2 {
		limits.Resources[pairs[i].(string)] = int64(pairs[i+1].(int))
	}
	return limits
}

func (f *fixture) queue(name string, level, seats int64, change ...func(*QueueConfig)) {
	c := QueueConfig{Agent: "default", Level: level, Limits: limited(seats)}
	for _, edit := range change {
		edit(&c)
	}
	f.SetQueue(name, c)
}

func strict(c *QueueConfig) { c.Strategy = StrictFIFO }
func paused(c *QueueConfig) { c.Paused = true }
func closed(why string) func(*QueueConfig) {
	return func(c *QueueConfig) { c.Limits.Closed = why }
}

func quota(pairs ...any) func(*QueueConfig) {
	return func(c *QueueConfig) { c.Limits.Resources = limited(0, pairs...).Resources }
}

// pod is the next pod of a queue; each is created after the one before.
func (f *fixture) pod(uid, queue string, change ...func(*Pod)) Pod {
	f.created++
	p := Pod{UID: uid, Operation: "operation of " + uid, Queue: queue, Created: f.created}
	for _, edit := range change {
		edit(&p)
	}
	return p
}

func of(operation string) func(*Pod) { return func(p *Pod) { p.Operation = operation } }
func in(project string) func(*Pod)   { return func(p *Pod) { p.Project = project } }
func step(workflow string) func(*Pod) {
	return func(p *Pod) { p.Workflow = workflow }
}
func priority(v int64) func(*Pod) { return func(p *Pod) { p.Priority = v } }
func asks(pairs ...any) func(*Pod) {
	return func(p *Pod) { p.Requests = limited(0, pairs...).Resources }
}
func (f *fixture) enter(uid, queue string, change ...func(*Pod)) {
	f.Enter(f.pod(uid, queue, change...))
}

// admit admits everything it can and names it in order.
func (f *fixture) admit() string {
	f.t.Helper()
	var uids []string
	for _, a := range f.Admit(0) {
		uids = append(uids, a.UID)
	}
	require.NoError(f.t, f.CheckInvariants())
	return strings.Join(uids, " ")
}

func TestDivisionAmongLevels(t *testing.T) {
	const all = 50
	for _, test := range []struct {
		name   string
		agent  int64
		demand map[string]int
		want   map[string]int64
	}{
		{"all want all", 10, map[string]int{"A": all, "B": all, "C": all, "D": all}, map[string]int64{"A": 4, "B": 4, "C": 2, "D": 0}},
		{"A wants 1", 10, map[string]int{"A": 1, "B": all, "C": all, "D": all}, map[string]int64{"A": 1, "B": 6, "C": 3, "D": 0}},
		{"A wants 1, B wants 2", 10, map[string]int{"A": 1, "B": 2, "C": all, "D": all}, map[string]int64{"A": 1, "B": 2, "C": 3, "D": 4}},
		{"no agent cap", Unlimited, map[string]int{"A": all, "B": all, "C": all, "D": all}, map[string]int64{"A": 4, "B": 6, "C": 3, "D": all}},
		{"only D wants", 10, map[string]int{"D": all}, map[string]int64{"A": 0, "B": 0, "C": 0, "D": 10}},
		{"agent of 0", 0, map[string]int{"A": all, "D": all}, map[string]int64{"A": 0, "B": 0, "C": 0, "D": 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.SetAgent("default", limited(test.agent))
			f.queue("A", HighestLevel, 4)
			f.queue("B", 5, 6)
			f.queue("C", 5, 3)
			f.queue("D", 1, Unlimited)
			for queue, n := range test.demand {
				for i := range n {
					f.enter(fmt.Sprintf("%s%d", queue, i), queue)
				}
			}
			levels := func(what func(LevelStats) int64) (seats []int64) {
				stats, _ := f.AgentStats("default")
				for _, l := range stats.Levels {
					seats = append(seats, what(l))
				}
				return seats
			}
			want := []int64{test.want["A"], test.want["B"] + test.want["C"], test.want["D"]}
			share := func(l LevelStats) int64 { return l.Seats }
			assert.Equal(t, want, levels(share), "what the levels are told before anything is admitted")
			f.admit()
			for queue, want := range test.want {
				held, _, _ := f.NodeUsage(Queue, queue)
				assert.Equal(t, want, held, "seats of %s", queue)
			}
			assert.Equal(t, want, levels(share), "what the levels are told afterwards")
			assert.Equal(t, want, levels(func(l LevelStats) int64 { return l.Used }))
		})
	}
}

// Each rule is a short story: set things up, say what is admitted, in which order.
func TestRules(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(f *fixture)
		want string
	}{
		{"larger priority first, then older, then smaller UID", func(f *fixture) {
			f.queue("q", 1, Unlimited)
			f.Enter(Pod{UID: "c", Queue: "q", Created: 2})
			f.Enter(Pod{UID: "b", Queue: "q", Created: 1})
			f.Enter(Pod{UID: "a", Queue: "q", Created: 2})
			f.Enter(Pod{UID: "d", Queue: "q", Created: 3, Priority: 1})
		}, "d b a c"},
		{"pods of an operation that has a seat go first and need none", func(f *fixture) {
			f.queue("q", 1, 1)
			f.enter("other", "q", priority(9))
			f.Charge(f.pod("first", "q", of("job")))
			f.enter("second", "q", of("job"))
			f.enter("third", "q", of("job"))
		}, "second third"},
		{"a closed node admits nothing, seated or not, and all else goes on", func(f *fixture) {
			f.SetProject("poor", "", Limits{Seats: Unlimited, Closed: "budget used up"})
			f.queue("q", 1, Unlimited)
			f.Charge(f.pod("first", "q", of("job"), in("poor")))
			f.enter("second", "q", of("job"), in("poor"))
			f.enter("third", "q", in("poor"))
			f.enter("other", "q")
		}, "other"},
		{"a StrictFIFO queue waits for a head that a closed node refuses", func(f *fixture) {
			f.SetProject("poor", "", Limits{Seats: Unlimited, Closed: "budget used up"})
			f.queue("q", 1, Unlimited, strict)
			f.enter("head", "q", in("poor"))
			f.enter("other", "q")
		}, ""},
		{"a node that opens again admits what waited", func(f *fixture) {
			f.queue("q", 1, Unlimited, closed("budget used up"))
			f.enter("a", "q")
			assert.Empty(f.t, f.admit())
			f.queue("q", 1, Unlimited)
		}, "a"},
		{"an operation takes a seat in each queue that it is in", func(f *fixture) {
			f.queue("q", 1, 1)
			f.queue("r", 1, 0)
			f.enter("a", "q", of("job"))
			f.enter("b", "r", of("job"))
		}, "a"},
		{"the seat is free when the last pod of the operation is gone", func(f *fixture) {
			f.queue("q", 1, 1)
			f.Charge(f.pod("first", "q", of("job")))
			f.Charge(f.pod("second", "q", of("job")))
			f.enter("other", "q")
			f.Remove("first")
			f.Admit(0)
			assert.Equal(f.t, Waiting, f.State("other"))
			f.Remove("second")
		}, "other"},
		{"BestEffortFIFO passes over what does not fit", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("cpu", 4))
			f.Charge(f.pod("runs", "q", asks("cpu", 2)))
			f.enter("large", "q", asks("cpu", 3))
			f.enter("small", "q", asks("cpu", 2))
		}, "small"},
		{"the first in order that has room, however many wait", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("cpu", 100))
			f.Charge(f.pod("runs", "q", asks("cpu", 50)))
			f.Charge(f.pod("ends", "q", asks("cpu", 50)))
			for i := range 50 {
				f.enter(fmt.Sprintf("p%d", i), "q", asks("cpu", 99-i))
			}
			f.Admit(0)
			f.Remove("ends")
		}, "p49"},
		{"the same, with several that have room", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("cpu", 100))
			f.Charge(f.pod("ends", "q", asks("cpu", 50)))
			f.Charge(f.pod("runs", "q", asks("cpu", 50)))
			for i := range 50 {
				f.enter(fmt.Sprintf("p%d", i), "q", asks("cpu", 70-i))
			}
			f.Admit(0)
			f.Remove("ends")
		}, "p20"},
		{"a queue's turn changes at every gate where it waits", func(f *fixture) {
			f.SetProject("p", "", limited(-1, "cpu", 2))
			f.queue("q", 1, Unlimited)
			f.queue("r", 1, Unlimited)
			f.Charge(f.pod("ends", "r", in("p"), asks("cpu", 2)))
			f.enter("q1", "q", in("p"), asks("cpu", 1))
			f.enter("r1", "r", in("p"), asks("cpu", 1))
			f.Admit(0)
			f.Remove("ends")
			f.enter("x", "q", priority(1))
		}, "x r1 q1"},
		{"StrictFIFO waits for the head", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("cpu", 4), strict)
			f.Charge(f.pod("runs", "q", asks("cpu", 2)))
			f.enter("large", "q", asks("cpu", 3))
			f.enter("small", "q", asks("cpu", 2))
		}, ""},
		{"StrictFIFO does not wait for what can never fit", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("cpu", 4), strict)
			f.enter("never", "q", asks("cpu", 5))
			f.enter("small", "q", asks("cpu", 2))
		}, "small"},
		{"StrictFIFO does not wait for what is suspended", func(f *fixture) {
			f.queue("q", 1, Unlimited, strict)
			f.enter("first", "q")
			f.enter("second", "q")
			f.Suspend("first", "no node fits")
		}, "second"},
		{"StrictFIFO goes on when the strategy is BestEffortFIFO again", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("cpu", 4), strict)
			f.Charge(f.pod("runs", "q", asks("cpu", 2)))
			f.enter("large", "q", asks("cpu", 3))
			f.enter("small", "q", asks("cpu", 2))
			f.Admit(0)
			f.queue("q", 1, Unlimited, quota("cpu", 4))
		}, "small"},
		{"what never fitted waits again when the limit is raised", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("cpu", 4))
			f.enter("large", "q", asks("cpu", 5))
			f.Admit(0)
			f.queue("q", 1, Unlimited, quota("cpu", 5))
		}, "large"},
		{"a limit of 0 admits nothing", func(f *fixture) {
			f.queue("q", 1, 0)
			f.enter("a", "q")
		}, ""},
		{"a quota of 0 concerns who asks for it", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("gpu", 0))
			f.enter("a", "q", asks("gpu", 1))
			f.enter("b", "q", asks("cpu", 1))
		}, "b"},
		{"a node that is over its limit lets pass who does not use that", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("gpu", 1))
			f.Charge(f.pod("runs", "q", asks("gpu", 3)))
			f.enter("a", "q", asks("gpu", 1))
			f.enter("b", "q", asks("cpu", 1))
		}, "b"},
		{"a paused queue admits none", func(f *fixture) {
			f.queue("q", 1, Unlimited, paused)
			f.enter("a", "q")
		}, ""},
		{"a queue that goes on admits", func(f *fixture) {
			f.queue("q", 1, Unlimited, paused)
			f.enter("a", "q")
			f.Admit(0)
			f.queue("q", 1, Unlimited)
		}, "a"},
		{"pods wait for a queue that does not exist yet", func(f *fixture) {
			f.enter("a", "q")
			f.Admit(0)
			f.queue("q", 1, Unlimited)
		}, "a"},
		{"a queue waits for its agent", func(f *fixture) {
			f.DeleteAgent("default")
			f.queue("q", 1, Unlimited)
			f.enter("a", "q")
			f.Admit(0)
			assert.Equal(f.t, Waiting, f.State("a"))
			f.SetAgent("default", limited(1))
		}, "a"},
		{"pods of a deleted queue wait and run on", func(f *fixture) {
			f.queue("q", 1, 1)
			f.enter("runs", "q")
			f.enter("waits", "q")
			f.Admit(0)
			f.DeleteQueue("q")
			f.Admit(0)
			held, _, _ := f.NodeUsage(Agent, "default")
			assert.EqualValues(f.t, 1, held, "its seat of the agent")
			f.queue("q", 1, 2)
		}, "waits"},
		{"a project's limit spans queues", func(f *fixture) {
			f.SetProject("p", "", limited(1))
			f.queue("q", 2, Unlimited)
			f.queue("r", 1, Unlimited)
			f.enter("r1", "r", in("p"))
			f.enter("q1", "q", in("p"))
			f.enter("r2", "r")
		}, "q1 r2"},
		{"an organization's limit spans projects", func(f *fixture) {
			f.SetProject("p", "o", limited(-1))
			f.SetProject("s", "o", limited(-1))
			f.SetOrganization("o", limited(-1, "cpu", 3))
			f.queue("q", 2, Unlimited)
			f.enter("a", "q", in("p"), asks("cpu", 2))
			f.enter("b", "q", in("s"), asks("cpu", 2))
			f.enter("c", "q", in("s"), asks("cpu", 1))
		}, "a c"},
		{"a project that changes its organization takes its charges along", func(f *fixture) {
			f.SetProject("p", "o", limited(-1))
			f.SetProject("s", "o", limited(-1))
			f.SetOrganization("o", limited(1))
			f.queue("q", 2, Unlimited)
			f.enter("a", "q", in("p"))
			f.enter("b", "q", in("s"))
			f.Admit(0)
			f.SetProject("p", "elsewhere", limited(-1))
		}, "b"},
		{"a queue that changes its agent takes its charges along", func(f *fixture) {
			f.SetAgent("default", limited(1))
			f.SetAgent("other", limited(1))
			f.queue("q", 2, Unlimited)
			f.queue("r", 1, Unlimited)
			f.enter("a", "q")
			f.enter("b", "q")
			f.enter("c", "r")
			f.Admit(0)
			f.queue("q", 2, Unlimited, func(c *QueueConfig) { c.Agent = "other" })
		}, "c"},
		{"a project that is not set is no limit", func(f *fixture) {
			f.SetProject("p", "", limited(0))
			f.DeleteProject("p")
			f.queue("q", 2, Unlimited)
			f.enter("a", "q", in("p"))
		}, "a"},
		{"levels may change while pods wait", func(f *fixture) {
			f.SetAgent("default", limited(0))
			f.queue("q", 2, Unlimited)
			f.queue("r", 1, Unlimited)
			f.enter("q1", "q")
			f.enter("r1", "r")
			f.Admit(0)
			f.queue("r", 3, Unlimited)
			f.SetAgent("default", limited(-1))
		}, "r1 q1"},
		{"levels compare over agents that share a project", func(f *fixture) {
			f.SetAgent("other", limited(-1))
			f.SetProject("p", "", limited(1))
			f.queue("q", 1, Unlimited)
			f.queue("r", 2, Unlimited, func(c *QueueConfig) { c.Agent = "other" })
			f.enter("q1", "q", in("p"))
			f.enter("r1", "r", in("p"))
		}, "r1"},
		{"queues without a concurrency share as the largest of their level", func(f *fixture) {
			f.SetAgent("default", limited(6))
			f.queue("a", 1, 2)
			f.queue("b", 1, Unlimited)
			f.queue("c", 1, 1)
			for i := range 4 {
				f.enter(fmt.Sprintf("a%d", i), "a")
				f.enter(fmt.Sprintf("b%d", i), "b")
				f.enter(fmt.Sprintf("c%d", i), "c")
			}
		}, "a0 b0 c0 a1 b1 b2"},
		{"a pod that moves leaves nothing behind", func(f *fixture) {
			f.queue("q", 1, 0)
			f.queue("r", 1, 1)
			p := f.pod("a", "q")
			f.Enter(p)
			p.Queue = "r"
			f.Enter(p)
			f.DeleteQueue("q")
			_, known := f.QueueStats("q")
			assert.False(f.t, known)
		}, "a"},
		{"a returned pod waits where it waited", func(f *fixture) {
			f.queue("q", 1, 1)
			f.enter("a", "q")
			f.enter("b", "q")
			f.Admit(0)
			f.Return("a")
		}, "a"},
		{"a suspended pod waits again when it is resumed", func(f *fixture) {
			f.queue("q", 1, 1)
			f.enter("a", "q")
			f.Admit(0)
			f.Suspend("a", "no node fits")
			f.Admit(0)
			assert.Equal(f.t, Suspended, f.State("a"))
			f.Resume("a")
		}, "a"},
		{"seeing a suspended pod again does not end its suspension", func(f *fixture) {
			f.queue("q", 1, 1)
			p := f.pod("a", "q")
			f.Enter(p)
			f.Suspend("a", "no node fits")
			f.Enter(p)
		}, ""},
		{"a suspended pod that asks for less is no longer suspended", func(f *fixture) {
			f.queue("q", 1, 1)
			p := f.pod("a", "q", asks("cpu", 2))
			f.Enter(p)
			f.Suspend("a", "no node fits")
			p.Requests = map[string]int64{"cpu": 1}
			f.Enter(p)
		}, "a"},
		{"what runs is neither returned nor suspended", func(f *fixture) {
			f.queue("q", 1, 1)
			f.Charge(f.pod("a", "q"))
			f.Return("a")
			f.Suspend("a", "no node fits")
			assert.Equal(f.t, Running, f.State("a"))
			f.enter("b", "q")
		}, ""},
		{"unknown pods are no trouble", func(f *fixture) {
			f.Return("nobody")
			f.Suspend("nobody", "")
			f.Resume("nobody")
			f.Remove("nobody")
			assert.Equal(f.t, Unknown, f.State("nobody"))
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			test.play(f)
			assert.Equal(t, test.want, f.admit())
		})
	}
}

func TestAdmitBounded(t *testing.T) {
	f := newFixture(t)
	f.queue("q", 7, Unlimited)
	for i := range 5 {
		f.enter(fmt.Sprintf("p%d", i), "q", priority(3))
	}
	got := f.Admit(2)
	assert.Equal(t, []Admission{{"p0", 7, 3, 1}, {"p1", 7, 3, 2}}, got)
	assert.Len(t, f.Admit(-1), 3)
	assert.Empty(t, f.Admit(1))
}
