package flow

import (
	"context"
	"slices"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/workflow"
	"github.com/queueyard/queueyard/pkg/workflow/family"
	"github.com/queueyard/queueyard/pkg/workflow/plan"
)

// Shape is what a workflow is made of. It stays the same as long as the workflow exists.
type Shape struct {
	// Matrix, or nil: a dag.
	Matrix *v1alpha1.Matrix
	// nodes of a dag, of which nothing is known but what is written in the workflow.
	nodes []Node
	graph *workflow.Graph
	index map[string]int
}

// ShapeOf finds out what depends on what, also by expressions.
func ShapeOf(ctx context.Context, w *v1alpha1.Workflow) *Shape {
	s := &Shape{index: map[string]int{}}
	var steps []v1alpha1.Step
	t := templateOf(w, w.Spec.Entrypoint)
	switch {
	case t == nil:
	case t.Matrix != nil:
		s.Matrix = t.Matrix
		return s
	case t.DAG != nil:
		steps = t.DAG.Operations
	default:
		steps = []v1alpha1.Step{{Name: t.Name, Template: t.Name}}
	}
	if p, err := plan.Compile(ctx, w); err == nil {
		s.graph = p.Graph
	} else { // it says so in its status, and its steps are worth seeing all the same
		nodes := make([]workflow.Node, len(steps))
		for i, step := range steps {
			nodes[i] = workflow.Node{Name: step.Name, DependsOn: step.DependsOn, Trigger: step.Trigger}
		}
		s.graph, _ = workflow.NewGraph(nodes)
	}
	if e := w.Spec.OnExit; e != nil {
		steps = append(slices.Clone(steps), v1alpha1.Step{Name: plan.ExitName, Template: e.Template, Component: e.Component})
	}
	for i, step := range steps {
		n := Node{Step: step.Name, Kind: "operation", Of: step.Template + step.Component, Needs: s.needs(i), Trigger: step.Trigger, When: step.When}
		n.AtEnd = w.Spec.OnExit != nil && i == len(steps)-1
		if t := templateOf(w, step.Template); t != nil && t.DAG != nil {
			n.Kind = "dag"
		} else if t != nil && t.Matrix != nil {
			n.Kind = "matrix"
		}
		s.index[step.Name] = i
		s.nodes = append(s.nodes, n)
	}
	return s
}

func templateOf(w *v1alpha1.Workflow, name string) *v1alpha1.WorkflowTemplate {
	i := slices.IndexFunc(w.Spec.Templates, func(t v1alpha1.WorkflowTemplate) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &w.Spec.Templates[i]
}

// needs are the steps that a step depends on; what runs at the end, on those that nothing else depends on.
func (s *Shape) needs(step int) []int {
	out := []int{}
	if s.graph == nil {
		return out
	}
	if step < s.graph.Len() {
		for _, u := range s.graph.Upstreams(step) {
			out = append(out, int(u))
		}
		return out
	}
	for i := range s.graph.Len() {
		if len(s.graph.Dependents(i)) == 0 {
			out = append(out, i)
		}
	}
	return out
}

// Node is a step of a dag, whether it exists already or not.
type Node struct {
	// Step is its name.
	Step string `json:"step"`
	// Kind is operation, dag or matrix; Of is the template or component.
	Kind string `json:"kind"`
	Of   string `json:"of"`
	// Needs are the nodes that it depends on, by their places.
	Needs   []int            `json:"needs"`
	Trigger v1alpha1.Trigger `json:"trigger,omitempty"`
	When    string           `json:"when,omitempty"`
	// AtEnd: it runs when all else is over.
	AtEnd bool `json:"atEnd,omitempty"`
	// Name of the operation or workflow, once there is one; Counts of its children.
	Name    string          `json:"name,omitempty"`
	Status  v1alpha1.Status `json:"status,omitempty"`
	Message string          `json:"message,omitempty"`
	Counts  *Counts         `json:"counts,omitempty"`
}

// stand are the nodes with what is known of the children.
func (s *Shape) stand(latest []family.Member) []Node {
	nodes := slices.Clone(s.nodes)
	var statuses []workflow.Status
	if s.graph != nil {
		statuses = make([]workflow.Status, s.graph.Len())
	}
	for _, c := range latest {
		i, is := s.index[c.Step]
		if !is {
			continue
		}
		n := &nodes[i]
		n.Name, n.Status, n.Message = c.GetName(), stateOf(c.Object).phase, messageOf(c.Object)
		if inner, is := c.Object.(*v1alpha1.Workflow); is {
			counts := CountsOf(inner.Status.Children)
			n.Counts = &counts
		}
		if i < len(statuses) {
			statuses[i] = workflow.StatusOf(n.Status)
		}
	}
	if s.graph == nil {
		return nodes
	}
	progress := workflow.NewProgress(s.graph, statuses)
	for i := range nodes {
		switch n := &nodes[i]; {
		case n.Name != "":
		case n.AtEnd:
			n.Message = "runs when all else is over"
		default:
			n.Message = progress.Waiting(i)
		}
	}
	return nodes
}
