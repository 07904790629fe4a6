package scheduler

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedulerqueue "k8s.io/kubernetes/pkg/scheduler/backend/queue"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

func TestWaitsOutsideTheSchedulersQueue(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.create(testPod("a", "q"))
	w.create(testPod("b", "q"))
	w.settle()
	require.Equal(t, []string{"a"}, w.active())

	_, ok := w.cycle(t, true, "")
	require.True(t, ok)
	w.bind(t, true)
	w.settle()
	require.Empty(t, w.active(), "b waits: a holds the seat")

	w.remove("a")
	w.settle()
	require.Equal(t, []string{"b"}, w.active())
}

func TestPodsOfOtherProfilesPassThrough(t *testing.T) {
	w := newWorld(testContext(t))
	other := testPod("other", "q", func(p *v1.Pod) { p.Spec.SchedulerName = "default-scheduler" })
	w.create(other)
	w.settle()
	require.Equal(t, []string{"other"}, w.active(), "though its queue does not exist")
}

func TestNothingIsAdmittedBeforeBothStreamsKnowThePod(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.create(testPod("a", "q"))
	w.deliverFeed()
	w.room.pumpDry(w.ctx)
	require.Empty(t, w.active())
	w.deliverHandler()
	require.Equal(t, []string{"a"}, w.active(), "admitted before it was handed in")
}

func TestGatedPodsAreNotOursToAdmit(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.create(testPod("gated", "q", func(p *v1.Pod) { p.Spec.SchedulingGates = []v1.PodSchedulingGate{{Name: "x"}} }))
	w.create(testPod("b", "q"))
	w.settle()
	require.Equal(t, []string{"b"}, w.active())
	w.queue("q", 2)
	w.change("gated", func(p *v1.Pod) { p.Spec.SchedulingGates = nil })
	w.settle()
	require.ElementsMatch(t, []string{"b", "gated"}, w.active())
}

func TestUnstampedPodsMeetTheSameTenancy(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("default", -1)
	w.queue("gpu", 1)
	w.room.projectSeen(&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision", Generation: 1}, Spec: v1alpha1.ProjectSpec{
		AllowedQueues: []string{"default"}, Namespaces: v1alpha1.ProjectNamespaces{Names: []string{"ns"}},
	}})
	w.create(testPod("refused", "gpu"))
	w.create(testPod("plain", ""))
	w.settle()
	require.Equal(t, []string{"plain"}, w.active(), "no queue named: the default one")
	e := w.room.entries["refused"]
	reason, message := w.room.verdict(e)
	require.Equal(t, "QueueNotAllowed", reason)
	require.Contains(t, message, "vision")

	w.room.projectSeen(&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision", Generation: 2}, Spec: v1alpha1.ProjectSpec{
		Namespaces: v1alpha1.ProjectNamespaces{Names: []string{"ns"}},
	}})
	w.settle()
	require.ElementsMatch(t, []string{"plain", "refused"}, w.active(), "a change of the rule reaches what waits")
}

func TestPodsOfUnseenNamespacesWait(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("default", -1)
	w.create(testPod("early", "", func(p *v1.Pod) { p.Namespace = "late" }))
	w.settle()
	require.Empty(t, w.active(), "who claims the namespace is not known yet")
	w.room.namespaceSeen(&v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "late"}})
	w.settle()
	require.Equal(t, []string{"early"}, w.active())
}

func TestPodThatNoNodeFits(t *testing.T) {
	tests := []struct {
		name      string
		waiter    bool
		nominated string
		keeps     bool
	}{
		{name: "keeps its room while nobody waits", keeps: true},
		{name: "gives it back at once when another waits", waiter: true},
		{name: "keeps it when preemption nominated a node", waiter: true, nominated: "node", keeps: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(testContext(t))
			w.queue("q", 1)
			w.create(testPod("big", "q"))
			w.settle()
			if tt.waiter {
				w.create(testPod("small", "q"))
				w.settle()
			}
			w.cycle(t, false, tt.nominated)
			w.settle()
			if tt.keeps {
				require.Equal(t, ledger.Admitted, w.room.ledger.State("big"))
				require.Empty(t, w.active())
				return
			}
			require.Equal(t, ledger.Suspended, w.room.ledger.State("big"))
			require.Equal(t, []string{"small"}, w.active())
			reason, _ := w.room.verdict(w.room.entries["big"])
			require.Equal(t, "Unschedulable", reason)
		})
	}
}

func TestIdleRoomIsTakenBack(t *testing.T) {
	t.Run("when somebody comes to wait", func(t *testing.T) {
		w := newWorld(testContext(t))
		w.queue("q", 1)
		w.create(testPod("big", "q"))
		w.settle()
		w.cycle(t, false, "")
		w.create(testPod("small", "q"))
		w.settle()
		require.Equal(t, []string{"small"}, w.active())
	})
	t.Run("when its time is up", func(t *testing.T) {
		w := newWorld(testContext(t))
		w.queue("q", 1)
		w.create(testPod("big", "q"))
		w.settle()
		w.cycle(t, false, "")
		w.clock.Step(w.room.args.AdmissionTimeout.Duration)
		w.settle()
		require.Equal(t, ledger.Suspended, w.room.ledger.State("big"))
	})
}

func TestBackoffDoublesAndEndsEarlyWhenANodeComes(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.create(testPod("big", "q"))
	w.create(testPod("small", "q"))
	w.settle()
	w.cycle(t, false, "")
	w.settle()
	w.remove("small")
	w.settle()
	require.Equal(t, ledger.Suspended, w.room.ledger.State("big"))
	w.clock.Step(time.Second)
	w.settle()
	require.Equal(t, []string{"big"}, w.active(), "the first back-off is a second")

	w.create(testPod("small2", "q"))
	w.settle()
	w.cycle(t, false, "")
	w.settle()
	w.remove("small2")
	w.clock.Step(time.Second)
	w.settle()
	require.Equal(t, ledger.Suspended, w.room.ledger.State("big"), "the second is longer")
	w.room.MoveAllToActiveOrBackoffQueue(klog.Background(), fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add}, nil, nil, nil)
	w.settle()
	require.Equal(t, []string{"big"}, w.active())
}

func TestPermitChecksTheLimitsOfNow(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.create(testPod("a", "q"))
	w.settle()
	paused := func(q *v1alpha1.Queue) { q.Spec.State = v1alpha1.QueuePaused }
	w.queue("q", 1, paused)
	_, ok := w.cycle(t, true, "")
	require.False(t, ok)
	w.settle()
	require.Empty(t, w.active())
	require.Equal(t, ledger.Waiting, w.room.ledger.State("a"), "back in line, not lost")
	w.queue("q", 1)
	w.settle()
	require.Equal(t, []string{"a"}, w.active())
}

func TestRelabelledPodMoves(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("full", 0)
	w.queue("free", 1)
	w.create(testPod("a", "full"))
	w.settle()
	require.Empty(t, w.active())
	w.change("a", func(p *v1.Pod) { p.Labels[v1alpha1.QueueLabel] = "free" })
	w.settle()
	require.Equal(t, []string{"a"}, w.active())
}

func TestLabelTakenFromARunningPodFreesNothing(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("default", -1)
	w.queue("q", 1)
	w.create(testPod("running", "q", func(p *v1.Pod) { p.Spec.NodeName = "node" }))
	w.create(testPod("behind", "q"))
	w.settle()
	w.change("running", func(p *v1.Pod) { delete(p.Labels, v1alpha1.QueueLabel) })
	w.settle()
	require.Empty(t, w.active())
	w.remove("running")
	w.settle()
	require.Equal(t, []string{"behind"}, w.active())
}

// While a pod is being bound its room is its own. What changed meanwhile counts when the bind fails: a deleted pod that
// a finalizer keeps holds no seat, and one that was moved waits where it belongs.
func TestChangeDuringABindThatFails(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*v1.Pod)
		in   string
	}{
		"deleted": {edit: func(p *v1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: p.CreationTimestamp.Time} }},
		"moved":   {edit: func(p *v1.Pod) { p.Labels[v1alpha1.QueueLabel] = "other" }, in: "other"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(testContext(t))
			w.queue("q", 1)
			w.queue("other", 0)
			w.create(testPod("a", "q"))
			w.settle()
			_, flies := w.cycle(t, true, "")
			require.True(t, flies)
			w.change("a", test.edit)
			w.settle()
			require.Equal(t, ledger.Admitted, w.room.ledger.State("a"))
			w.bind(t, false)
			w.create(testPod("b", "q"))
			w.settle()
			require.Equal(t, []string{"b"}, w.active())
			why, _ := w.room.ledger.Explain("a")
			require.Equal(t, test.in, why.Queue)
		})
	}
}

// claimGate is what DynamicResources is for pods whose claim nobody has made yet.
type claimGate struct{}

func (claimGate) Name() string { return "claims" }

func (claimGate) PreEnqueue(_ context.Context, pod *v1.Pod) *fwk.Status {
	if pod.Annotations["claim"] == "missing" {
		return fwk.NewStatus(fwk.UnschedulableAndUnresolvable, "its claim does not exist")
	}
	return nil
}

// A pod that the scheduler's queue keeps from being tried holds its room no longer than one that no node fits.
func TestPodThatMayNotBeTriedKeepsNobodyWaiting(t *testing.T) {
	w := newWorld(testContext(t))
	profile := v1alpha1.SchedulerName
	w.room.gates = map[string][]fwk.PreEnqueuePlugin{profile: {claimGate{}}}
	w.room.SchedulingQueue = schedulerqueue.NewTestQueue(w.ctx, w.room.ranks.less, schedulerqueue.WithClock(w.clock),
		schedulerqueue.WithPreEnqueuePluginMap(map[string]map[string]fwk.PreEnqueuePlugin{profile: {"claims": claimGate{}}}))
	w.queue("q", 1)
	w.create(testPod("stuck", "q", func(p *v1.Pod) {
		p.Spec.ResourceClaims, p.Annotations = []v1.PodResourceClaim{{Name: "gpu"}}, map[string]string{"claim": "missing"}
	}))
	w.settle()
	require.Equal(t, ledger.Admitted, w.room.ledger.State("stuck"), "nobody else wants its room")
	require.Empty(t, w.active())
	reason, message := w.room.verdict(w.room.entries["stuck"])
	require.Equal(t, "Unschedulable", reason)
	require.Contains(t, message, "its claim does not exist")
	w.create(testPod("other", "q"))
	w.settle()
	require.Equal(t, []string{"other"}, w.active())

	w.run(t)
	w.remove("other")
	w.change("stuck", func(p *v1.Pod) { delete(p.Annotations, "claim") })
	w.settle()
	w.clock.Step(w.room.args.InitialBackoff.Duration)
	w.room.MoveAllToActiveOrBackoffQueue(klog.Background(), fwk.ClusterEvent{Resource: fwk.ResourceClaim, ActionType: fwk.Add}, nil, nil, nil)
	w.settle()
	require.Equal(t, []string{"stuck"}, w.active())
	reason, _ = w.room.verdict(w.room.entries["stuck"])
	require.Empty(t, reason)
}

// Very many pods that no node fits are not looked at each time that anything happens, but soon.
func TestManyThatFitNowhereGiveTheirRoomBack(t *testing.T) {
	const many = 1000
	w := newWorld(testContext(t))
	w.queue("q", many)
	for i := range many {
		w.create(testPod(fmt.Sprint("stuck", i), "q"))
	}
	w.settle()
	for _, e := range w.room.entries {
		w.room.noFit(e)
	}
	_, next := w.room.pumpOnce(w.ctx)
	require.Equal(t, guardPeriod, next, "nobody waits, and their time is not up")
	w.create(testPod("other", "q"))
	w.deliverFeed()
	_, next = w.room.pumpOnce(w.ctx)
	require.Less(t, next, 100*time.Millisecond, "they were looked at just now")
	w.clock.Step(next)
	w.settle()
	require.Contains(t, w.active(), "other")
	require.Len(t, w.room.idle, many-1)

	w = newWorld(testContext(t))
	w.queue("q", -1)
	for i := range many {
		w.create(testPod(fmt.Sprint("stuck", i), "q"))
	}
	w.settle()
	for _, e := range w.room.entries {
		w.room.noFit(e)
	}
	w.settle()
	w.clock.Step(w.room.args.AdmissionTimeout.Duration - time.Millisecond)
	_, next = w.room.pumpOnce(w.ctx)
	require.Equal(t, time.Millisecond, next)
	require.Len(t, w.room.idle, many)
	w.clock.Step(next)
	w.room.pumpOnce(w.ctx) // it may be too soon after the last look
	w.clock.Step(100 * time.Millisecond)
	w.settle()
	require.Empty(t, w.room.idle)
}

func TestRestartChargesWhatRuns(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.create(testPod("running", "q", func(p *v1.Pod) { p.Spec.NodeName = "node" }))
	w.create(testPod("waiting", "q"))
	w.settle()
	require.Empty(t, w.active())
	require.NoError(t, w.room.ledger.CheckInvariants())
}

func TestPodsOfOneOwnerShareASeat(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	owned := func(p *v1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: "j", UID: "j", Controller: ptr.To(true)}}
	}
	w.create(testPod("a", "q", owned))
	w.create(testPod("stranger", "q"))
	w.create(testPod("b", "q", owned))
	w.settle()
	require.ElementsMatch(t, []string{"a", "b"}, w.active())
}

func TestDrainingQueueServesWhatCameBefore(t *testing.T) {
	w := newWorld(testContext(t))
	since := metav1.NewTime(w.clock.Now())
	w.queue("q", -1, func(q *v1alpha1.Queue) {
		q.Spec.State = v1alpha1.QueueDraining
		q.Status.Conditions = []metav1.Condition{{Type: v1alpha1.AcceptingCondition, Status: metav1.ConditionFalse, LastTransitionTime: since}}
	})
	created := func(at time.Time) func(*v1.Pod) {
		return func(p *v1.Pod) { p.CreationTimestamp = metav1.NewTime(at) }
	}
	w.create(testPod("before", "q", created(since.Add(-time.Second))))
	w.create(testPod("after", "q", created(since.Add(time.Second))))
	w.settle()
	require.Equal(t, []string{"before"}, w.active())
	reason, _ := w.room.verdict(w.room.entries["after"])
	require.Equal(t, "QueueDraining", reason)
}

func TestOrderOfTheSchedulersQueue(t *testing.T) {
	w := newWorld(testContext(t))
	level := func(n int32) func(*v1alpha1.Queue) { return func(q *v1alpha1.Queue) { q.Spec.Priority = &n } }
	w.queue("low", -1, level(1))
	w.queue("high", -1, level(9))
	w.create(testPod("low", "low", func(p *v1.Pod) { p.Spec.Priority = ptr.To[int32](1000) }))
	w.create(testPod("high", "high"))
	w.create(testPod("urgent", "high", func(p *v1.Pod) { p.Spec.Priority = ptr.To[int32](5) }))
	w.settle()
	var order []string
	for range 3 {
		pod, ok := w.cycle(t, true, "")
		require.True(t, ok)
		order = append(order, pod.Name)
	}
	require.Equal(t, []string{"urgent", "high", "low"}, order)
}

func TestGuaranteedSeats(t *testing.T) {
	w := newWorld(testContext(t))
	w.room.agentSeen(&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: v1alpha1.AgentSpec{Concurrency: ptr.To[int32](3)}})
	w.queue("high", -1)
	w.queue("low", -1, func(q *v1alpha1.Queue) { q.Spec.Priority, q.Spec.Guaranteed = ptr.To[int32](1), 1 })
	for _, name := range []string{"a", "b", "c"} {
		w.create(testPod(name, "high"))
	}
	w.settle()
	require.ElementsMatch(t, []string{"a", "b"}, w.active(), "one seat is kept")
	w.create(testPod("low", "low"))
	w.settle()
	require.ElementsMatch(t, []string{"a", "b", "low"}, w.active())
}
