package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func preempts(c *QueueConfig) { c.Preemption = LowerPriority }
func unpreemptible(p *Pod)    { p.Unpreemptible = true }

func TestVictims(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(f *fixture) // of an agent of 3 seats; "x" waits in queue high, level 9
		want string
	}{
		{"the lowest level first, then the youngest", func(f *fixture) {
			f.Charge(f.pod("m", "mid"))
			f.Charge(f.pod("l0", "low"))
			f.Charge(f.pod("l1", "low"))
			f.enter("x", "high")
		}, "l1"},
		{"a whole operation", func(f *fixture) {
			f.Charge(f.pod("m0", "mid"))
			f.Charge(f.pod("m1", "mid"))
			f.Charge(f.pod("l0", "low", of("job")))
			f.Charge(f.pod("l1", "low", of("job")))
			f.enter("x", "high")
		}, "l0 l1"},
		{"not one that opted out", func(f *fixture) {
			f.Charge(f.pod("m", "mid"))
			f.Charge(f.pod("l0", "low", unpreemptible))
			f.Charge(f.pod("l1", "low", unpreemptible))
			f.enter("x", "high")
		}, "m"},
		{"not of the same level", func(f *fixture) {
			f.queue("same", 9, Unlimited)
			for _, uid := range []string{"a", "b", "c"} {
				f.Charge(f.pod(uid, "same"))
			}
			f.enter("x", "high")
		}, ""},
		{"none for a queue that does not preempt", func(f *fixture) {
			f.queue("high", 9, Unlimited)
			for _, uid := range []string{"a", "b", "c"} {
				f.Charge(f.pod(uid, "low"))
			}
			f.enter("x", "high")
		}, ""},
		{"none for its own queue's limit", func(f *fixture) {
			f.queue("high", 9, 1, preempts)
			f.Charge(f.pod("h", "high"))
			f.Charge(f.pod("a", "low"))
			f.Charge(f.pod("b", "low"))
			f.enter("x", "high")
		}, ""},
		{"none while there is room", func(f *fixture) {
			f.Charge(f.pod("a", "low"))
			f.enter("x", "high")
		}, ""},
		{"none while the budget of its project is used up", func(f *fixture) {
			f.SetProject("p", "", Limits{Seats: Unlimited, Closed: "budget used up"})
			for _, uid := range []string{"a", "b", "c"} {
				f.Charge(f.pod(uid, "low"))
			}
			f.enter("x", "high", in("p"))
		}, ""},
		{"no queue falls below its guarantee", func(f *fixture) {
			f.queue("low", 1, Unlimited, guaranteed(1))
			f.Charge(f.pod("m0", "mid"))
			f.Charge(f.pod("m1", "mid"))
			f.Charge(f.pod("l", "low"))
			f.enter("x", "high")
		}, "m1"},
		{"amounts of a project, over agents", func(f *fixture) {
			f.SetAgent("second", limited(-1))
			f.SetQueue("far", QueueConfig{Agent: "second", Level: 1, Limits: limited(-1)})
			f.SetProject("p", "", limited(-1, "gpu", 8))
			f.Charge(f.pod("old", "far", in("p"), asks("gpu", 4)))
			f.Charge(f.pod("small", "far", in("p"), asks("gpu", 1)))
			f.Charge(f.pod("other", "far", asks("gpu", 4)))
			f.enter("x", "high", in("p"), asks("gpu", 7))
		}, "old"},
		{"not enough", func(f *fixture) {
			f.SetProject("p", "", limited(-1, "gpu", 8))
			f.Charge(f.pod("a", "high", in("p"), asks("gpu", 4)))
			f.Charge(f.pod("b", "low", in("p"), asks("gpu", 4)))
			f.enter("x", "high", in("p"), asks("gpu", 5))
		}, ""},
		{"seats and amounts of several limits", func(f *fixture) {
			f.SetProject("p", "", limited(-1, "gpu", 8))
			f.Charge(f.pod("gpus", "low", in("p"), asks("gpu", 8)))
			f.Charge(f.pod("b", "low"))
			f.Charge(f.pod("c", "low"))
			f.enter("x", "high", in("p"), asks("gpu", 8))
		}, "gpus"},
		{"a gang", func(f *fixture) {
			f.SetProject("p", "", limited(-1, "gpu", 4))
			f.Charge(f.pod("a", "low", in("p"), asks("gpu", 2)))
			f.Charge(f.pod("b", "low", in("p"), asks("gpu", 2)))
			f.gang("x", "high", 3, 4, in("p"), asks("gpu", 1))
			f.enter("x", "high", of("x"), gangOf(4), in("p"), asks("gpu", 1))
		}, "b a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.SetAgent("default", limited(3))
			f.queue("high", 9, Unlimited, preempts)
			f.queue("mid", 5, Unlimited)
			f.queue("low", 1, Unlimited)
			test.play(f)
			victims := f.Victims("x")
			assert.Equal(t, test.want, strings.Join(victims, " "))
			if len(victims) > 0 {
				for _, uid := range victims {
					f.Remove(uid)
				}
				f.admit()
				assert.Equal(t, Admitted, f.State("x"))
			}
			assert.Nil(t, f.Victims("nobody"))
		})
	}
}

// without is the model after these operations are gone.
func (m *model) without(ops map[modelOperation]bool) *model {
	left := *m
	left.pods, left.seats = maps.Clone(m.pods), maps.Clone(m.seats)
	maps.DeleteFunc(left.pods, func(_ string, p *modelPod) bool { return ops[p.op()] })
	maps.DeleteFunc(left.seats, func(op modelOperation, _ modelOwner) bool { return ops[op] })
	return &left
}

// victims checks that what is evicted is allowed to be, enough, and no more than needed.
func (w *world) victims(t *rapid.T) {
	m, uid := w.model, drawUID(t)
	victims := w.ledger.Victims(uid)
	p := m.pods[uid]
	ops := map[modelOperation]bool{}
	for _, victim := range victims {
		v := m.pods[victim]
		ops[v.op()] = true
		require.True(t, v.state.Holds() && !v.Unpreemptible, "%s is evicted", victim)
		require.Less(t, m.queues[v.Queue].Level, m.queues[p.Queue].Level)
		require.True(t, m.queues[v.Queue].exists)
	}
	if victims != nil {
		require.False(t, m.fits(p))
		for _, n := range m.ownLimits(p) {
			require.Empty(t, m.lacking(p, n), "%s %s is not for others to make room in", n.kind, n.name)
		}
		require.True(t, m.without(ops).fits(p), "evicting %v is not enough for %s", victims, uid)
		for op := range ops {
			fewer := maps.Clone(ops)
			delete(fewer, op)
			require.False(t, m.without(fewer).fits(p), "evicting %s is not needed", op.name)
		}
		return
	}
	if p == nil || p.state != Waiting || !m.competes(p) || m.queues[p.Queue].Preemption != LowerPriority || m.fits(p) || !w.busy {
		return
	}
	for _, q := range m.queues {
		if q.Guaranteed > 0 {
			return
		}
	}
	for op := range m.seats {
		q := m.queues[op.queue]
		ops[op] = q != nil && q.exists && q.Level < m.queues[p.Queue].Level && !slices.ContainsFunc(slices.Collect(maps.Values(m.pods)),
			func(v *modelPod) bool { return v.op() == op && v.state.Holds() && v.Unpreemptible })
	}
	for _, n := range m.ownLimits(p) {
		if len(m.lacking(p, n)) > 0 {
			return
		}
	}
	require.False(t, m.without(ops).fits(p), "evicting would do for %s", uid)
}

// ownLimits is the limits on a pod's path that nobody is evicted for.
func (m *model) ownLimits(p *modelPod) []modelNode {
	return slices.DeleteFunc(m.pathOf(p), func(n modelNode) bool { return n.kind != Queue && n.kind != Workflow })
}

// takeovers plans, does what was planned as its owner does, and checks that whom it was planned for has
// the room.
func (w *world) takeovers(t *rapid.T) {
	l, m := w.ledger, w.model
	w.admit(t, 0)
	var leaving []string
	for _, uid := range slices.Sorted(maps.Keys(m.pods)) {
		if m.pods[uid].state.Holds() && rapid.IntRange(0, 5).Draw(t, "leaves") == 0 {
			leaving = append(leaving, uid)
		}
	}
	spared, barred := drawUID(t), drawUID(t)
	planned := l.Takeovers(leaving, func(uid string) bool { return uid == spared }, func(uid string) bool { return uid != barred },
		rapid.IntRange(1, 5).Draw(t, "max"))
	reserved := map[string]bool{}
	gone := map[string]bool{}
	for _, uid := range leaving {
		gone[uid] = true
	}
	for _, takeover := range planned {
		p := m.pods[takeover.UID]
		require.NotEqual(t, barred, p.UID)
		require.Equal(t, LowerPriority, m.queues[p.Queue].Preemption)
		ops := map[modelOperation]bool{}
		victims := slices.Concat(takeover.Victims...)
		for _, victim := range victims {
			v := m.pods[victim]
			ops[v.op()] = true
			require.True(t, v.state.Holds() && !v.Unpreemptible && victim != spared, "%s is evicted", victim)
			require.Less(t, m.queues[v.Queue].Level, m.queues[p.Queue].Level)
			require.False(t, gone[victim], "%s leaves already", victim)
			gone[victim] = true
		}
		for _, v := range m.pods {
			if ops[v.op()] && v.state.Holds() {
				require.True(t, gone[v.UID], "%s stays though its operation is evicted", v.UID)
			}
		}
		if len(leaving) == 0 && len(planned) == 1 {
			require.Equal(t, l.Victims(p.UID), victims)
		}
		require.Len(t, takeover.Victims, len(ops))
		if !reserved[p.Queue] {
			reserved[p.Queue] = true
			require.Equal(t, m.reserve(p.UID, 0), l.Reserve(p.UID, 0))
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(gone)) {
		l.Remove(uid)
		m.remove(uid)
	}
	w.admit(t, 0)
	for _, takeover := range planned {
		if len(takeover.Victims) == 0 {
			continue // nobody was evicted in vain
		}
		require.Equal(t, Admitted, l.State(takeover.UID), "%s, for which %v were evicted", takeover.UID, takeover.Victims)
	}
}

// A plan looks at each pod that leaves, not at all pods of its operation for each of them.
func TestPlanGrowsWithThePodsThatLeave(t *testing.T) {
	const pods = 500
	l := New()
	l.SetAgent("a", Limits{Seats: 1})
	l.SetQueue("low", QueueConfig{Agent: "a", Level: 1, Limits: noLimits})
	l.SetQueue("high", QueueConfig{Agent: "a", Level: 2, Limits: noLimits, Preemption: LowerPriority})
	var leaving []string
	for i := range pods {
		leaving = append(leaving, fmt.Sprint("low", i))
		l.Charge(Pod{UID: leaving[i], Operation: "job", Queue: "low"})
	}
	l.Enter(Pod{UID: "x", Queue: "high"})
	l.Admit(0)
	none := func(string) bool { return false }
	all := func(string) bool { return true }
	require.Equal(t, []Takeover{{UID: "x"}}, l.Takeovers(leaving, none, all, 1), "what leaves is enough")
	require.Less(t, testing.AllocsPerRun(1, func() { l.Takeovers(leaving, none, all, 1) }), float64(pods))
}
