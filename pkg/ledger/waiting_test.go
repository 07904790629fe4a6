package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Pages of any size, one after the other, list every operation that waits once, at its first pod, in
// the order of the model's line, with the explanation of that pod; what can't ever fit comes last.
func TestWaitingListsTheModelsLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, true)
		size := rapid.IntRange(1, 5).Draw(t, "size of a page")
		actions := w.actions()
		actions[""] = func(t *rapid.T) {
			w.model.settle()
			for _, name := range slices.Sorted(maps.Keys(w.ledger.queues)) {
				w.checkWaiting(t, name, size)
			}
		}
		t.Repeat(actions)
	})
}

func (w *world) checkWaiting(t *rapid.T, queue string, size int) {
	inLine := w.model.line(queue)
	var never []*modelPod
	for _, p := range w.model.pods {
		if p.Queue == queue && p.state == Waiting && w.model.neverFits(p) {
			never = append(never, p)
		}
	}
	slices.SortFunc(never, func(a, b *modelPod) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Created, b.Created), cmp.Compare(a.UID, b.UID))
	})
	pods := map[modelOperation]int{}
	var first []string
	for _, p := range slices.Concat(inLine, never) {
		if pods[p.op()]++; pods[p.op()] == 1 {
			first = append(first, p.UID)
		}
	}
	var got []string
	place := Place{}
	for {
		page, ok := w.ledger.Waiting(queue, place, size, map[string]bool{})
		require.True(t, ok)
		require.LessOrEqual(t, len(page.Waiters), size)
		require.Equal(t, len(inLine), page.Waiting)
		require.Equal(t, len(never), page.Never)
		for _, waiter := range page.Waiters {
			p := w.model.pods[waiter.Place.UID]
			want, _ := w.ledger.Explain(p.UID)
			require.Equal(t, want, waiter.Explanation)
			require.Equal(t, pods[p.op()], waiter.Pods)
			got = append(got, p.UID)
		}
		if place = page.Next; place == (Place{}) {
			break
		}
	}
	require.Equal(t, first, got)
}

func TestHolders(t *testing.T) {
	l := New()
	l.SetAgent("default", Limits{Seats: 10})
	l.SetOrganization("lab", Limits{Seats: Unlimited, Resources: map[string]int64{"cpu": 10}})
	l.SetProject("vision", "lab", Limits{Seats: 2})
	for _, q := range []string{"q", "r"} {
		l.SetQueue(q, QueueConfig{Agent: "default", Limits: Limits{Seats: 3}})
	}
	cpu := map[string]int64{"cpu": 2}
	l.Charge(Pod{UID: "a1", Operation: "a", Queue: "q", Project: "vision", Requests: cpu})
	l.Charge(Pod{UID: "a2", Operation: "a", Queue: "q", Project: "vision", Requests: cpu})
	l.Enter(Pod{UID: "a3", Operation: "a", Queue: "q", Project: "vision", Requests: map[string]int64{"cpu": 100}})
	l.Charge(Pod{UID: "b", Queue: "q"})
	l.SetWorkflow("step", "run", Limits{Seats: Unlimited})
	l.SetWorkflow("run", "", Limits{Seats: 2})
	l.Charge(Pod{UID: "c", Queue: "r", Project: "vision", Workflow: "step", Requests: cpu})
	for _, c := range []struct {
		check Check
		want  []Holder
	}{
		{Check{Kind: Queue, Name: "q"}, []Holder{{1, []string{"a1", "a2"}, true}, {1, []string{"b"}, false}}},
		{Check{Kind: Agent, Name: "default"}, []Holder{{1, []string{"a1", "a2"}, true}, {1, []string{"b"}, false}, {1, []string{"c"}, false}}},
		{Check{Kind: Project, Name: "vision"}, []Holder{{1, []string{"a1", "a2"}, true}, {1, []string{"c"}, false}}},
		{Check{Kind: Organization, Name: "lab", Resource: "cpu"}, []Holder{{4, []string{"a1", "a2"}, true}, {2, []string{"c"}, false}}},
		{Check{Kind: Workflow, Name: "run"}, []Holder{{1, []string{"c"}, false}}},
		{Check{Kind: Queue, Name: "q", Resource: "nvidia.com/gpu"}, nil},
		{Check{Kind: Queue, Name: "unknown"}, nil},
	} {
		got := l.Holders(c.check)
		for _, h := range got {
			slices.Sort(h.Pods)
		}
		slices.SortFunc(got, func(a, b Holder) int { return slices.Compare(a.Pods, b.Pods) })
		require.Equal(t, c.want, got, "%+v", c.check)
	}
}

func TestAhead(t *testing.T) {
	l := New()
	l.SetAgent("default", Limits{Seats: 1})
	for _, q := range []string{"q", "r"} {
		l.SetQueue(q, QueueConfig{Agent: "default", Limits: Limits{Seats: 1, Resources: map[string]int64{"cpu": 4}}})
	}
	cpu := func(n int64) map[string]int64 { return map[string]int64{"cpu": n} }
	l.Charge(Pod{UID: "runs", Queue: "q", Requests: cpu(4)})
	l.Enter(Pod{UID: "a1", Operation: "a", Queue: "q", Created: 1, Requests: cpu(1)})
	l.Enter(Pod{UID: "a2", Operation: "a", Queue: "q", Created: 2, Requests: cpu(2)})
	l.Enter(Pod{UID: "never", Queue: "q", Created: 2, Requests: cpu(5)})
	l.Enter(Pod{UID: "last", Queue: "q", Created: 3, Requests: cpu(3)})
	seat, amount := Check{Kind: Queue, Name: "q"}, Check{Kind: Queue, Name: "q", Resource: "cpu"}

	ahead, ok := l.Ahead("last", seat, 10)
	require.True(t, ok)
	for _, a := range ahead {
		slices.Sort(a.Pods)
	}
	require.Equal(t, []Ask{{1, []string{"a1", "a2"}}}, ahead)
	ahead, ok = l.Ahead("last", amount, 10)
	require.True(t, ok)
	require.Equal(t, []Ask{{1, []string{"a1"}}, {2, []string{"a2"}}}, ahead)
	ahead, ok = l.Ahead("a1", seat, 10)
	require.True(t, ok)
	require.Empty(t, ahead)
	_, ok = l.Ahead("last", seat, 1)
	require.False(t, ok, "too many ahead")
	_, ok = l.Ahead("never", seat, 10)
	require.False(t, ok, "not in line")
	_, ok = l.Ahead("last", Check{Kind: Agent, Name: "default"}, 10)
	require.True(t, ok)
	l.SetWorkflow("step", "run", Limits{Seats: 1})
	l.Enter(Pod{UID: "in run", Queue: "q", Workflow: "run", Created: 4})
	l.Enter(Pod{UID: "in step", Queue: "q", Workflow: "step", Created: 5})
	run := Check{Kind: Workflow, Name: "run"}
	ahead, ok = l.Ahead("in step", run, 10)
	require.True(t, ok)
	require.Equal(t, []Ask{{1, []string{"in run"}}}, ahead, "others do not take what a workflow limits")
	l.Enter(Pod{UID: "other", Queue: "r", Workflow: "step", Requests: cpu(1)})
	_, ok = l.Ahead("in run", run, 10)
	require.False(t, ok, "another queue competes within the workflow")
	_, ok = l.Ahead("last", Check{Kind: Agent, Name: "default"}, 10)
	require.False(t, ok, "another queue competes")
}

// BenchmarkWaiting is one page of 100 from the middle of the line, and one explanation there.
func BenchmarkWaiting(b *testing.B) {
	for _, n := range []line{
		{queues: 1, waiting: 10_000, seats: 1, agentSeats: Unlimited},
		{queues: 1, waiting: 50_000, seats: 1, agentSeats: Unlimited},
		{queues: 1, waiting: 50_000, seats: 1, agentSeats: Unlimited, vectors: 50_000},
	} {
		pods := n.pods()
		l := n.fill(pods)
		l.Admit(0)
		middle, _ := l.Waiting("queue-0", Place{}, 1, map[string]bool{})
		for middle.Waiters[0].Position < n.waiting/2 {
			middle, _ = l.Waiting("queue-0", middle.Next, lineSteps, map[string]bool{})
		}
		shapes := fmt.Sprintf("waiting=%d/vectors=%d", n.waiting, max(n.vectors, 1))
		b.Run("page/"+shapes, func(b *testing.B) {
			for b.Loop() {
				l.Waiting("queue-0", middle.Next, 100, map[string]bool{})
			}
		})
		b.Run("explain/"+shapes, func(b *testing.B) {
			for b.Loop() {
				l.Explain(middle.Next.UID)
			}
		})
	}
}
