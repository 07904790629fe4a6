package ledger

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWorkflows(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(f *fixture) // with a queue q that has room for all
		want string
	}{
		{"the limit of every workflow around an operation binds it", func(f *fixture) {
			f.SetWorkflow("outer", "", limited(3))
			f.SetWorkflow("a", "outer", limited(2))
			f.SetWorkflow("b", "outer", limited(-1))
			for i := range 3 {
				f.enter(fmt.Sprintf("a%d", i), "q", step("a"))
				f.enter(fmt.Sprintf("b%d", i), "q", step("b"))
			}
		}, "a0 b0 a1"},
		{"so do amounts", func(f *fixture) {
			f.SetWorkflow("outer", "", limited(-1, "gpu", 4))
			f.SetWorkflow("inner", "outer", limited(-1))
			f.enter("a", "q", step("inner"), asks("gpu", 3))
			f.enter("b", "q", step("inner"), asks("gpu", 2))
			f.enter("c", "q", step("outer"), asks("gpu", 1))
		}, "a c"},
		{"a full workflow keeps nobody else waiting", func(f *fixture) {
			f.SetWorkflow("w", "", limited(1))
			f.enter("w0", "q", step("w"))
			f.enter("w1", "q", step("w"))
			f.enter("other", "q")
		}, "w0 other"},
		{"its limit spans queues", func(f *fixture) {
			f.queue("r", 2, Unlimited)
			f.SetWorkflow("w", "", limited(1))
			f.enter("q0", "q", step("w"))
			f.enter("r0", "r", step("w"))
		}, "r0"},
		{"a seat is free for the siblings of who had it", func(f *fixture) {
			f.SetWorkflow("outer", "", limited(1))
			f.SetWorkflow("a", "outer", limited(-1))
			f.SetWorkflow("b", "outer", limited(-1))
			f.enter("a0", "q", step("a"))
			f.enter("b0", "q", step("b"))
			f.Admit(0)
			f.Remove("a0")
		}, "b0"},
		{"a limit that is raised at the top is felt at the bottom", func(f *fixture) {
			f.SetWorkflow("1", "", limited(0))
			for i := 2; i <= 16; i++ {
				f.SetWorkflow(fmt.Sprint(i), fmt.Sprint(i-1), limited(-1))
			}
			f.enter("a", "q", step("16"))
			f.enter("b", "q", step("16"))
			assert.Empty(f.t, f.admit())
			f.SetWorkflow("1", "", limited(1))
		}, "a"},
		{"a parent may come after the pods of its children", func(f *fixture) {
			f.SetWorkflow("child", "parent", limited(-1))
			f.Charge(f.pod("runs", "q", step("child")))
			f.SetWorkflow("parent", "grandparent", limited(-1))
			f.SetWorkflow("grandparent", "", limited(2))
			held, _, _ := f.NodeUsage(Workflow, "grandparent")
			assert.EqualValues(f.t, 1, held)
			f.enter("a", "q", step("child"))
			f.enter("b", "q", step("parent"))
		}, "a"},
		{"what a workflow holds moves with it to another parent", func(f *fixture) {
			f.SetWorkflow("old", "", limited(1))
			f.SetWorkflow("new", "", limited(1))
			f.SetWorkflow("child", "old", limited(-1))
			f.SetWorkflow("grandchild", "child", limited(-1))
			f.Charge(f.pod("runs", "q", step("grandchild")))
			f.SetWorkflow("child", "new", limited(-1))
			f.enter("n", "q", step("new"))
			f.enter("o", "q", step("old"))
		}, "o"},
		{"what waits under a full parent goes when it gets another", func(f *fixture) {
			f.SetWorkflow("full", "", limited(0))
			f.SetWorkflow("child", "full", limited(-1))
			f.SetWorkflow("grandchild", "child", limited(-1))
			f.enter("a", "q", step("grandchild"))
			assert.Empty(f.t, f.admit())
			f.SetWorkflow("child", "", limited(-1))
		}, "a"},
		{"a deleted workflow has no limit but those around it hold", func(f *fixture) {
			f.SetWorkflow("outer", "", limited(2))
			f.SetWorkflow("inner", "outer", limited(1))
			for i := range 3 {
				f.enter(fmt.Sprintf("p%d", i), "q", step("inner"))
			}
			f.Admit(0)
			f.DeleteWorkflow("inner")
		}, "p1"},
		{"a workflow that is not set is no limit", func(f *fixture) {
			f.enter("a", "q", step("nothing"))
		}, "a"},
		{"a parent that would close a circle is none", func(f *fixture) {
			f.SetWorkflow("a", "a", limited(1))
			f.SetWorkflow("b", "a", limited(1))
			f.SetWorkflow("c", "b", limited(1))
			f.Charge(f.pod("runs", "q", step("c")))
			f.SetWorkflow("a", "c", limited(2))
			f.SetWorkflow("b", "c", limited(2)) // and leaves a
			f.enter("in a", "q", step("a"))
			f.enter("in b", "q", step("b"))
			f.enter("in c", "q", step("c"))
		}, "in a in b"},
		{"a gang takes one seat of each of its workflows, and the amounts of all its pods", func(f *fixture) {
			f.SetWorkflow("outer", "", limited(1, "gpu", 3))
			f.SetWorkflow("inner", "outer", limited(1))
			f.gang("g", "q", 4, 4, step("inner"), asks("gpu", 1))
			f.gang("h", "q", 3, 3, step("inner"), asks("gpu", 1))
		}, "h0 h1 h2"},
		{"a pod that changes its workflow is charged there", func(f *fixture) {
			f.SetWorkflow("v", "", limited(1))
			f.SetWorkflow("w", "", limited(1))
			p := f.pod("runs", "q", step("v"))
			f.Charge(p)
			p.Workflow = "w"
			f.Charge(p)
			f.enter("in w", "q", step("w"))
			f.enter("in v", "q", step("v"))
		}, "in v"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.queue("q", 1, Unlimited)
			test.play(f)
			assert.Equal(t, test.want, f.admit())
		})
	}
}

// A full workflow is its own affair: evicting others would not make its operations go.
func TestNobodyIsEvictedForAWorkflow(t *testing.T) {
	f := newFixture(t)
	f.SetAgent("default", limited(2))
	f.queue("high", 9, Unlimited, preempts)
	f.queue("low", 1, Unlimited)
	f.SetWorkflow("outer", "", limited(1))
	f.SetWorkflow("inner", "outer", limited(-1))
	f.Charge(f.pod("a", "low", step("inner")))
	f.Charge(f.pod("b", "low"))
	f.enter("x", "high", step("inner"))
	f.admit()
	all := func(string) bool { return true }
	none := func(string) bool { return false }
	assert.Nil(t, f.Victims("x"))
	assert.Nil(t, f.Takeovers(nil, none, all, 5))
	f.SetWorkflow("outer", "", limited(2))
	assert.Equal(t, []string{"b"}, f.Victims("x"))
}

func TestWorkflowNodesAreForgotten(t *testing.T) {
	f := newFixture(t)
	f.queue("q", 1, Unlimited)
	f.SetWorkflow("c", "b", limited(1))
	f.SetWorkflow("b", "a", limited(1))
	f.SetWorkflow("a", "", limited(1))
	f.enter("p", "q", step("c"))
	f.admit()
	for _, name := range []string{"a", "b", "c"} {
		f.DeleteWorkflow(name)
	}
	held, _, _ := f.NodeUsage(Workflow, "a")
	assert.EqualValues(t, 1, held, "a chain stays while a pod is charged to it")
	f.Remove("p")
	assert.Empty(t, f.workflows)
	f.SetWorkflow("lone", "unset", limited(1))
	f.SetWorkflow("lone", "", limited(1))
	assert.Len(t, f.workflows, 1, "the parent it had is forgotten")
	require.NoError(t, f.CheckInvariants())
}

// Three storeys of workflows, of 10, 4 and 2 operations: none is ever above its limit, and none has room
// for an operation that waits.
func TestNestedLimitsAreKeptAndUsed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := New()
		l.SetAgent("default", Limits{Seats: Unlimited})
		l.SetQueue("q", QueueConfig{Agent: "default", Level: 1, Limits: Limits{Seats: Unlimited}})
		limit := map[string]int{"top": 10}
		around := map[string][]string{}
		var leaves []string
		l.SetWorkflow("top", "", Limits{Seats: 10})
		for i := range 4 {
			middle := fmt.Sprintf("middle%d", i)
			limit[middle] = 4
			l.SetWorkflow(middle, "top", Limits{Seats: 4})
			for j := range 3 {
				leaf := fmt.Sprintf("leaf%d-%d", i, j)
				limit[leaf] = 2
				l.SetWorkflow(leaf, middle, Limits{Seats: 2})
				leaves = append(leaves, leaf)
				around[leaf] = []string{leaf, middle, "top"}
			}
		}
		home := map[string]string{} // of each pod
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			for j := range rapid.IntRange(0, 6).Draw(t, "enter") {
				uid := fmt.Sprintf("%d-%d", i, j)
				home[uid] = rapid.SampledFrom(leaves).Draw(t, "leaf")
				l.Enter(Pod{UID: uid, Queue: "q", Workflow: home[uid], Created: int64(i)})
			}
			for _, uid := range rapid.SliceOfN(rapid.SampledFrom(append(slices.Sorted(maps.Keys(home)), "nobody")), 0, 4).Draw(t, "end") {
				l.Remove(uid)
				delete(home, uid)
			}
			l.Admit(0)
			running := map[string]int{}
			for uid, leaf := range home {
				for _, name := range around[leaf] {
					if l.State(uid).Holds() {
						running[name]++
					}
				}
			}
			for name, n := range running {
				require.LessOrEqual(t, n, limit[name], "operations of %s", name)
			}
			for uid, leaf := range home {
				room := math.MaxInt
				for _, name := range around[leaf] {
					room = min(room, limit[name]-running[name])
				}
				require.True(t, l.State(uid).Holds() || room == 0, "%s of %s waits and there is room for %d", uid, leaf, room)
			}
		}
	})
}
