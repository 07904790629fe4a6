package scheduler

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
)

// A victim may be seen before what says which operation it is of. When it is gone nobody makes way any more.
func TestVictimIsSeenBeforeItsQueue(t *testing.T) {
	w := newStandby(testContext(t))
	w.create(testPod("a", "", func(p *v1.Pod) {
		p.Namespace, p.Spec.NodeName = "late", "node"
		p.DeletionTimestamp = &metav1.Time{Time: w.clock.Now()}
		p.Status.Conditions = []v1.PodCondition{{Type: v1alpha1.AdmittedCondition, Status: v1.ConditionFalse, Reason: reasonPreempted, Message: preemptedBy + "x"}}
	}))
	w.settle()
	w.queue("gpu", 1)
	w.room.projectSeen(&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: v1alpha1.ProjectSpec{
		DefaultQueue: "gpu", Namespaces: v1alpha1.ProjectNamespaces{Names: []string{"late"}},
	}})
	w.room.namespaceSeen(&v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "late"}})
	w.room.countOn(nil, w.clock.Now())
	w.remove("a")
	w.settle()
	require.Empty(t, w.room.preempt.making)
}

// What runs counts against its project also where the project may not use the queue any more.
func TestWhatRunsInAQueueThatIsForbiddenSince(t *testing.T) {
	w := newStandby(testContext(t))
	w.queue("gpu", -1)
	w.queue("cpu", -1)
	w.room.projectSeen(&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: v1alpha1.ProjectSpec{
		DefaultQueue: "cpu", AllowedQueues: []string{"cpu"}, Concurrency: ptr.To(int32(2)), Namespaces: v1alpha1.ProjectNamespaces{Names: []string{"ns"}},
	}})
	running := func(p *v1.Pod) { p.Spec.NodeName = "node" }
	w.create(testPod("a", "gpu", running))
	w.create(testPod("b", "", running, func(p *v1.Pod) { p.Annotations = map[string]string{v1alpha1.CostLabel: "much"} }))
	w.settle()
	w.room.countOn(nil, w.clock.Now())
	w.create(testPod("c", ""))
	w.settle()
	require.Empty(t, w.active(), "the project is full")
	for queue, want := range map[string]string{"gpu": "a", "cpu": "b"} {
		why, _ := w.room.ledger.Explain(want)
		require.Equal(t, queue, why.Queue)
	}
}

// In whatever order informers tell a new leader what there is, it charges, accounts and admits the same.
func TestAnyOrderOfTheFirstLists(t *testing.T) {
	ctx := testContext(t)
	rapid.Check(t, func(t *rapid.T) {
		w := newStandby(ctx)
		w.room.agentGone(w.room.directory.agents["default"])
		start := w.clock.Now()
		created := func(p *v1.Pod) { p.CreationTimestamp = metav1.NewTime(start) }
		in := func(namespace string) func(*v1.Pod) { return func(p *v1.Pod) { p.Namespace = namespace } }
		onNode := func(p *v1.Pod) { p.Spec.NodeName = "node" }
		ofGang := func(p *v1.Pod) { p.Labels[podgroups.PodGroupLabel] = "gang" }
		money := resource.MustParse("100")
		quota := &v1alpha1.Quota{Budget: &v1alpha1.Budget{Amount: money, Window: "day"}}
		spent := &v1alpha1.BudgetStatus{WindowStart: metav1.NewTime(start), Spent: "1.00", AccountedUntil: metav1.NewTime(start)}
		events := []func(){
			func() { w.room.agentSeen(priced("1")) },
			func() {
				w.queue("gpu", 3, budget("100", "day"), func(q *v1alpha1.Queue) { q.Status.Budget = spent })
			},
			func() { w.queue("default", 2) },
			func() { w.room.namespaceSeen(&v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "late"}}) },
			func() { w.room.namespaceSeen(&v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "free"}}) },
			func() {
				w.room.projectSeen(&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: v1alpha1.ProjectSpec{
					Organization: "lab", Concurrency: ptr.To(int32(3)), Quota: quota, Namespaces: v1alpha1.ProjectNamespaces{Names: []string{"late"}},
				}})
			},
			func() {
				w.room.organizationSeen(&v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "lab"}, Spec: v1alpha1.OrganizationSpec{
					DefaultQueue: "gpu", Quota: quota,
				}})
			},
			func() {
				group := testGroup("gang", 2)
				group.Namespace = "late"
				w.room.podGroupSeen(group)
			},
		}
		for _, pod := range []*v1.Pod{
			testPod("g1", "", created, in("late"), ofGang, onNode), testPod("g2", "", created, in("late"), ofGang, onNode),
			testPod("r1", "", created, in("late"), onNode), testPod("r2", "gpu", created, in("free"), onNode),
			testPod("w1", "", created, in("late")), testPod("w2", "", created, in("late")),
			testPod("w3", "", created, in("free")), testPod("w4", "gpu", created, in("free")),
		} {
			events = append(events, func() { w.create(pod); w.deliverFeed() })
		}
		for _, event := range rapid.Permutation(events).Draw(t, "order") {
			event()
		}
		w.clock.Step(time.Hour)
		w.room.countOn(nil, w.clock.Now())
		w.settle()

		require.Equal(t, []string{"w3"}, w.active(), "queue gpu is full")
		for _, limit := range []struct {
			kind  ledger.Kind
			name  string
			seats int64
			cpu   int64
		}{{ledger.Queue, "gpu", 3, 4000}, {ledger.Queue, "default", 1, 1000}, {ledger.Agent, "default", 4, 5000}, {ledger.Project, "vision", 2, 3000}, {ledger.Organization, "lab", 2, 3000}} {
			seats, resources, _ := w.room.ledger.NodeUsage(limit.kind, limit.name)
			require.Equal(t, limit.seats, seats, "%s %s", limit.kind, limit.name)
			require.Equal(t, limit.cpu, resources["cpu"], "%s %s", limit.kind, limit.name)
		}
		for key, want := range map[accountKey]string{{ledger.Queue, "gpu"}: "5.00", {ledger.Project, "vision"}: "3.00", {ledger.Organization, "lab"}: "3.00"} {
			account := w.room.accounts[key]
			require.NotNil(t, account, "%s", key.name)
			require.Equal(t, want, cost.Format(account.meter.Spent), "%s %s", key.kind, key.name)
		}
		require.NoError(t, w.room.ledger.CheckInvariants())
	})
}
