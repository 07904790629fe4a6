package operation

import (
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// setLimit changes how many operations of a workflow may be in flight.
func setLimit(t *testing.T, w *v1alpha1.Workflow, limit int32) {
	t.Helper()
	before := w.DeepCopy()
	w.Spec.Concurrency = ptr.To(limit)
	require.NoError(t, admin.Patch(t.Context(), w, client.MergeFrom(before)))
}

// What would begin by being there, as a Job does, is not made before its workflow releases it.
func TestJobWaitsForItsRelease(t *testing.T) {
	start(t, interceptor.Funcs{})
	w := workflowWith(t, "gate-job", 1, nil)
	first, second := child("gate-job-first", "", w), child("gate-job-second", "", w)
	second.Spec.Template = &v1alpha1.RunTemplate{Job: &runtime.RawExtension{Raw: []byte(`{"spec":{"template":` + podTemplate + `}}`)}}
	require.NoError(t, admin.Create(t.Context(), first))
	pod := podOf(t, first, "1")
	require.NoError(t, admin.Create(t.Context(), second))
	says(t, second, "WorkflowFull")
	made := func() int {
		jobs := &batchv1.JobList{}
		require.NoError(t, admin.List(t.Context(), jobs, client.MatchingLabels{v1alpha1.OperationUIDLabel: string(second.UID)}))
		return len(jobs.Items)
	}
	require.Zero(t, made())
	finish(t, pod)
	eventually(t, "the Job is made", func() bool { return made() == 1 })
	require.False(t, isGated(podOf(t, second, "1")))
}

// A lower limit stops nothing and releases nothing; a higher one releases at once.
func TestLimitOfAWorkflowChanges(t *testing.T) {
	start(t, interceptor.Funcs{})
	w := workflowWith(t, "gate-limit", 2, nil)
	enter := func(name string) *v1alpha1.Operation {
		op := child("gate-limit-"+name, "", w)
		require.NoError(t, admin.Create(t.Context(), op))
		podOf(t, op, "1")
		return op
	}
	pod := func(op *v1alpha1.Operation) *corev1.Pod { return podOf(t, op, "1") }
	a, b, c := enter("a"), enter("b"), enter("c")
	require.False(t, isGated(pod(a)) || isGated(pod(b)))
	require.True(t, isGated(pod(c)))

	setLimit(t, w, 1)
	// Those that come later say what the controller knows by then.
	d := enter("d")
	require.Equal(t, "workflow gate-limit: 2/1 operations running; position 2 of 2", says(t, d, "WorkflowFull").Message)
	for _, op := range []*v1alpha1.Operation{a, b} {
		require.Nil(t, pod(op).DeletionTimestamp, "what is in flight stays")
		require.False(t, isGated(pod(op)))
	}
	finish(t, pod(a))
	reaches(t, a, v1alpha1.StatusSucceeded)
	e := enter("e")
	require.Equal(t, "workflow gate-limit: 1/1 operations running; position 3 of 3", says(t, e, "WorkflowFull").Message)
	for _, op := range []*v1alpha1.Operation{c, d, e} {
		require.True(t, isGated(pod(op)), "room that is gone is given to nobody")
	}

	setLimit(t, w, 3)
	eventually(t, "the next two are released", func() bool { return !isGated(pod(c)) && !isGated(pod(d)) })
	require.True(t, isGated(pod(e)))
	require.Nil(t, pod(b).DeletionTimestamp)
}
