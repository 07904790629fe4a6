package queue

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestDecide(t *testing.T) {
	now := metav1.Now()
	mine, theirs := v1alpha1.QueueFinalizer, "example.com/other"
	for name, tc := range map[string]struct {
		deleted    bool
		kept       bool
		finalizers []string
		status     v1alpha1.QueueStatus
		want       []string
		changed    bool
	}{
		"new queue":                  {want: []string{mine}, changed: true},
		"has it":                     {finalizers: []string{mine}, want: []string{mine}},
		"beside another's":           {finalizers: []string{theirs}, want: []string{theirs, mine}, changed: true},
		"deleted, not seen yet":      {deleted: true, finalizers: []string{mine}, status: v1alpha1.QueueStatus{ObservedGeneration: 6}, want: []string{mine}},
		"deleted, one waits":         {deleted: true, finalizers: []string{mine}, status: v1alpha1.QueueStatus{ObservedGeneration: 7, Pending: 1}, want: []string{mine}},
		"deleted, one runs":          {deleted: true, finalizers: []string{mine}, status: v1alpha1.QueueStatus{ObservedGeneration: 7, Admitted: 1}, want: []string{mine}},
		"deleted, one is elsewhere":  {deleted: true, kept: true, finalizers: []string{mine}, status: v1alpha1.QueueStatus{ObservedGeneration: 7}, want: []string{mine}},
		"deleted and empty":          {deleted: true, finalizers: []string{theirs, mine}, status: v1alpha1.QueueStatus{ObservedGeneration: 7}, want: []string{theirs}, changed: true},
		"deleted before it had it":   {deleted: true, finalizers: []string{theirs}, status: v1alpha1.QueueStatus{ObservedGeneration: 7}, want: []string{theirs}},
		"deleted, newer observation": {deleted: true, finalizers: []string{mine}, status: v1alpha1.QueueStatus{ObservedGeneration: 8}, want: []string{}, changed: true},
	} {
		t.Run(name, func(t *testing.T) {
			q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "q", Generation: 7, Finalizers: tc.finalizers}, Status: tc.status}
			if tc.deleted {
				q.DeletionTimestamp = &now
			}
			assert.Equal(t, tc.changed, decide(q, tc.kept))
			assert.Equal(t, tc.want, q.Finalizers)
		})
	}
}

// Where an agent has told nothing of a queue, or operations have no pods, its status counts nothing; they are there all the same.
func TestOperationsKeepAQueue(t *testing.T) {
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "gpu", Generation: 2, Finalizers: []string{v1alpha1.QueueFinalizer}}, Status: v1alpha1.QueueStatus{ObservedGeneration: 2}}
	op := func(name, queue, agent string, phase v1alpha1.Status) *v1alpha1.Operation {
		return &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}, Status: v1alpha1.OperationStatus{Queue: queue, Agent: agent, Phase: phase}}
	}
	podless, pauses := op("podless", "gpu", "", v1alpha1.StatusQueued), op("pauses", "gpu", "", v1alpha1.StatusRetrying)
	waits, runs := op("waits", "gpu", "east", v1alpha1.StatusQueued), op("runs", "gpu", "east", v1alpha1.StatusRunning)
	c := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.Operation{}).WithObjects(
		q, podless, pauses, waits, runs, op("held", "gpu", "", v1alpha1.StatusOnSchedule), op("ended", "gpu", "east", v1alpha1.StatusSucceeded), op("other", "cpu", "east", v1alpha1.StatusRunning)).Build()
	r := &Reconciler{client: c}
	require.NoError(t, c.Delete(t.Context(), q))
	look := func() ctrl.Result {
		result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(q)})
		require.NoError(t, err)
		return result
	}
	for _, left := range []*v1alpha1.Operation{waits, runs, pauses, podless} {
		assert.Equal(t, lookAgain, look().RequeueAfter, "%s is in it", left.Name)
		require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(q), q))
		left.Status.Phase = v1alpha1.StatusStopped
		require.NoError(t, c.Status().Update(t.Context(), left))
	}
	assert.Zero(t, look())
	assert.True(t, apierrors.IsNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(q), q)))
}
