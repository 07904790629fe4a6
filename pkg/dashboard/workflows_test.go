package dashboard

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// workflowIn a namespace, which has begun; parent is the workflow around it, or nil.
func workflowIn(namespace, name string, parent *v1alpha1.Workflow, phase v1alpha1.Status) *v1alpha1.Workflow {
	w := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: partOf(parent)}, Spec: v1alpha1.WorkflowSpec{
		Entrypoint: "main", Queue: "gpu", Templates: []v1alpha1.WorkflowTemplate{{Name: "main", Operation: &v1alpha1.OperationTemplate{Component: "trainer"}}}}}
	w.Status.Phase, w.Status.Children = phase, v1alpha1.ChildCounts{Total: 7, Waiting: 3, Succeeded: 2}
	w.Status.Timeline = []v1alpha1.TimelineEntry{{Status: phase, Time: metav1.NowMicro(), Reason: "Test", Message: "its first operations wait in their queues"}}
	return w
}

func partOf(parent *v1alpha1.Workflow) map[string]string {
	if parent == nil {
		return nil
	}
	return map[string]string{v1alpha1.WorkflowLabel: parent.Name, v1alpha1.WorkflowUIDLabel: string(parent.UID)}
}

// A workflow stands in no line: it waits for what most of the operations in it wait for, at any depth.
func TestWorkflows(t *testing.T) {
	b := signedIn(t, Options{})
	ns := namespaceFor(t)
	nightly := workflowIn(ns, "nightly", nil, v1alpha1.StatusQueued)
	given(t, nightly)
	inner := workflowIn(ns, "nightly-inner", nightly, v1alpha1.StatusQueued)
	given(t, inner)
	given(t, workflowIn(ns, "done", nil, v1alpha1.StatusSucceeded))
	for name, reason := range map[string]string{"a": "QueueFull", "b": "QueueFull", "c": "WorkflowFull", "over": ""} {
		op := operationIn(ns, name, v1alpha1.StatusQueued)
		op.Labels = partOf(inner)
		if reason == "" {
			op.Status.Phase = v1alpha1.StatusSucceeded
		} else {
			op.Status.Conditions = []metav1.Condition{{Type: v1alpha1.WaitingCondition, Status: metav1.ConditionFalse, Reason: reason, Message: reason + " says why", LastTransitionTime: metav1.Now()}}
		}
		given(t, op)
	}

	names := func(query string) (names []string) {
		for _, r := range get[rowsView](b, "/workflows?sort=name&namespace="+ns+query).Items {
			names = append(names, r.Name)
		}
		return names
	}
	require.Equal(t, []string{"done", "nightly"}, names(""), "what is part of others is left out")
	require.Equal(t, []string{"done", "nightly", "nightly-inner"}, names("&children=shown"))
	require.Equal(t, []string{"nightly-inner"}, names("&workflow=nightly"))
	require.Equal(t, []string{"nightly"}, names("&filter=queuefull"))
	require.Equal(t, []string{"done"}, names("&status=succeeded&limit=1"))
	require.Empty(t, names("&queue=cpu"))

	view := get[rowsView](b, "/workflows?sort=name&namespace="+ns)
	require.Equal(t, map[v1alpha1.Status]int{"queued": 1, "succeeded": 1}, view.Statuses)
	require.Equal(t, "its first operations wait in their queues", view.Items[0].Message, "its own words, where nothing in it waits")
	waits := view.Items[1]
	require.Equal(t, "QueueFull", waits.Reason)
	require.Equal(t, "2 waiting: QueueFull says why; 1 more for other reasons", waits.Message)
	require.EqualValues(t, 7, waits.Counts.Total)
	require.EqualValues(t, 3, waits.Counts.Waiting)
	require.Equal(t, http.StatusBadRequest, b.do(http.MethodGet, "/api/v1/workflows?sort=colour", "").code)
}

// Who may not list workflows is told so, and sees none of other namespaces.
func TestWorkflowsOfOthers(t *testing.T) {
	b := serve(t, Options{Visitors: true})
	own := namespaceFor(t)
	given(t, workflowIn(own, "mine", nil, v1alpha1.StatusRunning))
	b.header.Set("Authorization", "Bearer "+visitorOf(t, own))
	for _, query := range []string{"", "?namespace=" + own} {
		view := get[rowsView](b, "/workflows"+query)
		require.Empty(t, view.Items, query)
		require.NotEmpty(t, view.Notes, query)
	}
}
