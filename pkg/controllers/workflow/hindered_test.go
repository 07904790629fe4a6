package workflow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// progressing is what a workflow says of why it does not go on.
func (w *world) progressing(flow *v1alpha1.Workflow) *metav1.Condition {
	w.Helper()
	return meta.FindStatusCondition(w.read(flow).Conditions, v1alpha1.ProgressingCondition)
}

// A workflow under way that is no longer valid says what is wrong, stops what is in it if it is told to, and goes on when it is valid again.
func TestNoLongerValid(t *testing.T) {
	t.Parallel()
	w := begin(t, "invalid")
	w.start(interceptor.Funcs{})
	hold := true
	w.ends = func(*v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		if hold {
			return "", nil
		}
		return v1alpha1.StatusSucceeded, nil
	}
	flow := w.create("m", `
entrypoint: main
templates:`+job+`
- name: main
  dag: {operations: [{name: a, template: job}, {name: b, template: job, dependsOn: [a]}]}
`)
	w.reach(flow, v1alpha1.StatusRunning)
	w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.Templates[1].DAG.Operations[1].Template = "jab" })
	w.until("it says what is wrong", func() bool { return w.progressing(flow) != nil })
	said := w.progressing(flow)
	assert.Equal(t, metav1.ConditionFalse, said.Status)
	assert.Equal(t, "InvalidWorkflow", said.Reason)
	assert.Contains(t, said.Message, `template "jab" does not exist`)
	assert.Contains(t, said.Message, "delete it and create it anew")
	hold = false
	w.until("what runs goes on", func() bool { ops := w.operations(); return len(ops) == 1 && ops[0].Status.Phase.Final() })
	w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.Templates[1].DAG.Operations[1].Template = "job" })
	status := w.reach(flow, v1alpha1.StatusSucceeded)
	assert.Equal(t, "2/2", status.Progress)
	w.until("it says nothing any more", func() bool { return w.progressing(flow) == nil })

	hold = true
	other := w.create("n", "entrypoint: job\ntemplates:"+job)
	w.reach(other, v1alpha1.StatusRunning)
	w.edit(other, func(s *v1alpha1.WorkflowSpec) { s.Entrypoint, s.DesiredState = "jab", v1alpha1.Stopped })
	w.until("what is in it is stopped", func() bool {
		for _, op := range w.operations() {
			if op.Labels[v1alpha1.WorkflowLabel] == "n" && op.Status.Phase != v1alpha1.StatusStopped {
				return false
			}
		}
		return true
	})
	w.edit(other, func(s *v1alpha1.WorkflowSpec) { s.Entrypoint = "job" })
	w.reach(other, v1alpha1.StatusStopped)
}

// A workflow whose operations the namespace has no room for says so, and goes on when there is room.
func TestChildrenRefusedForNow(t *testing.T) {
	t.Parallel()
	w := begin(t, "refused-for-now")
	const count = corev1.ResourceName("count/operations.queueyard.io")
	few := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "few"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{count: resource.MustParse("1")}}}
	require.NoError(t, admin.Create(t.Context(), few))
	w.until("the quota is counted", func() bool { // its controller counts no custom resources here
		require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(few), few))
		if few.Status.Hard == nil {
			return false
		}
		few.Status = corev1.ResourceQuotaStatus{Hard: few.Spec.Hard, Used: corev1.ResourceList{count: resource.MustParse("0")}}
		return admin.Status().Update(t.Context(), few) == nil
	})
	w.start(interceptor.Funcs{})
	flow := w.create("m", `
entrypoint: main
templates:`+job+`
- name: main
  dag: {operations: [{name: a, template: job}, {name: b, template: job, dependsOn: [a]}]}
`)
	w.until("it says what it waits for", func() bool { return w.progressing(flow) != nil })
	said := w.progressing(flow)
	assert.Equal(t, "ResourceQuotaExceeded", said.Reason)
	assert.Contains(t, said.Message, "exceeded quota: few, requested: count/operations.queueyard.io=1, used: count/operations.queueyard.io=1")
	assert.Equal(t, v1alpha1.StatusRunning, flow.Status.Phase)
	assert.Len(t, w.operations(), 1)
	require.NoError(t, admin.Delete(t.Context(), few))
	w.reach(flow, v1alpha1.StatusSucceeded)
	require.Eventually(t, func() bool { return w.progressing(flow) == nil }, 10*time.Second, 10*time.Millisecond)
}
