package cli

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// family is a workflow and all below it.
type family struct {
	// children by the UID of their workflow, in the order of their places.
	children   map[string][]client.Object
	operations []*v1alpha1.Operation
}

// below reads all that is part of a workflow, at any depth.
func (c *cluster) below(ctx context.Context, root *v1alpha1.Workflow) (*family, error) {
	workflows, operations := &v1alpha1.WorkflowList{}, &v1alpha1.OperationList{}
	for _, list := range []client.ObjectList{workflows, operations} {
		if err := c.List(ctx, list, client.InNamespace(root.Namespace), client.HasLabels{v1alpha1.WorkflowUIDLabel}); err != nil {
			return nil, err
		}
	}
	f := &family{children: map[string][]client.Object{}}
	for i := range workflows.Items {
		f.add(&workflows.Items[i])
	}
	for i := range operations.Items {
		f.add(&operations.Items[i])
	}
	f.operations = f.leaves(string(root.UID), nil)
	return f, nil
}

func (f *family) add(o client.Object) {
	parent := o.GetLabels()[v1alpha1.WorkflowUIDLabel]
	f.children[parent] = append(f.children[parent], o)
}

// leaves are the operations below a workflow.
func (f *family) leaves(uid string, into []*v1alpha1.Operation) []*v1alpha1.Operation {
	for _, o := range f.children[uid] {
		switch o := o.(type) {
		case *v1alpha1.Operation:
			into = append(into, o)
		case *v1alpha1.Workflow:
			into = f.leaves(string(o.UID), into)
		}
	}
	return into
}
