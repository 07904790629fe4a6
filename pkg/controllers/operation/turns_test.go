package operation

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// An evicted agent that is fenced does not answer: what it had is not running as far as anybody knows.
func TestWhatAFencedAgentHadIsUnknown(t *testing.T) {
	elsewhere(t, "fenced")
	start(t, interceptor.Funcs{})
	op := podOperation("was-there", "fenced")
	require.NoError(t, admin.Create(t.Context(), op))
	a := assigned(t, op, "fenced")
	claim(t, a)
	begins(t, a)
	reaches(t, op, v1alpha1.StatusRunning)
	heard(t, "fenced", metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonUnreachable})
	reaches(t, op, v1alpha1.StatusUnknown)

	agent := &v1alpha1.Agent{}
	require.NoError(t, admin.Get(t.Context(), client.ObjectKey{Name: "fenced"}, agent))
	old := agent.DeepCopy()
	agent.Status.Fenced = true
	meta.SetStatusCondition(&agent.Status.Conditions, metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionFalse, Reason: "Evicted"})
	require.NoError(t, admin.Status().Patch(t.Context(), agent, client.MergeFrom(old)))
	require.NoError(t, admin.Delete(t.Context(), a)) // as the hub does before it takes the finalizer off
	marker := podOperation("looked-at-later", "fenced")
	require.NoError(t, admin.Create(t.Context(), marker))
	reaches(t, marker, v1alpha1.StatusQueued)
	letGo(t, a)
	eventually(t, "it counts as lost", func() bool { return read(t, op).Lost == 1 })
	for _, e := range op.Status.Timeline {
		assert.NotEqual(t, "Recovered", e.Reason, "%v", op.Status.Timeline)
	}
}

// A queue may be given to another cluster while a pod for it is being made: the pod is refused, and the operation goes there.
func TestARefusedPodOfAQueueThatMoved(t *testing.T) {
	elsewhere(t, "refuses")
	queue := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "refused"}, Spec: v1alpha1.QueueSpec{Agent: "default"}}
	require.NoError(t, admin.Create(t.Context(), queue))
	var once sync.Once
	start(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
		pod, is := o.(*corev1.Pod)
		if !is || pod.Labels[v1alpha1.QueueLabel] != queue.Name {
			return c.Create(ctx, o, options...)
		}
		var err error
		once.Do(func() {
			before := queue.DeepCopy()
			queue.Spec.Agent = "refuses"
			err = admin.Patch(ctx, queue, client.MergeFrom(before))
		})
		if err != nil {
			return err
		}
		return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, pod.Name, fmt.Errorf("queue %q is served by agent %q in another cluster", queue.Name, "refuses"))
	}})
	op := podOperation("is-moved", queue.Name)
	require.NoError(t, admin.Create(t.Context(), op))
	assigned(t, op, "refuses")
	assert.Equal(t, v1alpha1.StatusQueued, read(t, op).Phase)
}

// Without its namespace an agent has not joined, though it has been there once. What is for it waits.
func TestAnAgentThatLeft(t *testing.T) {
	agent := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "left"}, Spec: v1alpha1.AgentSpec{Remote: true}}
	require.NoError(t, admin.Create(t.Context(), agent))
	require.NoError(t, admin.Create(t.Context(), &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "left"}, Spec: v1alpha1.QueueSpec{Agent: "left"}}))
	heard(t, "left", metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotJoined})
	var tried atomic.Bool
	start(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
		err := c.Create(ctx, o, options...)
		if _, is := o.(*v1alpha1.Assignment); is && apierrors.IsNotFound(err) {
			tried.Store(true)
		}
		return err
	}})
	op := podOperation("stays", "left")
	require.NoError(t, admin.Create(t.Context(), op))
	assert.Contains(t, says(t, op, "AgentClosed").Message, "qy agents join left")
	assert.Equal(t, v1alpha1.StatusQueued, read(t, op).Phase)

	// It is not known yet that its namespace is gone.
	heard(t, "left", metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionTrue, Reason: "Serving"})
	eventually(t, "it is tried", func() bool { return tried.Load() })
	require.NoError(t, admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.AgentNamespace("left")}}))
	assigned(t, op, "left")
}
