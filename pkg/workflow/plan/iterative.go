package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/expression"
	"github.com/queueyard/queueyard/pkg/params"
	"github.com/queueyard/queueyard/pkg/search"
)

// requestParam is the param by which an operation is asked for trials.
const requestParam = "request"

// SuggestIndex is the index of the operation that is asked in the first iteration; the others follow it.
const SuggestIndex = ExitIndex + 1

// told is what an operation is told of an iterative search, which may have its metric from the matrix.
func told(m *v1alpha1.Matrix) *v1alpha1.Iterative {
	if m.Iterative == nil {
		return nil
	}
	out := *m.Iterative
	out.Suggest, out.Metric = nil, MetricOf(m)
	return &out
}

// suggest compiles what is asked for trials.
func (c *compiler) suggest(s *v1alpha1.Suggest, path string, env *expression.Environment) step {
	out := c.step(&v1alpha1.Step{Name: "suggest", Template: s.Template, Component: s.Component, Params: s.Params, Preferences: s.Preferences}, path, env)
	if _, given := s.Params[requestParam]; given {
		c.problems.addf(path+".params."+requestParam, "the operation finds here what it is asked: rename this param")
	}
	return out
}

// suggests checks what is asked for trials, which must be an operation.
func (c *checker) suggests(s *step, seen types) {
	if s == nil {
		return
	}
	t, _ := c.template(s.Template)
	if nested(t) {
		c.problems.addf(s.path+".template", "template %q is no operation: what suggests trials is a single one", s.Template)
		return
	}
	given := append(slices.Collect(maps.Keys(s.Params)), requestParam)
	inside := seen.with(given...)
	if s.Component == "" {
		if t != nil {
			c.asked(t.Inputs, fmt.Sprintf("template %q", s.Template), s.path)
		}
		c.use(s.Template, inside, s.path)
		return
	}
	component := c.find(s.Component, s.path)
	if component == nil {
		return
	}
	if _, declared := params.TypesOf(component.Spec.Inputs)[requestParam]; !declared {
		c.problems.addf(s.path, "component %q has no input %q, in which it finds what it is asked: declare one of type map", s.Component, requestParam)
		return
	}
	c.asked(component.Spec.Inputs, fmt.Sprintf("component %q", s.Component), s.path)
	c.component(s.Component, inside, given, s.path)
}

// asked refuses an input that cannot hold a request.
func (c *checker) asked(inputs []v1alpha1.Input, of, path string) {
	declared, ok := params.TypesOf(inputs)[requestParam]
	if ok && declared != params.Map && declared != params.Any {
		c.problems.addf(path, "input %q of %s is of type %s, and what an operation is asked is a map: write type map", requestParam, of, declared)
	}
}

// Suggest makes the operation that is asked in an iteration.
func (p *Plan) Suggest(ctx context.Context, c Child, r search.Request, components ComponentOf) (client.Object, error) {
	s := p.body.trials.suggest
	given, err := p.params(ctx, s, p.values(nil, nil))
	if err != nil {
		return nil, err
	}
	if given == nil {
		given = map[string]any{}
	}
	if given[requestParam], err = plain(r); err != nil {
		return nil, err
	}
	return p.child(s, c, given, components)
}
