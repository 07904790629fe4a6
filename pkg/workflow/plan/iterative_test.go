package plan

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/search"
	"github.com/queueyard/queueyard/pkg/workflow"
)

// iterative is a workflow whose trials a template named ask suggests.
func iterative(search string, more ...string) string {
	const ask = `- name: ask
  inputs: [{name: request, type: map}, {name: step, type: int, default: 1}]
  operation: {queue: small, template: {pod: {spec: {containers: [{name: main, image: none, command: [ask, "{{ params.request }}", "{{ params.request.iteration + params.step }}"]}]}}}}
`
	return matrix("iterative: "+search, more...) + ask
}

func TestIterativeAccepted(t *testing.T) {
	recipes["tuner"] = &v1alpha1.Component{Spec: v1alpha1.ComponentSpec{Inputs: []v1alpha1.Input{{Name: "request", Type: "map"}, {Name: "width", Type: "int"}}}}
	defer delete(recipes, "tuner")
	for name, c := range map[string]struct {
		spec string
		want workflow.Size
	}{
		"a template":       {iterative("{maxIterations: 5, suggest: {template: ask}}"), workflow.Size{Operations: 6, Depth: 2}},
		"a component":      {iterative("{maxIterations: 5, suggest: {component: tuner, params: {width: 3}}}"), workflow.Size{Operations: 1, Depth: 2}},
		"params":           {iterative("{maxIterations: 5, suggest: {template: ask, params: {step: \"{{ params.base }}\"}}, params: {left: {kind: range, value: [0, 9, 1]}}}", "params: {base: 2}"), workflow.Size{Operations: 6, Depth: 2}},
		"the outer metric": {iterative("{maxIterations: 5, suggest: {template: ask}}\n    metric: {name: loss, optimization: minimize}"), workflow.Size{Operations: 6, Depth: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			size, err := Check(parse(t, c.spec), find)
			require.NoError(t, err)
			require.Equal(t, c.want, size)
			p := compiled(t, c.spec)
			require.NotNil(t, p.Iterations)
			require.EqualValues(t, -1, p.Total())
			require.False(t, p.Learns())
		})
	}
}

func TestIterativeRefused(t *testing.T) {
	recipes["deaf"] = &v1alpha1.Component{}
	recipes["strange"] = &v1alpha1.Component{Spec: v1alpha1.ComponentSpec{Inputs: []v1alpha1.Input{{Name: "request", Type: "string"}}}}
	defer delete(recipes, "deaf")
	defer delete(recipes, "strange")
	const at = "spec.templates[1].matrix.iterative.suggest"
	for name, c := range map[string]struct{ spec, says string }{
		"no such template":     {iterative("{maxIterations: 5, suggest: {template: aks}}"), `template "aks", which does not exist (did you mean "ask"?)`},
		"no such component":    {iterative("{maxIterations: 5, suggest: {component: trian}}"), at + `.component: component "trian" does not exist (did you mean "train"?)`},
		"a nested one":         {iterative("{maxIterations: 5, suggest: {template: all}}") + "- name: all\n  dag: {operations: [{name: a, template: add, params: {left: 1}}]}\n", at + `.template: template "all" is no operation: what suggests trials is a single one`},
		"a component unasked":  {iterative("{maxIterations: 5, suggest: {component: deaf}}"), at + `: component "deaf" has no input "request", in which it finds what it is asked: declare one of type map`},
		"a request as text":    {iterative("{maxIterations: 5, suggest: {component: strange}}"), at + `: input "request" of component "strange" is of type string, and what an operation is asked is a map: write type map`},
		"a param of that name": {iterative("{maxIterations: 5, suggest: {template: ask, params: {request: 1}}}"), at + `.params.request: the operation finds here what it is asked: rename this param`},
		"a param it has not":   {iterative("{maxIterations: 5, suggest: {template: ask, params: {step: \"{{ params.bas }}\"}}}", "params: {base: 2}"), at + `.params.step`},
		"a request elsewhere":  {strings.Replace(iterative("{maxIterations: 5, suggest: {template: ask}, params: {step: {kind: range, value: [0, 9, 1]}}}"), "template: add", "template: ask", 1), `template "ask" needs param "request", which nothing gives here`},
		"never asked":          {iterative("{maxIterations: 0, suggest: {template: ask}}"), `spec.templates[1].matrix: iterative.maxIterations is 0`},
		"a wrong distribution": {iterative("{maxIterations: 5, suggest: {template: ask}, params: {left: {kind: unifrom, value: [0, 1]}}}"), `iterative.params.left.kind is "unifrom" (did you mean "uniform"?)`},
		"trials that lack one": {iterative("{maxIterations: 5, suggest: {template: ask}, params: {right: {kind: range, value: [0, 9, 1]}}}"), `spec.templates[1].matrix: template "add" needs param "left"`},
		"two metrics":          {iterative("{maxIterations: 5, suggest: {template: ask}, metric: {name: loss, optimization: minimize}}\n    metric: {name: loss, optimization: maximize}"), `spec.templates[1].matrix.metric: the search has a metric of its own: leave this one out`},
		"a metric of no sense": {iterative("{maxIterations: 5, suggest: {template: ask}, metric: {name: loss, optimization: less}}"), `iterative.metric.optimization is "less"`},
		"it would use itself":  {iterative("{maxIterations: 5, suggest: {template: main}}"), `template "main" uses itself: it would never end`},
		"more than the most":   {iterative("{maxIterations: 1000000, suggest: {template: ask}}"), `the workflow would become more than 1000000 operations`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Check(parse(t, c.spec), find)
			require.ErrorContains(t, err, c.says)
		})
	}
}

// The operation that is asked finds the request among its params, says of which iteration it is, and is no trial.
func TestSuggest(t *testing.T) {
	p := compiled(t, iterative("{maxIterations: 5, seed: 7, suggest: {template: ask, priority: 3, params: {step: \"{{ params.base }}\"}}}\n    queue: large\n    metric: {name: loss, optimization: minimize}", "params: {base: 2}"))
	r, due := p.Iterations.Due(nil)
	require.True(t, due)
	value := 0.25
	r.Iteration, r.Observations = 2, []search.Reported{{Trial: search.Trial{Params: map[string]json.RawMessage{"left": json.RawMessage("3")}}, State: search.Succeeded, Value: &value}}
	object, err := p.Suggest(t.Context(), Child{Index: SuggestIndex + 2, Attempt: 1, Queued: someTime}, r, known)
	require.NoError(t, err)
	op := object.(*v1alpha1.Operation)
	require.JSONEq(t, `{"step": 2, "request": {"iteration": 2, "maxIterations": 5, "seed": 7, "metric": {"name": "loss", "optimization": "minimize"},
		"observations": [{"index": 0, "params": {"left": 3}, "state": "Succeeded", "value": 0.25}]}}`, jsonOf(t, op.Spec.Params))
	require.Equal(t, map[string]string{
		v1alpha1.WorkflowLabel: "nightly", v1alpha1.WorkflowUIDLabel: "8d1f", v1alpha1.IterationLabel: "2", v1alpha1.WorkflowAttemptLabel: "1",
	}, op.Labels)
	require.Contains(t, op.Name, "nightly-suggest-2-")
	require.Equal(t, "small", op.Spec.Queue, "the queue of the trials is not its own")
	require.EqualValues(t, 3, *op.Spec.Priority)

	marked, err := p.Marked(Child{Index: SuggestIndex + 2, Attempt: 1}, Never{v1alpha1.StatusFailed, "four"})
	require.NoError(t, err)
	require.Equal(t, op.Name, marked.GetName())
	require.Equal(t, op.Labels, marked.GetLabels())
}

// A nested search takes along what suggests its trials.
func TestNestedIterative(t *testing.T) {
	spec := strings.Replace(iterative("{maxIterations: 5, suggest: {template: ask}}"), "entrypoint: main", "entrypoint: outer", 1) + "- name: outer\n  dag: {operations: [{name: search, template: main}]}\n"
	_, err := Check(parse(t, spec), find)
	require.NoError(t, err)
	object, err := compiled(t, spec).Step(t.Context(), Child{Attempt: 1, Queued: someTime}, nil, known)
	require.NoError(t, err)
	inner := object.(*v1alpha1.Workflow)
	_, err = Check(inner, find)
	require.NoError(t, err)
	_, err = Compile(t.Context(), inner)
	require.NoError(t, err)
}
