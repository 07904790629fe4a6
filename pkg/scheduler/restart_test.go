package scheduler

import (
	"testing"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

// Informers begin in any order: what runs counts where it did before, also if it is seen before the queue, the project
// and the namespace that say where.
func TestWhatRunsIsSeenBeforeWhatItCountsAgainst(t *testing.T) {
	w := newStandby(testContext(t))
	running := func(p *v1.Pod) { p.Namespace, p.Spec.NodeName = "late", "node" }
	w.create(testPod("a", "", running))
	w.settle()
	w.queue("gpu", 1)
	w.room.projectSeen(&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: v1alpha1.ProjectSpec{
		DefaultQueue: "gpu", Concurrency: ptr.To(int32(1)), Namespaces: v1alpha1.ProjectNamespaces{Names: []string{"late"}},
	}})
	w.room.namespaceSeen(&v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "late"}})
	w.room.countOn(nil, w.clock.Now())
	w.create(testPod("b", "", func(p *v1.Pod) { p.Namespace = "late" }))
	w.settle()
	require.Empty(t, w.active(), "the seat is taken")
	for _, limit := range []struct {
		kind ledger.Kind
		name string
	}{{ledger.Queue, "gpu"}, {ledger.Project, "vision"}} {
		seats, _, _ := w.room.ledger.NodeUsage(limit.kind, limit.name)
		require.EqualValues(t, 1, seats, limit.name)
	}
}

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
