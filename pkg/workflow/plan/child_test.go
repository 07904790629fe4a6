package plan

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/expression"
	"github.com/queueyard/queueyard/pkg/search"
)

func raw(s string) *apiextensionsv1.JSON { return &apiextensionsv1.JSON{Raw: []byte(s)} }

func known(name string) (*v1alpha1.Component, error) { return recipes[name], nil }

func compiled(t testing.TB, spec string) *Plan {
	t.Helper()
	p, err := Compile(t.Context(), parse(t, spec))
	require.NoError(t, err)
	return p
}

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

var someTime = time.Date(2026, 12, 1, 8, 0, 0, 5000, time.UTC)

// A step's operation has the params that it is given and those that its template reads, and says whose it is.
func TestStep(t *testing.T) {
	p := compiled(t, dag(
		`{name: a, template: add, params: {left: 1}}`,
		`{name: b, template: add, params: {left: "{{ ops.a.outputs.sum * 2 }}"}}`))
	object, err := p.Step(t.Context(), Child{Index: 1, Attempt: 2, Queued: someTime}, map[string]expression.OperationValues{"a": {Outputs: map[string]any{"sum": int64(21)}}}, known)
	require.NoError(t, err)
	op := object.(*v1alpha1.Operation)
	require.JSONEq(t, `{"left": 42, "right": 1}`, jsonOf(t, op.Spec.Params)) // rate, which it does not read, is left out
	require.Equal(t, map[string]string{
		v1alpha1.WorkflowLabel: "nightly", v1alpha1.WorkflowUIDLabel: "8d1f", v1alpha1.IndexLabel: "1", v1alpha1.StepLabel: "b", v1alpha1.WorkflowAttemptLabel: "2",
	}, op.Labels)
	require.Equal(t, "2026-12-01T08:00:00.000005Z", op.Annotations[v1alpha1.QueuedTimeAnnotation])
	require.Equal(t, "Workflow", metav1.GetControllerOf(op).Kind)
	require.NotNil(t, op.Spec.Template.Pod)
	_, err = p.Step(t.Context(), Child{Index: 1}, map[string]expression.OperationValues{"a": {}}, known)
	require.ErrorContains(t, err, "ops.a.outputs.sum has no value")
}

// What a child does not say it inherits: the step goes before the template, that before the component, that before the workflow.
func TestInheritance(t *testing.T) {
	recipes["preferring"] = &v1alpha1.Component{Spec: v1alpha1.ComponentSpec{Queue: "of-component", Cost: "1", Termination: &v1alpha1.Termination{MaxRetries: ptr32(5)}}}
	defer delete(recipes, "preferring")
	w := `
entrypoint: main
queue: of-workflow
priority: 1
project: vision
termination: {maxRetries: 1, timeout: 1h, backoff: {initial: 1s, max: 9s}}
environment: {nodeSelector: {zone: a, disk: ssd}, env: [{name: A, value: workflow}, {name: B, value: workflow}]}
templates:
- name: main
  dag:
    operations:
    - {name: plain, template: plain}
    - {name: told, template: told, queue: of-step, termination: {maxRetries: 9}, environment: {nodeSelector: {zone: c}}}
    - {name: component, component: preferring}
    - {name: nested, template: inner, priority: 7}
- name: plain
  operation: {template: {pod: {spec: {containers: [{name: main, image: none}]}}}}
- name: told
  operation: {queue: of-template, priority: 3, cost: "2", environment: {nodeSelector: {zone: b}, env: [{name: A, value: template}]}, termination: {backoff: {initial: 2s}}, template: {pod: {spec: {containers: [{name: main, image: none}]}}}}
- name: inner
  dag: {concurrency: 4, operations: [{name: deep, template: plain}]}
`
	p := compiled(t, w)
	spec := func(i int64) string {
		object, err := p.Step(t.Context(), Child{Index: i, Attempt: 1, Queued: someTime}, nil, known)
		require.NoError(t, err)
		var out any
		switch o := object.(type) {
		case *v1alpha1.Operation:
			o.Spec.Template = nil
			out = o.Spec
		case *v1alpha1.Workflow:
			for _, t := range o.Spec.Templates {
				o.Spec.Params[t.Name] = *raw("true") // which templates come along
			}
			o.Spec.Templates = nil
			out = o.Spec
		}
		data, err := yaml.JSONToYAML([]byte(jsonOf(t, out)))
		require.NoError(t, err)
		return string(data)
	}
	const inherited = "desiredState: Run\nenvironment: {nodeSelector: {zone: a, disk: ssd}, env: [{name: A, value: workflow}, {name: B, value: workflow}]}\nproject: vision\n"
	for i, want := range []string{
		inherited + "queue: of-workflow\npriority: 1\ntermination: {maxRetries: 1, timeout: 1h0m0s, backoff: {initial: 1s, max: 9s}}",
		"desiredState: Run\nproject: vision\nqueue: of-step\npriority: 3\ncost: \"2\"\ntermination: {maxRetries: 9, timeout: 1h0m0s, backoff: {initial: 2s, max: 9s}}\n" +
			"environment: {nodeSelector: {zone: c, disk: ssd}, env: [{name: A, value: template}, {name: B, value: workflow}]}",
		inherited + "component: preferring\nqueue: of-component\npriority: 1\ncost: \"1\"\ntermination: {maxRetries: 5, timeout: 1h0m0s, backoff: {initial: 1s, max: 9s}}",
		inherited + "queue: of-workflow\npriority: 7\nconcurrency: 4\nentrypoint: inner\ntemplates: null\nparams: {plain: true, inner: true}\ntermination: {maxRetries: 1, timeout: 1h0m0s, backoff: {initial: 1s, max: 9s}}",
	} {
		require.YAMLEq(t, want, spec(int64(i)))
	}
}

func ptr32(n int32) *int32 { return &n }

// A trial's params are its own and those of the matrix; a nested workflow hands on what it sees.
func TestTrial(t *testing.T) {
	p := compiled(t, matrix("params: {right: \"{{ params.base * 10 }}\"}\n    grid: {params: {left: {kind: range, value: [0, 4, 1]}}}", "params: {base: 2}"))
	require.EqualValues(t, 4, p.Total())
	trial, ok := p.Search.(search.Indexed).Trial(3)
	require.True(t, ok)
	object, err := p.Trial(Child{Index: 3, Attempt: 1, Queued: someTime}, trial, nil, known)
	require.NoError(t, err)
	require.JSONEq(t, `{"left": 3, "right": 20}`, jsonOf(t, object.(*v1alpha1.Operation).Spec.Params))
	require.NotContains(t, object.GetLabels(), v1alpha1.StepLabel)

	nested := compiled(t, "entrypoint: outer\nparams: {base: 2}\ntemplates:"+add+"- name: outer\n  matrix: {template: inner, mapping: {values: [{left: 5}]}}\n- name: inner\n  dag: {operations: [{name: a, template: add}]}\n")
	trial, _ = nested.Search.(search.Indexed).Trial(0)
	object, err = nested.Trial(Child{Attempt: 1, Queued: someTime}, trial, nil, known)
	require.NoError(t, err)
	inner := object.(*v1alpha1.Workflow)
	require.JSONEq(t, fmt.Sprintf(`{"base": 2, "left": 5, "trial": {"index": 0, "key": %q, "previous": null}}`, inner.Name), jsonOf(t, inner.Spec.Params))
	_, err = Check(inner, find)
	require.NoError(t, err)
}

// An expression may give the trials; over none there is nothing to do.
func TestMappingByExpression(t *testing.T) {
	const values = `mapping: {values: "{{ params.files.map(f, {'left': f}) }}"}`
	require.EqualValues(t, 3, compiled(t, matrix(values, "params: {files: [1, 2, 3]}")).Total())
	require.EqualValues(t, 0, compiled(t, matrix(values, "params: {files: []}")).Total())
	_, err := Compile(t.Context(), parse(t, matrix(`mapping: {values: "{{ params.files }}"}`, "params: {files: [1]}")))
	require.ErrorContains(t, err, `spec.templates[1].matrix: mapping.values[0] is 1: write an object`)
}

func TestOutputsAndExit(t *testing.T) {
	p := compiled(t, dag(`{name: a, template: add, params: {left: 1}}`)+"    outputs: {total: \"{{ ops.a.outputs.sum }}\", rate: \"{{ params.rate }}\"}\nonExit: {template: add, params: {left: \"{{ size(globals.message) }}\"}}\n")
	uses, has := p.HasOutputs()
	require.True(t, has)
	require.Contains(t, uses, "a")
	outputs, err := p.Outputs(t.Context(), map[string]expression.OperationValues{"a": {Outputs: map[string]any{"sum": int64(4)}}})
	require.NoError(t, err)
	require.JSONEq(t, `{"total": 4, "rate": 0.5}`, jsonOf(t, outputs))
	object, err := p.Exit(t.Context(), Child{Index: ExitIndex, Attempt: 1}, v1alpha1.Outcome{Status: v1alpha1.StatusFailed, Message: "four"}, known)
	require.NoError(t, err)
	require.JSONEq(t, `{"left": 4, "right": 1}`, jsonOf(t, object.(*v1alpha1.Operation).Spec.Params))
	require.Contains(t, object.GetName(), "nightly-on-exit-")
}

func TestMarked(t *testing.T) {
	p := compiled(t, dag(`{name: a, template: add, params: {left: 1}}`))
	object, err := p.Marked(Child{Attempt: 1}, Never{v1alpha1.StatusSkipped, "its condition is false"})
	require.NoError(t, err)
	require.Equal(t, "skipped", object.GetAnnotations()[v1alpha1.OutcomeAnnotation])
	require.Equal(t, p.ChildName(0, 1), object.GetName())
}

// No two children have the same name, and each can be a label's value.
func TestChildNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &v1alpha1.Workflow{}
		w.Name = rapid.StringMatching(`[a-z]([-a-z0-9]{0,61}[a-z0-9])?`).Draw(t, "name")
		w.UID = "1"
		step := rapid.StringMatching(`[a-z]([-a-z0-9]{0,61}[a-z0-9])?`).Draw(t, "step")
		w.Spec.Entrypoint = step
		w.Spec.Templates = []v1alpha1.WorkflowTemplate{{Name: step, Operation: &v1alpha1.OperationTemplate{Component: "train"}}}
		p, err := Compile(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		first, second := p.ChildName(0, 1), p.ChildName(0, 2)
		if first == second {
			t.Fatalf("two attempts are named %s", first)
		}
		if problems := validation.IsDNS1123Label(first); len(problems) > 0 {
			t.Fatal(first, problems)
		}
	})
}

// The first seed is given by the workflow's identity: the same whenever it is asked for, another for each workflow.
func TestSeed(t *testing.T) {
	one := parse(t, matrix("random: {numRuns: 5, params: {left: {kind: uniform, value: [0, 1]}}}"))
	other := one.DeepCopy()
	other.UID = "another"
	value := func(w *v1alpha1.Workflow) string {
		p, err := Compile(t.Context(), w)
		require.NoError(t, err)
		trial, _ := p.Search.(search.Indexed).Trial(0)
		return string(trial.Params["left"])
	}
	require.Equal(t, value(one), value(one.DeepCopy()))
	require.NotEqual(t, value(one), value(other))
}
