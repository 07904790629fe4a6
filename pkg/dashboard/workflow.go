package dashboard

import (
	"context"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/dashboard/flow"
	"github.com/queueyard/queueyard/pkg/workflow/family"
)

// shapes are those of workflows that were looked at lately. Caches leave out what they are made of.
type shapes struct {
	mu    sync.Mutex
	byUID map[types.UID]*flow.Shape
}

// manyShapes is how many are kept.
const manyShapes = 1000

func (s *shapes) of(ctx context.Context, v *visitor, w *v1alpha1.Workflow) (*flow.Shape, error) {
	s.mu.Lock()
	shape := s.byUID[w.UID]
	s.mu.Unlock()
	if shape != nil {
		return shape, nil
	}
	whole := &v1alpha1.Workflow{}
	if err := v.Get(ctx, client.ObjectKeyFromObject(w), whole); err != nil {
		return nil, err
	}
	shape = flow.ShapeOf(ctx, whole)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byUID == nil || len(s.byUID) >= manyShapes {
		s.byUID = map[types.UID]*flow.Shape{}
	}
	s.byUID[whole.UID] = shape
	return shape, nil
}

// family is the workflow of a call with all in it, and the names of those around it.
func (c *call) family() (f *family.Family, within []string, err error) {
	namespace, name := c.PathValue("namespace"), c.PathValue("name")
	workflows, err := objects[*v1alpha1.Workflow](c.Context(), c.visitor, workflowKind, namespace)
	if err != nil {
		return nil, nil, err
	}
	operations, err := objects[*v1alpha1.Operation](c.Context(), c.visitor, operationKind, namespace)
	if err != nil {
		return nil, nil, err
	}
	byUID := make(map[types.UID]*v1alpha1.Workflow, len(workflows))
	var root *v1alpha1.Workflow
	for _, w := range workflows {
		byUID[w.UID] = w
		if w.Name == name {
			root = w
		}
	}
	if root == nil {
		return nil, nil, apierrors.NewNotFound(schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "workflows"}, name)
	}
	for w := byUID[parentOf(root)]; w != nil; w = byUID[parentOf(w)] {
		within = append(within, w.Name)
	}
	slices.Reverse(within)
	return family.Of(root, workflows, operations), within, nil
}

func parentOf(o client.Object) types.UID { return types.UID(o.GetLabels()[v1alpha1.WorkflowUIDLabel]) }

func (s *Server) workflow(c *call) (any, error) {
	f, within, err := c.family()
	if err != nil {
		return nil, err
	}
	if _, err := s.shapes.of(c.Context(), c.visitor, f.Root); err != nil {
		return nil, err
	}
	shapeOf := func(w *v1alpha1.Workflow) *flow.Shape {
		shape, err := s.shapes.of(c.Context(), c.visitor, w)
		if err != nil {
			return &flow.Shape{} // it was just deleted: what it has is shown without the steps to come
		}
		return shape
	}
	folds, query := flow.Folds{}, c.URL.Query()
	for _, id := range query["open"] {
		folds[id] = true
	}
	for _, id := range query["closed"] {
		folds[id] = false
	}
	return flow.PageOf(f, shapeOf, within, folds, s.options.Now()), nil
}

func (s *Server) sweep(c *call) (any, error) {
	f, within, err := c.family()
	if err != nil {
		return nil, err
	}
	shape, err := s.shapes.of(c.Context(), c.visitor, f.Root)
	if err != nil {
		return nil, err
	}
	if shape.Matrix == nil {
		return nil, bad("workflow " + f.Root.Name + " is no matrix and has no trials: look at its own page")
	}
	return flow.SweepOf(f, shape, within, s.options.Now()), nil
}
