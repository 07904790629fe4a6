package scheduler

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
)

func priced(price string) *v1alpha1.Agent {
	return &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: v1alpha1.AgentSpec{
		Prices: map[v1.ResourceName]resource.Quantity{"cpu": resource.MustParse(price)},
	}}
}

func costQuota(perHour string) func(*v1alpha1.Queue) {
	return func(q *v1alpha1.Queue) {
		amount := resource.MustParse(perHour)
		q.Spec.Quota = &v1alpha1.Quota{Cost: &amount}
	}
}

func budget(amount, window string) func(*v1alpha1.Queue) {
	return func(q *v1alpha1.Queue) {
		q.Spec.Quota = &v1alpha1.Quota{Budget: &v1alpha1.Budget{Amount: resource.MustParse(amount), Window: window}}
	}
}

func declares(perHour string) func(*v1.Pod) {
	return func(p *v1.Pod) { p.Annotations = map[string]string{v1alpha1.CostLabel: perHour} }
}

// run takes every pod in the scheduler's queue onto a node.
func (w *world) run(t tester) {
	for {
		if _, ok := w.cycle(t, true, ""); !ok {
			break
		}
	}
	for len(w.flying) > 0 {
		w.bind(t, true)
	}
	w.settle()
}

func TestQuotaOnCost(t *testing.T) {
	w := newWorld(testContext(t))
	w.room.agentSeen(priced("1"))
	w.queue("q", -1, costQuota("2.50"))
	w.create(testPod("a", "q"))
	w.create(testPod("b", "q"))
	w.create(testPod("c", "q"))
	w.create(testPod("cheap", "q", declares("0.50")))
	w.create(testPod("wrong", "q", declares("much")))
	w.settle()
	require.ElementsMatch(t, []string{"a", "b", "cheap"}, w.active())
	why, _ := w.room.ledger.Explain("c")
	require.Equal(t, ledger.QueueQuota, why.Reason)
	require.Contains(t, why.Message(), "cost 2.50/2.50 per hour, needs 1.00")
	reason, message := w.room.verdict(w.room.entries["wrong"])
	require.Equal(t, "InvalidCost", reason)
	require.Contains(t, message, `"much" is no amount`)

	w.run(t)
	w.room.agentSeen(priced("0.10"))
	w.settle()
	require.Equal(t, []string{"c"}, w.active(), "a changed price reaches what runs and what waits")
}

func TestBudgetOfNothing(t *testing.T) {
	w := newWorld(testContext(t))
	w.room.countOn(nil, w.clock.Now())
	w.queue("q", 1, budget("0", "hour"))
	w.create(testPod("a", "q", declares("4")))
	w.settle()
	why, _ := w.room.ledger.Explain("a")
	require.Equal(t, ledger.BudgetExhausted, why.Reason)
	require.Contains(t, why.Message(), "budget 0 per hour: nothing is admitted until it is raised")
}

func TestBudgetIsUsedUpAndTurns(t *testing.T) {
	w := newWorld(testContext(t))
	w.room.countOn(nil, w.clock.Now())
	w.queue("q", 1, budget("2", "hour"))
	w.create(testPod("a", "q", declares("4")))
	w.create(testPod("b", "q", declares("4")))
	w.settle()
	w.run(t)
	tick := func(d time.Duration) {
		for range d / time.Second {
			w.clock.Step(time.Second)
			w.room.account(w.clock.Now())
		}
		w.settle()
	}
	tick(29 * time.Minute)
	require.Empty(t, w.room.accounts[accountKey{ledger.Queue, "q"}].closed())
	tick(2 * time.Minute)
	w.remove("a")
	w.settle()
	require.Empty(t, w.active(), "there is a seat, and no budget")
	why, _ := w.room.ledger.Explain("b")
	require.Equal(t, ledger.BudgetExhausted, why.Reason)
	require.Contains(t, why.Message(), "budget 2.00 per hour used up; turns at 2030-01-01T01:00:00Z")
	w.written(t)
	status := w.room.directory.queues["q"].Status.Budget
	require.Equal(t, "0.00", status.Left)

	tick(30 * time.Minute)
	require.Equal(t, []string{"b"}, w.active(), "the window has turned")
	w.clock.Step(accountingInterval)
	w.room.account(w.clock.Now())
	w.written(t)
	require.Equal(t, "1.988889", w.room.directory.queues["q"].Status.Budget.Left, "an admitted pod costs from its admission")
}

// A clock that is ahead for a while opens a later window. Put right, it gives back neither the time nor the money.
func TestBudgetWhenTheClockIsSetBack(t *testing.T) {
	w := newWorld(testContext(t))
	w.room.countOn(nil, w.clock.Now())
	w.queue("q", 1, budget("3", "hour"))
	spend := func() { // 1
		w.create(testPod("a", "q", declares("6")))
		w.settle()
		w.run(t)
		for range 60 {
			w.clock.Step(10 * time.Second)
			w.room.account(w.clock.Now())
		}
		w.remove("a")
		w.settle()
	}
	status := func() *v1alpha1.BudgetStatus {
		w.room.account(w.clock.Now())
		w.written(t)
		return w.room.directory.queues["q"].Status.Budget
	}
	begin := w.clock.Now()
	set := func(at time.Duration) { w.clock.SetTime(begin.Add(at)) }
	spend()
	require.Equal(t, "1.00", status().Spent)
	set(2 * time.Hour)
	spend()
	require.Equal(t, "1.00", status().Spent, "of another window")
	set(20 * time.Minute)
	require.Equal(t, "2.00", status().Spent, "of this window, and what was spent meanwhile")
	require.True(t, status().WindowStart.Time.Equal(begin))
	spend()
	require.Equal(t, "3.00", status().Spent)
	require.Contains(t, w.room.accounts[accountKey{ledger.Queue, "q"}].closed(), "used up")
	set(time.Hour)
	require.Equal(t, "0.00", status().Spent, "it turns when it is time")
}

// The status of a leader whose clock is ahead is of a window that has not begun: what it has spent is spent.
func TestAccountOfALeaderThatWasAhead(t *testing.T) {
	now := time.Date(2030, 1, 1, 12, 30, 0, 0, time.UTC)
	for window, spent := range map[time.Duration]string{-time.Hour: "0.00", 0: "2.00", time.Hour: "2.00"} {
		begun := now.Truncate(time.Hour).Add(window)
		a, err := openAccount(v1alpha1.Budget{Amount: resource.MustParse("3"), Window: "hour"}, &v1alpha1.BudgetStatus{
			WindowStart: metav1.NewTime(begun), WindowEnd: metav1.NewTime(begun.Add(time.Hour)), Spent: "2.00", AccountedUntil: metav1.NewTime(begun.Add(time.Minute)),
		}, now)
		require.NoError(t, err)
		require.Equal(t, spent, cost.Format(a.meter.Spent), "window %s", window)
	}
}

func TestRaisedBudgetOpensAtOnce(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1, budget("0", "day"))
	w.create(testPod("a", "q"))
	w.settle()
	require.Empty(t, w.active())
	w.queue("q", 1, budget("1", "day"))
	w.settle()
	require.Equal(t, []string{"a"}, w.active())
}

func TestStatusSaysWhatIsLeftOfAnEditedBudget(t *testing.T) {
	w := newWorld(testContext(t))
	w.room.countOn(nil, w.clock.Now())
	for _, amount := range []string{"1.00", "5.00", "3.00"} {
		w.queue("q", 1, budget(amount, "day"))
		w.settle()
		w.clock.Step(accountingInterval)
		w.room.account(w.clock.Now())
		w.written(t)
		require.Equal(t, amount, w.room.directory.queues["q"].Status.Budget.Left, "nothing is spent")
	}
}

// A leader that died is followed by one that reads the status and what ran since.
func TestAccountsSurviveARestart(t *testing.T) {
	begin := func(status *v1alpha1.BudgetStatus) *world {
		w := newStandby(testContext(t))
		w.queue("q", -1, budget("100", "day"), func(q *v1alpha1.Queue) { q.Status.Budget = status })
		return w
	}
	at := func(w *world, d time.Duration) metav1.Time { return metav1.NewTime(w.clock.Now().Add(d)) }
	w := begin(nil)
	status := &v1alpha1.BudgetStatus{
		WindowStart: at(w, 0), WindowEnd: at(w, 24*time.Hour), Spent: "10.00", Left: "90.00", AccountedUntil: at(w, time.Hour),
	}
	bound := func(since metav1.Time) func(*v1.Pod) {
		return func(p *v1.Pod) {
			p.Spec.NodeName = "node"
			p.Status.Conditions = []v1.PodCondition{{Type: v1.PodScheduled, Status: v1.ConditionTrue, LastTransitionTime: since}}
		}
	}
	w = begin(status)
	w.create(testPod("old", "q", declares("1"), bound(at(w, -time.Hour))))
	w.create(testPod("new", "q", declares("1"), bound(at(w, 2*time.Hour+30*time.Minute))))
	w.settle()
	ended := testPod("ended", "q", declares("1"), bound(at(w, 0)), func(p *v1.Pod) {
		p.Status.ContainerStatuses = []v1.ContainerStatus{{State: v1.ContainerState{Terminated: &v1.ContainerStateTerminated{FinishedAt: at(w, 90*time.Minute)}}}}
	})
	before := testPod("before", "q", declares("1"), bound(at(w, 0)), func(p *v1.Pod) {
		p.Status.ContainerStatuses = []v1.ContainerStatus{{State: v1.ContainerState{Terminated: &v1.ContainerStateTerminated{FinishedAt: at(w, 30*time.Minute)}}}}
	})
	w.clock.Step(3 * time.Hour)
	w.room.countOn([]*v1.Pod{ended, before}, w.clock.Now())
	// 10 before; old ran 2 h since, new half an hour, ended half an hour, before was counted.
	require.Equal(t, "13.00", cost.Format(w.room.accounts[accountKey{ledger.Queue, "q"}].meter.Spent))

	w.clock.Step(time.Second)
	w.room.account(w.clock.Now())
	w.written(t)
	require.Equal(t, "13.000555", w.room.directory.queues["q"].Status.Budget.Spent)
}

// A pod that ends while a leader takes over may be seen both as one that runs and as one that ended.
func TestPodThatEndsMeanwhileIsAccountedOnce(t *testing.T) {
	w := newStandby(testContext(t))
	w.queue("q", -1, budget("100", "day"), func(q *v1alpha1.Queue) {
		q.Status.Budget = &v1alpha1.BudgetStatus{WindowStart: metav1.NewTime(w.clock.Now()), Spent: "0.00", AccountedUntil: metav1.NewTime(w.clock.Now())}
	})
	pod := testPod("a", "q", declares("1"), func(p *v1.Pod) { p.Spec.NodeName, p.CreationTimestamp = "node", metav1.NewTime(w.clock.Now()) })
	w.create(pod)
	w.settle()
	ended := pod.DeepCopy()
	ended.Status.ContainerStatuses = []v1.ContainerStatus{{State: v1.ContainerState{Terminated: &v1.ContainerStateTerminated{FinishedAt: metav1.NewTime(w.clock.Now().Add(time.Hour))}}}}
	w.clock.Step(2 * time.Hour)
	w.room.countOn([]*v1.Pod{ended}, w.clock.Now())
	require.Equal(t, "1.00", cost.Format(w.room.accounts[accountKey{ledger.Queue, "q"}].meter.Spent))
}

// What was spent is known when a window is edited; what runs has not run since the last entry in the status.
func TestEditedWindowCostsNothing(t *testing.T) {
	w := newWorld(testContext(t))
	edit := func(window string) {
		status := v1alpha1.QueueStatus{}
		if q := w.room.directory.queues["q"]; q != nil {
			status = q.Status
		}
		w.queue("q", -1, budget("1M", window), func(q *v1alpha1.Queue) { q.Status = status })
	}
	tick := func(d time.Duration) {
		for range d / time.Second {
			w.clock.Step(time.Second)
			w.room.account(w.clock.Now())
		}
		w.written(t)
	}
	spent := func() string { return cost.Format(w.room.accounts[accountKey{ledger.Queue, "q"}].meter.Spent) }
	edit("day")
	w.create(testPod("a", "q", declares("3600")))
	w.settle()
	tick(10 * time.Second)
	w.remove("a")
	w.settle()
	tick(time.Hour)
	w.create(testPod("b", "q", declares("3600")))
	edit("month")
	w.settle()
	tick(5 * time.Second)
	require.Equal(t, "15.00", spent(), "the month began with the day, and nothing ran for an hour")
	edit("hour")
	tick(time.Second)
	require.Equal(t, "1.00", spent(), "the hour began after what was spent")
	edit("day")
	tick(time.Second)
	require.Equal(t, "2.00", spent(), "the hour is in the day")
}

// However pods come and go, a budget's meter is what they cost while they held room, to within a tick each.
func TestAccountsMatchWhatRan(t *testing.T) {
	ctx := testContext(t)
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(ctx)
		w.room.countOn(nil, w.clock.Now())
		w.queue("q", -1, budget("1M", "day"))
		type ran struct{ from, to time.Time }
		runs := map[string]*ran{}
		for i := range rapid.IntRange(1, 30).Draw(t, "events") {
			name := fmt.Sprint("pod", rapid.IntRange(0, 5).Draw(t, "pod"))
			if run := runs[name]; run == nil {
				runs[name] = &ran{from: w.clock.Now()}
				w.create(testPod(name, "q", declares("3600")))
				w.settle()
				w.run(t)
			} else if run.to.IsZero() {
				run.to = w.clock.Now()
				w.remove(w.pods[testPod(name, "").UID].UID)
				w.settle()
			}
			for range rapid.IntRange(0, 20).Draw(t, fmt.Sprint("seconds", i)) {
				w.clock.Step(time.Second)
				w.room.account(w.clock.Now())
			}
		}
		want := int64(0)
		for _, run := range runs {
			if run.to.IsZero() {
				run.to = w.clock.Now()
			}
			want += int64(run.to.Sub(run.from)/time.Second) * 1_000_000
		}
		if got := w.room.accounts[accountKey{ledger.Queue, "q"}].meter.Spent; got != want {
			t.Fatalf("accounted %s, it cost %s", cost.Format(got), cost.Format(want))
		}
	})
}
