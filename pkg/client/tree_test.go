package client

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/workflow/family"
)

// child is an operation of a workflow.
func child(workflow, name string, status v1alpha1.Status, labels map[string]string) *v1alpha1.Operation {
	o := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID(name), Labels: map[string]string{v1alpha1.WorkflowUIDLabel: workflow}}}
	for key, value := range labels {
		o.Labels[key] = value
	}
	o.Status.Phase = status
	return o
}

func workflow(name, parent string) *v1alpha1.Workflow {
	w := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID(name)}}
	if parent != "" {
		w.Labels = map[string]string{v1alpha1.WorkflowUIDLabel: parent}
	}
	return w
}

func familyOf(root *v1alpha1.Workflow, objects []client.Object) *family.Family {
	var workflows []*v1alpha1.Workflow
	var operations []*v1alpha1.Operation
	for _, o := range objects {
		switch o := o.(type) {
		case *v1alpha1.Workflow:
			workflows = append(workflows, o)
		case *v1alpha1.Operation:
			operations = append(operations, o)
		}
	}
	return family.Of(root, workflows, operations)
}

func at(index, attempt int) map[string]string {
	return map[string]string{v1alpha1.IndexLabel: strconv.Itoa(index), v1alpha1.WorkflowAttemptLabel: strconv.Itoa(attempt)}
}

// Siblings of a matrix are one group, in which only the last attempt at each place counts; steps of a dag are one each.
func TestTree(t *testing.T) {
	root := workflow("sweep", "")
	objects := []client.Object{
		child("sweep", "c", v1alpha1.StatusQueued, at(2, 1)),
		child("sweep", "a-2", v1alpha1.StatusSucceeded, at(0, 2)),
		child("sweep", "a-1", v1alpha1.StatusFailed, at(0, 1)),
		child("sweep", "b", v1alpha1.StatusSkipped, at(1, 1)),
		child("sweep", "ask", v1alpha1.StatusRunning, map[string]string{v1alpha1.IterationLabel: "0"}),
		workflow("nested", "sweep"),
		child("nested", "report", v1alpha1.StatusRunning, map[string]string{v1alpha1.IndexLabel: "1", v1alpha1.StepLabel: "report"}),
		child("nested", "measure", v1alpha1.StatusUpstreamFailed, map[string]string{v1alpha1.IndexLabel: "0", v1alpha1.StepLabel: "measure"}),
		child("other", "stranger", v1alpha1.StatusRunning, at(0, 1)),
	}
	objects[5].GetLabels()[v1alpha1.IndexLabel] = "3"
	tree := TreeOf(familyOf(root, objects), noon)
	require.Equal(t, "[×4: 1 ✔ 2 ○ 1 ⊘ ×1: 1 ●]", fmt.Sprint(tree.Groups), "nested has no status yet")
	require.True(t, tree.Groups[1].Suggests)
	require.Equal(t, []string{"a-1", "a-2", "b", "c", "nested", "ask"}, names(tree.Children))
	nested := tree.Children[4]
	require.Equal(t, []string{"measure", "report"}, names(nested.Children))
	require.Equal(t, "[×1: 1 ✖ ×1: 1 ●]", fmt.Sprint(nested.Groups))
	f := familyOf(root, objects)
	require.Len(t, f.Operations(f.Children(root)), 7)
}

func names(nodes []*Node) []string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.Name)
	}
	return out
}

// Whatever a workflow has: nobody is lost in groups, and counts add up to the places.
func TestGroupsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var objects []client.Object
		places := map[string]bool{}
		for i := range rapid.IntRange(0, 40).Draw(t, "children") {
			labels := at(rapid.IntRange(0, 9).Draw(t, "index"), rapid.IntRange(1, 3).Draw(t, "attempt"))
			if rapid.Bool().Draw(t, "step") {
				labels[v1alpha1.StepLabel] = "step-" + labels[v1alpha1.IndexLabel]
			}
			places[labels[v1alpha1.StepLabel]+"/"+labels[v1alpha1.IndexLabel]] = true
			objects = append(objects, child("root", fmt.Sprint(i), rapid.SampledFrom(AllStatuses).Draw(t, "status"), labels))
		}
		tree := TreeOf(familyOf(workflow("root", ""), objects), noon)
		require.Len(t, tree.Children, len(objects))
		total := 0
		for _, g := range tree.Groups {
			sum := 0
			for _, n := range g.Counts {
				sum += n
			}
			require.Equal(t, g.Total, sum)
			total += sum
		}
		require.Equal(t, len(places), total)
	})
}
