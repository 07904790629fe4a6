package plan

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/expression"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/params"
	"github.com/queueyard/queueyard/pkg/search"
	"github.com/queueyard/queueyard/pkg/workflow"
)

// Child says which child is to be made.
type Child struct {
	// Index of the node or trial. What runs at the end comes after all of them.
	Index int64
	// Attempt of the workflow that makes it.
	Attempt int32
	// Queued is its place in the line.
	Queued time.Time
}

// Never is why a child does not run.
type Never struct {
	Status  v1alpha1.Status
	Message string
}

// ComponentOf finds a component by name.
type ComponentOf func(name string) (*v1alpha1.Component, error)

// Step makes the operation or workflow that a node of a dag runs as.
func (p *Plan) Step(ctx context.Context, c Child, ops map[string]expression.OperationValues, components ComponentOf) (client.Object, error) {
	s := &p.body.steps[c.Index]
	given, err := p.params(ctx, s, p.values(ops, nil))
	if err != nil {
		return nil, err
	}
	return p.child(s, c, given, components)
}

// trialParam is the param by which a trial knows itself.
const trialParam = "trial"

// Previous is the trial that another goes on from.
type Previous struct {
	Name    string
	Key     string // of the first of those that were promoted
	Outputs map[string]any
}

// Trial makes the operation or workflow that a trial of a matrix runs as. A template that reads params.trial gets its
// index, its key, which those that are promoted keep, and, where the search resumes, the trial before.
func (p *Plan) Trial(c Child, t search.Trial, before *Previous, components ComponentOf) (client.Object, error) {
	given := maps.Clone(p.fixed)
	if given == nil {
		given = map[string]any{}
	}
	for name, raw := range t.Params {
		value, err := params.Decode(raw)
		if err != nil {
			return nil, fmt.Errorf("params.%s of trial %d %w", name, t.Index, err)
		}
		given[name] = value
	}
	key := p.ChildName(c.Index, c.Attempt)
	self := map[string]any{"index": t.Index, "previous": nil}
	if before != nil {
		key = before.Key
		if t.Resume {
			self["previous"] = map[string]any{"name": before.Name, "outputs": before.Outputs}
		}
	}
	self["key"] = key
	object, _, err := p.childOf(&p.body.trials.step, c, given, map[string]any{trialParam: self}, components)
	if err == nil {
		annotations := object.GetAnnotations()
		annotations[v1alpha1.TrialKeyAnnotation] = key
	}
	return object, err
}

// TrialParams are those of a child that are its trial's.
func (p *Plan) TrialParams(given v1alpha1.Values) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(p.body.trials.names))
	for _, name := range p.body.trials.names {
		if raw, ok := given[name]; ok {
			out[name] = raw.Raw
		}
	}
	return out
}

// HasExit says whether something runs at the end.
func (p *Plan) HasExit() bool { return p.exit != nil }

// Exit makes the operation that runs at the end.
func (p *Plan) Exit(ctx context.Context, c Child, outcome v1alpha1.Outcome, components ComponentOf) (client.Object, error) {
	given, err := p.params(ctx, p.exit, p.values(nil, map[string]any{"status": string(outcome.Status), "message": outcome.Message}))
	if err != nil {
		return nil, err
	}
	return p.child(p.exit, c, given, components)
}

// Marked makes the child that stands for a node that does not run.
func (p *Plan) Marked(c Child, never Never) (client.Object, error) {
	s := p.stepOf(c.Index)
	child := p.bare(s)
	p.mark(child, s, c)
	annotations := child.GetAnnotations()
	annotations[v1alpha1.OutcomeAnnotation], annotations[v1alpha1.OutcomeMessageAnnotation] = string(never.Status), never.Message
	return child, nil
}

// stepOf is what a child is of.
func (p *Plan) stepOf(index int64) *step {
	switch {
	case p.body.trials == nil:
		return &p.body.steps[index]
	case index >= SuggestIndex:
		return p.body.trials.suggest
	}
	return &p.body.trials.step
}

// bare is a child without params.
func (p *Plan) bare(s *step) client.Object {
	t, _ := p.compiler.template(s.Template)
	if nested(t) {
		return &v1alpha1.Workflow{Spec: p.inner(s, t)}
	}
	return &v1alpha1.Operation{Spec: p.operation(s, t, nil)}
}

// child makes the object of a step with the params it is given.
func (p *Plan) child(s *step, c Child, given map[string]any, components ComponentOf) (client.Object, error) {
	object, _, err := p.childOf(s, c, given, nil, components)
	return object, err
}

// childOf makes the object of a step or trial. offered are params that it gets only if it reads them. It also says which
// params the object lacks as they are open.
func (p *Plan) childOf(s *step, c Child, given, offered map[string]any, components ComponentOf) (client.Object, map[string]string, error) {
	t, at := p.compiler.template(s.Template)
	seen := p.scope.with(offered).with(given)
	var inputs []v1alpha1.Input
	if t != nil {
		inputs = t.Inputs
	}
	seen, err := seen.inside(inputs, s.path+".params")
	if err != nil {
		return nil, nil, err
	}
	if nested(t) {
		inner := &v1alpha1.Workflow{Spec: p.inner(s, t)}
		if inner.Spec.Params, err = seen.only(keys(seen)); err != nil {
			return nil, nil, err
		}
		p.mark(inner, s, c)
		return inner, seen.open(keys(seen)), nil
	}
	var component *v1alpha1.Component
	if name := componentOf(s, t); name != "" {
		if component, err = components(name); err != nil {
			return nil, nil, err
		}
	}
	op := &v1alpha1.Operation{Spec: p.operation(s, t, component)}
	wanted := keys(given)
	switch {
	case component != nil:
		wanted = types(params.TypesOf(component.Spec.Inputs)).names()
		for _, name := range keys(given) {
			if !slices.Contains(wanted, name) {
				return nil, nil, fmt.Errorf("%s: component %q has no input %q", s.path, component.Name, name)
			}
		}
	case op.Spec.Component == "":
		used, err := operation.ParamsOf(t.Operation.Template, types{}.with(keys(seen)...))
		if err != nil {
			return nil, nil, fmt.Errorf("%s.operation: %w", at, err)
		}
		wanted = append(wanted, used...)
	}
	if op.Spec.Params, err = seen.only(wanted); err != nil {
		return nil, nil, err
	}
	p.mark(op, s, c)
	return op, seen.open(wanted), nil
}

func componentOf(s *step, t *v1alpha1.WorkflowTemplate) string {
	if t != nil {
		return t.Operation.Component
	}
	return s.Component
}

// operation is what an operation is told: by the step, else by the template, the component, the workflow.
func (p *Plan) operation(s *step, t *v1alpha1.WorkflowTemplate, component *v1alpha1.Component) v1alpha1.OperationSpec {
	w := &p.workflow.Spec
	var of v1alpha1.OperationTemplate
	if t != nil {
		of = *t.Operation
	} else {
		of.Component = s.Component
	}
	var recipe v1alpha1.ComponentSpec
	if component != nil {
		recipe = component.Spec
	}
	return v1alpha1.OperationSpec{
		Project:      w.Project,
		Queue:        cmp.Or(s.Queue, of.Queue, recipe.Queue, w.Queue),
		Priority:     cmp.Or(s.Priority, of.Priority, recipe.Priority, w.Priority),
		Cost:         cmp.Or(s.Cost, of.Cost, recipe.Cost),
		Component:    of.Component,
		Template:     of.Template,
		Termination:  joinTermination(s.Termination, of.Termination, recipe.Termination, w.Termination),
		Environment:  joinEnvironment(s.Environment, of.Environment, w.Environment),
		Approved:     s.Approved,
		DesiredState: v1alpha1.Run,
	}
}

// inner is the workflow of a nested template, with what it needs of the others.
func (p *Plan) inner(s *step, t *v1alpha1.WorkflowTemplate) v1alpha1.WorkflowSpec {
	w := &p.workflow.Spec
	return v1alpha1.WorkflowSpec{
		Project:      w.Project,
		Queue:        cmp.Or(s.Queue, w.Queue),
		Priority:     cmp.Or(s.Priority, w.Priority),
		Entrypoint:   t.Name,
		Templates:    p.reachable(t.Name),
		Concurrency:  concurrencyOf(t),
		Termination:  joinTermination(s.Termination, w.Termination),
		Environment:  joinEnvironment(s.Environment, w.Environment),
		Approved:     s.Approved,
		DesiredState: v1alpha1.Run,
	}
}

// reachable are the templates that one uses, itself included, in their order.
func (p *Plan) reachable(name string) []v1alpha1.WorkflowTemplate {
	found := map[string]bool{}
	var follow func(string)
	follow = func(name string) {
		t, _ := p.compiler.template(name)
		if t == nil || found[name] {
			return
		}
		found[name] = true
		switch {
		case t.DAG != nil:
			for _, s := range t.DAG.Operations {
				follow(s.Template)
			}
		case t.Matrix != nil:
			follow(t.Matrix.Template)
			if i := t.Matrix.Iterative; i != nil && i.Suggest != nil {
				follow(i.Suggest.Template)
			}
		}
	}
	follow(name)
	var out []v1alpha1.WorkflowTemplate
	for i := range p.workflow.Spec.Templates {
		if t := &p.workflow.Spec.Templates[i]; found[t.Name] {
			out = append(out, *t)
		}
	}
	return out
}

// mark writes on a child whose it is and which.
func (p *Plan) mark(child client.Object, s *step, c Child) {
	w := p.workflow
	child.SetNamespace(w.Namespace)
	child.SetName(p.ChildName(c.Index, c.Attempt))
	labels := map[string]string{
		v1alpha1.WorkflowLabel: w.Name, v1alpha1.WorkflowUIDLabel: string(w.UID),
		v1alpha1.IndexLabel: strconv.FormatInt(c.Index, 10), v1alpha1.WorkflowAttemptLabel: strconv.Itoa(int(c.Attempt)),
	}
	switch {
	case c.Index >= SuggestIndex:
		delete(labels, v1alpha1.IndexLabel)
		labels[v1alpha1.IterationLabel] = strconv.FormatInt(c.Index-SuggestIndex, 10)
	case p.body.trials == nil || s == p.exit:
		labels[v1alpha1.StepLabel] = s.Name
	}
	child.SetLabels(labels)
	child.SetAnnotations(map[string]string{v1alpha1.QueuedTimeAnnotation: c.Queued.UTC().Format(time.RFC3339Nano)})
	child.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(w, v1alpha1.GroupVersion.WithKind("Workflow"))})
}

// maxName is how long a name can be that is also the value of a label.
const maxName = 63

// ChildName is the name of a child, by which making it twice makes one.
func (p *Plan) ChildName(index int64, attempt int32) string {
	w := p.workflow
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", w.UID, index, attempt))
	tail := "-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
	what := strconv.FormatInt(index, 10)
	switch {
	case p.exit != nil && index == ExitIndex:
		what = ExitName
	case index >= SuggestIndex:
		what = "suggest-" + strconv.FormatInt(index-SuggestIndex, 10)
	case p.Graph != nil:
		what = p.Graph.Node(int(index)).Name
	}
	head := w.Name + "-" + what
	if most := maxName - len(tail); len(head) > most {
		// The end of the name tells more than its beginning.
		left := max(8, most-len(what)-1)
		head = strings.TrimRight(w.Name[:min(len(w.Name), left)], "-") + "-" + what
		head = strings.TrimRight(head[:min(len(head), most)], "-")
	}
	return head + tail
}

// ExitIndex is the index of what runs at the end.
const ExitIndex = workflow.MaxNodes
