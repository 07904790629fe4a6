package plan

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"

	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/expression"
	"github.com/queueyard/queueyard/pkg/params"
	"github.com/queueyard/queueyard/pkg/search"
	"github.com/queueyard/queueyard/pkg/workflow"
)

// Plan is what a workflow runs: its entrypoint with the params it was given. It does not change.
type Plan struct {
	workflow *v1alpha1.Workflow // its spec is only read
	compiler *compiler
	scope    scope
	body     body
	exit     *step

	// Graph of a dag; nil for a matrix.
	Graph *workflow.Graph
	// Search of a matrix; nil for a dag.
	Search search.Algorithm
	// Iterations are the search of a matrix whose trials an operation suggests, before it was asked; else nil.
	Iterations *search.Iterations
	// EarlyStopping is the workflow's, else the matrix's.
	EarlyStopping *v1alpha1.EarlyStopping
	// Policies that stop trials of a matrix while they run.
	Policies []workflow.StoppingPolicy
	// Metric of a matrix that has one.
	Metric *v1alpha1.Metric
	// fixed are the params that all trials get.
	fixed map[string]any
	// outline is set in the plan of a workflow that does not exist yet; else nil.
	outline *Outline
}

// Compile makes the plan of a workflow that was found sound; what only values show is told here.
func Compile(ctx context.Context, w *v1alpha1.Workflow) (*Plan, error) {
	given, err := scopeOf(w)
	if err != nil {
		return nil, err
	}
	return compile(ctx, w, given, nil)
}

func compile(ctx context.Context, w *v1alpha1.Workflow, given scope, outline *Outline) (_ *Plan, err error) {
	c := newCompiler(&w.Spec)
	t, at := c.template(w.Spec.Entrypoint)
	if t == nil {
		return nil, fmt.Errorf("spec.entrypoint: template %q does not exist", w.Spec.Entrypoint)
	}
	p := &Plan{workflow: w, compiler: c, EarlyStopping: w.Spec.EarlyStopping, outline: outline}
	if outline != nil {
		outline.Plan = p
	}
	if p.scope, err = given.inside(t.Inputs, "spec.params"); err != nil {
		return nil, err
	}
	seen := types{}.with(types(nil).with(keys(p.scope)...).names()...)
	p.body = c.body(t, at, seen)
	if exit := exitStep(&w.Spec); exit != nil {
		s := c.exitStep(exit, seen)
		p.exit = &s
	}
	if err := c.problems.err(); err != nil {
		return nil, err
	}
	p.Graph = p.body.graph
	if m := t.Matrix; m != nil {
		p.Metric, p.Policies = p.body.trials.metric, p.body.trials.policies
		if p.EarlyStopping == nil {
			p.EarlyStopping = m.EarlyStopping
		} else {
			p.Policies = c.policies(p.EarlyStopping, m, "spec")
		}
		return p, p.search(ctx, p.body.trials)
	}
	return p, nil
}

func keys(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	return out
}

// search renders the space of a matrix and makes its algorithm. A mapping over nothing that an expression gave is
// a matrix without trials.
func (p *Plan) search(ctx context.Context, t *trials) error {
	if o := p.outline; o != nil {
		var err error
		if p.fixed, err = o.given(ctx, &t.step); err != nil || o.isOpen(t.space.References()) {
			return err
		}
	}
	rendered, errs := t.space.Render(ctx, p.values(nil, nil))
	if err := errs.Err(); err != nil {
		return err
	}
	raw, err := json.Marshal(rendered)
	if err != nil {
		return err
	}
	spec, err := search.Parse(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", p.body.path, err)
	}
	if p.Search, err = search.New(spec, seedOf(p.workflow)); err != nil {
		return fmt.Errorf("%s: %w", p.body.path, err)
	}
	p.Iterations, _ = p.Search.(*search.Iterations)
	if p.outline != nil {
		return nil
	}
	p.fixed, err = p.params(ctx, &t.step, p.values(nil, nil))
	return err
}

// seedOf is a seed that no other workflow has, the same whenever it is asked for.
func seedOf(w *v1alpha1.Workflow) int64 {
	h := fnv.New64a()
	h.Write([]byte(w.UID))
	return int64(h.Sum64() >> 1)
}

func (p *Plan) values(ops map[string]expression.OperationValues, more map[string]any) expression.Values {
	w := p.workflow
	facts := map[string]any{"name": w.Name, "namespace": w.Namespace, "uid": string(w.UID), "queue": w.Spec.Queue, "project": w.Spec.Project}
	for name, value := range more {
		facts[name] = value
	}
	return expression.Values{Params: p.scope, Globals: facts, Operations: ops}
}

// params are what a step gets beside what is seen where it stands.
func (p *Plan) params(ctx context.Context, s *step, values expression.Values) (map[string]any, error) {
	if s.params == nil {
		return nil, nil
	}
	rendered, errs := s.params.Render(ctx, values)
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return plain(rendered)
}

// plain brings a rendered object to the numbers that decoded JSON has.
func plain(rendered any) (map[string]any, error) {
	raw, err := json.Marshal(rendered)
	if err != nil {
		return nil, err
	}
	decoded, err := params.Decode(raw)
	if err != nil {
		return nil, err
	}
	object, _ := decoded.(map[string]any)
	return object, nil
}

// Total is how many children there will be, or -1 where that is not known. What runs at the end does not count.
func (p *Plan) Total() int64 {
	switch {
	case p.Graph != nil:
		return int64(p.Graph.Len())
	case p.Search == nil: // an outline whose search is open
		return -1
	}
	return p.Search.Total()
}

// Learns says whether trials depend on what came of others.
func (p *Plan) Learns() bool {
	_, indexed := p.Search.(search.Indexed)
	return p.Search != nil && !indexed
}

// Generation of the workflow that it is the plan of.
func (p *Plan) Generation() int64 { return p.workflow.Generation }

// Uses are the steps whose results a node needs, and what of them.
func (p *Plan) Uses(node int) map[string]expression.OperationUse { return p.body.steps[node].uses }

// When evaluates the condition of a node.
func (p *Plan) When(ctx context.Context, node int, ops map[string]expression.OperationValues) (bool, error) {
	s := &p.body.steps[node]
	if s.when == nil {
		return true, nil
	}
	return s.when.Evaluate(ctx, p.values(ops, nil))
}

// HasOutputs says whether it gives outputs of its own, and which steps they need.
func (p *Plan) HasOutputs() (map[string]expression.OperationUse, bool) {
	if p.body.output == nil {
		return nil, false
	}
	return p.body.output.References().Operations, true
}

// Outputs are those of a dag that is over.
func (p *Plan) Outputs(ctx context.Context, ops map[string]expression.OperationValues) (v1alpha1.Values, error) {
	rendered, errs := p.body.output.Render(ctx, p.values(ops, nil))
	if err := errs.Err(); err != nil {
		return nil, err
	}
	object, err := plain(rendered)
	if err != nil {
		return nil, err
	}
	return scope(object).only(keys(object))
}

// Concurrency is that of a workflow: its own, else its entrypoint's.
func Concurrency(spec *v1alpha1.WorkflowSpec) *int32 {
	if spec.Concurrency != nil {
		return spec.Concurrency
	}
	for i := range spec.Templates {
		if t := &spec.Templates[i]; t.Name == spec.Entrypoint {
			return concurrencyOf(t)
		}
	}
	return nil
}

func concurrencyOf(t *v1alpha1.WorkflowTemplate) *int32 {
	switch {
	case t.DAG != nil && t.DAG.Concurrency != nil:
		return ptr.To(*t.DAG.Concurrency)
	case t.Matrix != nil && t.Matrix.Concurrency != nil:
		return ptr.To(*t.Matrix.Concurrency)
	}
	return nil
}
