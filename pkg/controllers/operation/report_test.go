package operation

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// What waits says why, with the numbers, until it has a node.
func TestWhyItWaits(t *testing.T) {
	start(t, interceptor.Funcs{})
	shut := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "shut"}, Spec: v1alpha1.QueueSpec{Concurrency: ptr.To[int32](0)}}
	require.NoError(t, admin.Create(t.Context(), shut))
	outer := workflowWith(t, "why-outer", 1, nil)
	inner := workflowWith(t, "why-inner", 1, outer)
	goes, waits, queued := child("why-goes", "", inner), child("why-waits", "", inner), podOperation("why-queued", "shut")
	require.NoError(t, admin.Create(t.Context(), goes))
	first := podOf(t, goes, "1")
	require.NoError(t, admin.Create(t.Context(), waits))
	require.NoError(t, admin.Create(t.Context(), queued))
	require.Equal(t, "workflow why-inner: 1/1 operations running, its parent why-outer 1/1; position 1 of 1", says(t, waits, "WorkflowFull").Message)
	require.Equal(t, "queue shut admits no operations: its concurrency is 0; raise it", says(t, queued, "NeverFits").Message)

	finish(t, first)
	finish(t, podOf(t, waits, "1"))
	reaches(t, waits, v1alpha1.StatusSucceeded)
	require.Nil(t, meta.FindStatusCondition(waits.Status.Conditions, v1alpha1.WaitingCondition))
}

// says waits until an operation says that it waits for a reason.
func says(t *testing.T, op *v1alpha1.Operation, reason string) *metav1.Condition {
	t.Helper()
	var c *metav1.Condition
	eventually(t, op.Name+" says why", func() bool {
		c = meta.FindStatusCondition(read(t, op).Conditions, v1alpha1.WaitingCondition)
		return c != nil && c.Reason == reason
	})
	return c
}

// finish leads a pod to its end, once nothing keeps it from its queue.
func finish(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	eventually(t, pod.Name+" has no gate", func() bool {
		require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
		return !isGated(pod)
	})
	bind(t, pod)
	report(t, pod, corev1.PodRunning, running())
	report(t, pod, corev1.PodSucceeded, ended(0, ""))
}
