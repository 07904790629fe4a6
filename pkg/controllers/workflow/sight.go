package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/expression"
	"github.com/queueyard/queueyard/pkg/params"
	"github.com/queueyard/queueyard/pkg/workflow"
	"github.com/queueyard/queueyard/pkg/workflow/plan"
)

// sight is one look at one workflow.
type sight struct {
	*Reconciler
	workflow *v1alpha1.Workflow
	run      *run
	// outputs are those of a dag that is over.
	outputs v1alpha1.Values
	// err is the first thing that could not be read.
	err error
}

// compile makes the plan of the attempt that begins.
func (s *sight) compile(ctx context.Context, attempt int32) error {
	p, err := plan.Compile(ctx, s.workflow)
	if err == nil {
		s.take(ctx, p, attempt)
	}
	return err
}

// take takes up an attempt.
func (s *sight) take(ctx context.Context, p *plan.Plan, attempt int32) {
	objects, err := s.childrenOf(ctx, s.workflow.Namespace, s.workflow.UID)
	if err != nil {
		s.err = err
		return
	}
	s.run = newRun(p, attempt, s.succeededBefore(), objects)
	s.run.namespace = s.workflow.Namespace
	s.runs.put(s.workflow.UID, s.run)
	// What was told of children since they were listed did not find the run.
	if objects, s.err = s.childrenOf(ctx, s.workflow.Namespace, s.workflow.UID); s.err == nil {
		s.run.mu.Lock()
		defer s.run.mu.Unlock()
		for _, o := range objects {
			if c, _, ok := look(o); ok && c.attempt == attempt {
				s.run.see(c)
			}
		}
	}
}

// succeededBefore says whether the attempt before this one succeeded: then all of it is repeated.
func (s *sight) succeededBefore() bool {
	for i := len(s.workflow.Status.Timeline) - 1; i >= 0; i-- {
		if phase := s.workflow.Status.Timeline[i].Status; phase.Final() {
			return phase == v1alpha1.StatusSucceeded
		}
	}
	return false
}

// resume makes sure that there is a run of the workflow as it is now.
func (s *sight) resume(ctx context.Context) bool {
	w := s.workflow
	if s.run != nil {
		return true // just taken up
	}
	found := s.runs.get(w.UID)
	if found != nil && found.attempt == w.Status.Attempt && found.plan.Generation() == w.Generation {
		s.run = found
		return true
	}
	p, err := plan.Compile(ctx, w)
	if err != nil {
		s.err = errInvalid{err}
		return false
	}
	s.take(ctx, p, w.Status.Attempt)
	return s.err == nil
}

// children tells what a decision needs to know of them.
func (s *sight) children(ctx context.Context) workflow.Children {
	if !s.resume(ctx) {
		return workflow.Children{}
	}
	r := s.run
	r.mu.Lock()
	defer r.mu.Unlock()
	c := workflow.Children{
		Counts: r.tally(), More: r.more(), Total: r.total(), Begun: r.begun, Stop: r.stop, Wrong: r.wrong, Exit: workflow.Skipped,
	}
	if it := r.iterations; it != nil {
		c.NoSuggestions = it.wrong
		c.Counts[workflow.Active] += len(it.active())
	}
	if c.Counts.Over() && !c.More {
		c.Outcome = r.outcome()
		s.conclude(ctx, &c)
	}
	if r.plan.HasExit() {
		c.Exit = workflow.Pending
		if r.exit != nil {
			c.Exit, c.ExitMessage = workflow.StatusOf(r.exit.phase), r.exit.message
		}
	}
	return c
}

// conclude finds the outputs of what is over.
func (s *sight) conclude(ctx context.Context, c *workflow.Children) {
	uses, has := s.run.plan.HasOutputs()
	if !has || c.Outcome != workflow.Succeeded || s.workflow.Status.Outcome != nil {
		return
	}
	if s.run.tooLarge {
		c.Outcome, c.Wrong = workflow.Failed, "its outputs (dag.outputs) make it larger than the API server keeps an object: let them name what is large instead"
		return
	}
	ops, err := s.results(ctx, uses)
	if err != nil {
		s.err = err
		return
	}
	if s.outputs, err = s.run.plan.Outputs(ctx, ops); err != nil {
		c.Outcome, c.Wrong = workflow.Failed, err.Error()
	}
}

// results are what steps of a dag gave, as expressions see it.
func (s *sight) results(ctx context.Context, uses map[string]expression.OperationUse) (map[string]expression.OperationValues, error) {
	ops := make(map[string]expression.OperationValues, len(uses))
	for name, use := range uses {
		node, ok := s.run.plan.Graph.Index(name)
		c := s.run.children[int64(node)]
		if !ok || c == nil {
			continue
		}
		values, err := s.valuesOf(ctx, c, use.Results)
		if err != nil {
			return nil, err
		}
		ops[name] = values
	}
	return ops, nil
}

func (s *sight) valuesOf(ctx context.Context, c *child, results bool) (expression.OperationValues, error) {
	object, err := s.read(ctx, c)
	if err != nil {
		return expression.OperationValues{}, err
	}
	values := facts(object)
	out := expression.OperationValues{Status: values["status"].(string)}
	out.Params, _ = values["params"].(map[string]any)
	out.Outputs, _ = values["outputs"].(map[string]any)
	if results && c.nested {
		children, err := s.childrenOf(ctx, object.GetNamespace(), object.GetUID())
		if err != nil {
			return out, err
		}
		out.Results = resultsOf(children)
	}
	return out, nil
}

// resultsOf are children in their order, each in its last attempt.
func resultsOf(children []client.Object) []any {
	last := map[int64]client.Object{}
	var order []int64
	attempt := map[int64]int32{}
	for _, o := range children {
		c, _, ok := look(o)
		if !ok || c.index >= plan.ExitIndex {
			continue
		}
		if _, seen := last[c.index]; !seen {
			order = append(order, c.index)
		}
		if c.attempt >= attempt[c.index] {
			last[c.index], attempt[c.index] = o, c.attempt
		}
	}
	slices.Sort(order)
	out := make([]any, 0, len(order))
	for _, index := range order {
		o := last[index]
		values := facts(o)
		values["name"], values["index"] = o.GetName(), index
		if step := o.GetLabels()[v1alpha1.StepLabel]; step != "" {
			values["step"] = step
		}
		out = append(out, values)
	}
	return out
}

// facts are a child's status, params and outputs, as decoded JSON.
func facts(o client.Object) map[string]any {
	var phase v1alpha1.Status
	var given, outputs v1alpha1.Values
	switch o := o.(type) {
	case *v1alpha1.Operation:
		phase, given, outputs = o.Status.Phase, o.Spec.Params, o.Status.Outputs
	case *v1alpha1.Workflow:
		phase, given, outputs = o.Status.Phase, o.Spec.Params, o.Status.Outputs
	}
	return map[string]any{"status": string(phase), "params": decoded(given), "outputs": decoded(outputs)}
}

func decoded(values v1alpha1.Values) map[string]any {
	out := make(map[string]any, len(values))
	for name, raw := range values {
		if value, err := params.Decode(raw.Raw); err == nil {
			out[name] = value
		}
	}
	return out
}

// read gets a child from the cache.
func (s *sight) read(ctx context.Context, c *child) (client.Object, error) {
	var object client.Object = &v1alpha1.Operation{}
	if c.nested {
		object = &v1alpha1.Workflow{}
	}
	return object, s.client.Get(ctx, keyOf(s.workflow.Namespace, c.name), object)
}

// maxProblems is how many children that did not succeed are named.
const maxProblems = 10

// describe writes what is known of the children into the status.
func (s *sight) describe(ctx context.Context, status *v1alpha1.WorkflowStatus) error {
	r := s.run
	r.mu.Lock()
	defer r.mu.Unlock()
	counts, total := r.tally(), r.total()
	active := int64(counts[workflow.Active])
	status.Children = v1alpha1.ChildCounts{
		Total: total, Waiting: int64(r.waiting), Running: active - int64(r.waiting),
		Succeeded: int64(counts[workflow.Succeeded]), Failed: int64(counts[workflow.Failed]), Stopped: int64(counts[workflow.Stopped]),
		Skipped: int64(counts[workflow.Skipped]), UpstreamFailed: int64(counts[workflow.UpstreamFailed]),
	}
	done := int64(counts.Total()) - active - int64(counts[workflow.Pending])
	of := "?"
	if total >= 0 {
		of = strconv.FormatInt(total, 10)
	}
	status.Progress = fmt.Sprintf("%d/%s", done, of)
	if r.iterations != nil {
		status.Search = r.iterations.says(done)
	}
	if len(status.Problems) < min(maxProblems, len(r.failed)) {
		if err := s.problems(ctx, status); err != nil {
			return err
		}
	}
	if r.best != nil && (status.Best == nil || status.Best.Name != r.best.name) {
		if err := s.describeBest(ctx, status); err != nil {
			return err
		}
	}
	if s.outputs != nil {
		status.Outputs = s.outputs
	}
	return nil
}

func (s *sight) problems(ctx context.Context, status *v1alpha1.WorkflowStatus) error {
	status.Problems = nil
	for _, index := range s.run.failed[:min(maxProblems, len(s.run.failed))] {
		c := s.run.childAt(index)
		if c == nil {
			continue
		}
		p := v1alpha1.Problem{Name: c.name, Status: c.phase, Message: c.message}
		object, err := s.read(ctx, c)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		var line []v1alpha1.TimelineEntry
		switch o := object.(type) {
		case *v1alpha1.Operation:
			line = o.Status.Timeline
		case *v1alpha1.Workflow:
			line = o.Status.Timeline
		}
		if n := len(line); n > 0 {
			p.Reason = line[n-1].Reason
		}
		status.Problems = append(status.Problems, p)
	}
	return nil
}

func (s *sight) describeBest(ctx context.Context, status *v1alpha1.WorkflowStatus) error {
	b := s.run.best
	c := s.run.children[b.index]
	if c == nil {
		return nil
	}
	object, err := s.read(ctx, c)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	value, err := json.Marshal(b.value)
	if err != nil {
		return err
	}
	status.Best = &v1alpha1.BestResult{Name: b.name, Index: b.index, Value: string(value)}
	if s.run.tooLarge {
		object = nil // its params are in the trial
	}
	switch o := object.(type) {
	case *v1alpha1.Operation:
		status.Best.Params = o.Spec.Params
	case *v1alpha1.Workflow:
		status.Best.Params = o.Spec.Params
	}
	raw, err := json.Marshal(map[string]any{"name": b.name, "index": b.index, "value": b.value, "params": status.Best.Params})
	status.Outputs = v1alpha1.Values{"best": apiextensionsv1.JSON{Raw: raw}}
	return err
}
