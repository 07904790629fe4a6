package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
	"github.com/queueyard/queueyard/pkg/suggest"
)

// What runs: operations and workflows, and beside them the pods and Jobs that are in queues without one.
var (
	operationKind = kind{"operation", "operations", func() client.ObjectList { return &v1alpha1.OperationList{} }, true}
	workflowKind  = kind{"workflow", "workflows", func() client.ObjectList { return &v1alpha1.WorkflowList{} }, true}
	jobKind       = kind{"job", "jobs", func() client.ObjectList { return &batchv1.JobList{} }, true}
	podKind       = kind{"pod", "pods", func() client.ObjectList { return &corev1.PodList{} }, true}
)

// short is how a kind is written before a name.
var short = map[string]kind{
	"op": operationKind, "ops": operationKind, "operation": operationKind, "operations": operationKind,
	"wf": workflowKind, "wfs": workflowKind, "workflow": workflowKind, "workflows": workflowKind,
	"job": jobKind, "jobs": jobKind, "po": podKind, "pod": podKind, "pods": podKind,
}

func (k kind) new() client.Object {
	switch k.singular {
	case operationKind.singular:
		return &v1alpha1.Operation{}
	case workflowKind.singular:
		return &v1alpha1.Workflow{}
	case jobKind.singular:
		return &batchv1.Job{}
	}
	return &corev1.Pod{}
}

// whatRuns are the kinds that most commands take.
var whatRuns = []kind{operationKind, workflowKind}

// resolve finds what a NAME or KIND/NAME means among some kinds.
func (c *cluster) resolve(ctx context.Context, name string, kinds ...kind) (client.Object, error) {
	if before, after, ok := strings.Cut(name, "/"); ok {
		k, known := short[strings.TrimSuffix(before, "."+v1alpha1.GroupVersion.Group)]
		if !known || !slices.ContainsFunc(kinds, func(x kind) bool { return x.singular == k.singular }) {
			return nil, fmt.Errorf("%q is no kind that this takes%s: write %s before the slash", before, suggest.DidYouMean(before, kindNames(kinds)), either(kindNames(kinds)))
		}
		kinds, name = []kind{k}, after
	}
	var found []client.Object
	for _, k := range kinds {
		o := k.new()
		err := c.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, o)
		switch {
		case apierrors.IsNotFound(err):
		case apierrors.IsForbidden(err) && len(kinds) > 1 && k.singular != operationKind.singular:
		case err != nil:
			return nil, err
		default:
			found = append(found, o)
		}
	}
	switch len(found) {
	case 0:
		return nil, c.unknown(ctx, name, kinds...)
	case 1:
		return found[0], nil
	}
	var written []string
	for _, o := range found {
		written = append(written, queueyard.Title(o))
	}
	return nil, fmt.Errorf("%q is the name of several in namespace %s: write %s", name, c.namespace, strings.Join(written, " or "))
}

func kindNames(kinds []kind) []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.singular)
	}
	return names
}

// kindOf is the kind of what runs.
func kindOf(o client.Object) kind {
	switch o.(type) {
	case *v1alpha1.Operation:
		return operationKind
	case *v1alpha1.Workflow:
		return workflowKind
	case *batchv1.Job:
		return jobKind
	}
	return podKind
}

// result is the exit code of what came of something that was followed.
func result(phase v1alpha1.Status) error {
	switch phase {
	case v1alpha1.StatusFailed, v1alpha1.StatusUpstreamFailed:
		return outcome{code: codeFailed}
	case v1alpha1.StatusStopped:
		return outcome{code: codeStopped}
	}
	return nil
}
