package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/expression"
	"github.com/queueyard/queueyard/pkg/params"
	"github.com/queueyard/queueyard/pkg/search"
)

// Outline is the plan of a workflow that does not exist yet, as far as it is known before anything runs. What depends on
// what comes of steps is open.
type Outline struct {
	*Plan
	// unknown globals: who creates it decides.
	unknown map[string]bool
}

// Outlined is a child as far as it is known.
type Outlined struct {
	// Object has those of its params that are known.
	Object client.Object
	// Open are the expressions of the params that are not.
	Open map[string]string
}

// NewOutline compiles a workflow that was found sound and does not exist yet. Of a nested one, open are the expressions of
// the params that it does not have yet.
func NewOutline(ctx context.Context, w *v1alpha1.Workflow, undecided map[string]string) (*Outline, error) {
	given, err := scopeOf(w)
	if err != nil {
		return nil, err
	}
	for name, text := range undecided {
		given[name] = open(text)
	}
	o := &Outline{unknown: map[string]bool{"uid": true, "status": true, "message": true}}
	for name, value := range map[string]string{"name": w.Name, "queue": w.Spec.Queue, "project": w.Spec.Project} {
		o.unknown[name] = value == ""
	}
	_, err = compile(ctx, w, given, o)
	return o, err
}

// Step is what a node of a dag would run as.
func (o *Outline) Step(ctx context.Context, node int, components ComponentOf) (Outlined, error) {
	return o.child(ctx, &o.body.steps[node], Child{Index: int64(node), Attempt: 1}, nil, components)
}

// Trial is what a trial of a matrix would run as.
func (o *Outline) Trial(t search.Trial, components ComponentOf) (Outlined, error) {
	given := maps.Clone(o.fixed)
	if given == nil {
		given = map[string]any{}
	}
	for name, raw := range t.Params {
		value, err := params.Decode(raw)
		if err != nil {
			return Outlined{}, fmt.Errorf("params.%s of trial %d %w", name, t.Index, err)
		}
		given[name] = value
	}
	return o.outlined(&o.body.trials.step, Child{Index: t.Index, Attempt: 1}, given, components)
}

// AnyTrial is what all trials of a matrix have in common whose search is open.
func (o *Outline) AnyTrial(components ComponentOf) (Outlined, error) {
	given := maps.Clone(o.fixed)
	if given == nil {
		given = map[string]any{}
	}
	names := o.body.trials.names
	if t, _ := o.compiler.template(o.body.trials.step.Template); !o.body.trials.known && t != nil {
		for _, input := range t.Inputs { // the trials give them, or nothing does
			if _, is := given[input.Name]; !is && input.Name != trialParam {
				names = append(names, input.Name)
			}
		}
	}
	for _, name := range names {
		given[name] = open("the search gives it")
	}
	return o.outlined(&o.body.trials.step, Child{Attempt: 1}, given, components)
}

// Exit is what would run at the end.
func (o *Outline) Exit(ctx context.Context, components ComponentOf) (Outlined, error) {
	return o.child(ctx, o.exit, Child{Index: ExitIndex, Attempt: 1}, nil, components)
}

// Suggest is what would be asked for trials.
func (o *Outline) Suggest(ctx context.Context, components ComponentOf) (Outlined, error) {
	return o.child(ctx, o.body.trials.suggest, Child{Index: SuggestIndex, Attempt: 1}, map[string]any{requestParam: open("what the search asks")}, components)
}

// Asks says whether an operation is asked for trials.
func (o *Outline) Asks() bool { return o.body.trials != nil && o.body.trials.suggest != nil }

// Condition is that of a node: its text, and whether it holds as far as that is known.
func (o *Outline) Condition(ctx context.Context, node int) (text string, holds, known bool, err error) {
	s := &o.body.steps[node]
	if s.when == nil {
		return "", true, true, nil
	}
	if o.isOpen(s.when.References()) {
		return s.When, true, false, nil
	}
	holds, err = s.when.Evaluate(ctx, o.values(nil, nil))
	return s.When, holds, true, err
}

func (o *Outline) child(ctx context.Context, s *step, c Child, more map[string]any, components ComponentOf) (Outlined, error) {
	given, err := o.given(ctx, s)
	if err != nil {
		return Outlined{}, err
	}
	maps.Copy(given, more)
	return o.outlined(s, c, given, components)
}

func (o *Outline) outlined(s *step, c Child, given map[string]any, components ComponentOf) (Outlined, error) {
	offered := map[string]any{trialParam: open("which trial it is")}
	if o.body.trials == nil || s != &o.body.trials.step {
		offered = nil
	}
	object, undecided, err := o.childOf(s, c, given, offered, components)
	if err != nil {
		return Outlined{}, err
	}
	// Whoever creates the workflow gives it the UID that the names of its children are made of.
	object.SetName("")
	return Outlined{object, undecided}, nil
}

// given are the params that a step gets beside what is seen where it stands, each by itself.
func (o *Outline) given(ctx context.Context, s *step) (map[string]any, error) {
	out := map[string]any{}
	declared := expression.Declarations{Params: types{}.with(keys(o.scope)...), Globals: withExit()}
	for _, other := range o.body.steps {
		declared.Operations = append(declared.Operations, other.Name)
	}
	for name, raw := range s.Params {
		c := newCompiler(o.compiler.spec)
		template := c.values(v1alpha1.Values{name: raw}, s.path+".params", c.environment(s.path, declared))
		if err := c.problems.err(); err != nil {
			return nil, err
		}
		if o.isOpen(template.References()) {
			out[name] = open(textOf(raw))
			continue
		}
		rendered, errs := template.Render(ctx, o.values(nil, nil))
		if err := errs.Err(); err != nil {
			return nil, err
		}
		value, err := plain(rendered)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, value)
	}
	return out, nil
}

// isOpen says whether an expression needs what is not known yet.
func (o *Outline) isOpen(uses expression.References) bool {
	return len(uses.Operations) > 0 || len(o.scope.open(uses.Params)) > 0 ||
		slices.ContainsFunc(uses.Globals, func(name string) bool { return o.unknown[name] })
}

// textOf is an expression as it is written, or the JSON around it.
func textOf(raw apiextensionsv1.JSON) string {
	value, err := decode(v1alpha1.Values{"x": raw}, "")
	if text, is := value["x"].(string); err == nil && is {
		return text
	}
	return string(raw.Raw)
}
