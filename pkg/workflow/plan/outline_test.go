package plan

import (
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/expression"
	"github.com/queueyard/queueyard/pkg/search"
)

func outline(t *testing.T, spec string) *Outline {
	t.Helper()
	o, err := NewOutline(t.Context(), parse(t, spec), nil)
	require.NoError(t, err)
	return o
}

func specOf(o client.Object) any {
	if w, is := o.(*v1alpha1.Workflow); is {
		return w.Spec
	}
	return o.(*v1alpha1.Operation).Spec
}

// What depends on nothing is outlined as it will be made.
func TestOutlineIsThePlan(t *testing.T) {
	spec := dag(`{name: a, template: add, params: {left: "{{ params.rate > 0.0 ? 1 : 2 }}"}}`, `{name: b, template: add, dependsOn: [a], queue: other, params: {left: 2, right: 3}}`)
	o, p := outline(t, spec), compiled(t, spec)
	for i := range 2 {
		got, err := o.Step(t.Context(), i, known)
		require.NoError(t, err)
		require.Empty(t, got.Open)
		want, err := p.Step(t.Context(), Child{Index: int64(i), Attempt: 1}, map[string]expression.OperationValues{}, known)
		require.NoError(t, err)
		require.Equal(t, specOf(want), specOf(got.Object))
	}
	spec = matrix("params: {right: \"{{ params.base * 10 }}\"}\n    grid: {params: {left: {kind: range, value: [0, 4, 1]}}}", "params: {base: 2}")
	o, p = outline(t, spec), compiled(t, spec)
	require.Equal(t, p.Total(), o.Total())
	trial, _ := o.Search.(search.Indexed).Trial(2)
	got, err := o.Trial(trial, known)
	require.NoError(t, err)
	want, err := p.Trial(Child{Index: 2, Attempt: 1}, trial, nil, known)
	require.NoError(t, err)
	require.Equal(t, specOf(want), specOf(got.Object))
}

// What depends on other steps, or on who the workflow will be, is open, and only that; nested as well.
func TestOutlineOpen(t *testing.T) {
	o := outline(t, dag(
		`{name: a, template: add, params: {left: 1, right: "{{ globals.uid }}"}}`,
		`{name: b, template: add, when: ops.a.outputs.sum > 1, params: {left: "{{ ops.a.outputs.sum }}", right: 7}}`,
		`{name: c, template: add, when: params.rate > 9.0, params: {left: {x: ["{{ ops.a.status }}"]}}}`))
	for i, want := range []map[string]string{
		{"right": "{{ globals.uid }}"}, {"left": "{{ ops.a.outputs.sum }}"}, {"left": `{"x":["{{ ops.a.status }}"]}`},
	} {
		got, err := o.Step(t.Context(), i, known)
		require.NoError(t, err)
		require.Equal(t, want, got.Open)
	}
	for i, want := range []struct{ holds, known bool }{{true, true}, {true, false}, {false, true}} {
		_, holds, known, err := o.Condition(t.Context(), i)
		require.NoError(t, err)
		require.Equal(t, want, struct{ holds, known bool }{holds, known}, i)
	}

	o = outline(t, "entrypoint: main\ntemplates:"+add+`
- name: main
  dag: {operations: [{name: list, template: add, params: {left: 1}}, {name: each, template: each, params: {files: "{{ ops.list.outputs.files }}", left: 5}}]}
- name: each
  inputs: [{name: files, type: list}]
  matrix: {template: add, params: {right: "{{ size(params.files) }}"}, mapping: {values: "{{ params.files.map(f, {'left': f}) }}"}}
`)
	got, err := o.Step(t.Context(), 1, known)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"files": "{{ ops.list.outputs.files }}"}, got.Open)
	inner, err := NewOutline(t.Context(), got.Object.(*v1alpha1.Workflow), got.Open)
	require.NoError(t, err)
	require.EqualValues(t, -1, inner.Total())
	require.Nil(t, inner.Search)
	any, err := inner.AnyTrial(known)
	require.NoError(t, err)
	require.Contains(t, any.Open, "right")
}
