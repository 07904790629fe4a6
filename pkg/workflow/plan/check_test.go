package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/workflow"
)

// parse reads the spec of a workflow.
func parse(t testing.TB, spec string) *v1alpha1.Workflow {
	t.Helper()
	w := &v1alpha1.Workflow{}
	w.Name, w.Namespace, w.UID = "nightly", "team", "8d1f"
	require.NoError(t, yaml.UnmarshalStrict([]byte(spec), &w.Spec))
	return w
}

// add is a template of an operation that two params are seen in.
const add = `
- name: add
  inputs: [{name: left, type: int}, {name: right, type: int, default: 1}]
  operation: {template: {pod: {spec: {containers: [{name: main, image: none, command: [add, "{{ params.left + params.right }}"]}]}}}}
`

// dag is a workflow whose entrypoint is a dag of steps, each of a line.
func dag(steps ...string) string {
	return "entrypoint: main\nparams: {rate: 0.5}\ntemplates:" + add + "- name: main\n  dag:\n    operations:\n    - " + strings.Join(steps, "\n    - ") + "\n"
}

var recipes = map[string]*v1alpha1.Component{}

func init() {
	c := &v1alpha1.Component{}
	c.Name = "train"
	c.Spec.Inputs = []v1alpha1.Input{{Name: "data", Type: "string"}, {Name: "epochs", Type: "int", Default: raw("3")}}
	recipes["train"] = c
}

func find(name string) (*v1alpha1.Component, []string, error) {
	if name == "broken" {
		return nil, nil, errors.New("no answer")
	}
	return recipes[name], []string{"train"}, nil
}

func TestCheckAccepts(t *testing.T) {
	for name, c := range map[string]struct {
		spec string
		want workflow.Size
	}{
		"a diamond": {dag(
			`{name: a, template: add, params: {left: 1}}`,
			`{name: b, template: add, params: {left: "{{ ops.a.outputs.sum }}"}}`,
			`{name: c, template: add, params: {left: "{{ ops.a.outputs.sum }}"}, when: ops.a.outputs.sum > 1 && params.rate < 1.0}`,
			`{name: d, template: add, params: {left: 1}, dependsOn: [b, c], trigger: one_succeeded}`), workflow.Size{Operations: 4, Depth: 2}},
		"an operation alone":         {"entrypoint: add\nparams: {left: 2}\ntemplates:" + add, workflow.Size{Operations: 1, Depth: 1}},
		"params of the workflow":     {"entrypoint: add\ninputs: [{name: left, type: int, default: 2}]\ntemplates:" + add, workflow.Size{Operations: 1, Depth: 1}},
		"a grid":                     {matrix("grid: {params: {left: {kind: range, value: [0, 5, 1]}, right: {kind: choice, value: [1, 2]}}}"), workflow.Size{Operations: 10, Depth: 2}},
		"promoted trials":            {matrix("hyperband: {maxIterations: 9, resource: {name: left}, metric: {name: loss, optimization: minimize}, params: {right: {kind: choice, value: [1, 2]}}}"), workflow.Size{Operations: 22, Depth: 2}},
		"a mapping by an expression": {matrix(`mapping: {values: "{{ [{'left': params.first}, {'left': 2}] }}"}`, "params: {first: 1}"), workflow.Size{Operations: 1, Depth: 2}},
		"results of a matrix": {dag(`{name: sweep, template: grid}`, `{name: last, template: add, params: {left: "{{ ops.sweep.results.filter(r, r.status == 'succeeded').size() }}"}}`) + `
- name: grid
  matrix: {template: add, grid: {params: {left: {kind: range, value: [0, 4, 1]}}}}
`, workflow.Size{Operations: 5, Depth: 3}},
		"a component":         {dag(`{name: a, component: train, params: {data: x}}`), workflow.Size{Depth: 1, Operations: 1}},
		"onExit sees the end": {dag(`{name: a, template: add, params: {left: 1}}`) + "onExit: {template: add, params: {left: \"{{ globals.status == 'failed' ? 1 : 0 }}\"}}", workflow.Size{Operations: 1, Depth: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			size, err := Check(parse(t, c.spec), find)
			require.NoError(t, err)
			if c.want.Operations != 1 || c.want.Depth != 1 {
				require.Equal(t, c.want, size)
			}
			_, err = Compile(t.Context(), parse(t, c.spec))
			require.NoError(t, err)
		})
	}
}

// matrix is a workflow whose entrypoint is a matrix.
func matrix(search string, more ...string) string {
	return "entrypoint: main\n" + strings.Join(more, "\n") + "\ntemplates:" + add + "- name: main\n  matrix:\n    template: add\n    " + search + "\n"
}

// What is wrong is told with the path of the field, the rule and the remedy.
func TestCheckRefuses(t *testing.T) {
	for name, c := range map[string]struct{ spec, says string }{
		"a cycle":                 {dag(`{name: a, template: add, params: {left: 1}, dependsOn: [b]}`, `{name: b, template: add, params: {left: "{{ ops.a.outputs.sum }}"}}`), `spec.templates[1].dag.operations: nodes depend on each other in a cycle: a → b → a (each depends on the next): remove one of these dependencies`},
		"an unknown step":         {dag(`{name: first, template: add, params: {left: 1}}`, `{name: b, template: add, params: {left: 1}, dependsOn: [frist]}`), `spec.templates[1].dag.operations: node "b" depends on "frist", which does not exist (did you mean "first"?)`},
		"an unknown reference":    {dag(`{name: first, template: add, params: {left: 1}}`, `{name: b, template: add, params: {left: "{{ ops.frist.outputs.sum }}"}}`), `spec.templates[1].dag.operations[1].params.left: in {{ ops.frist.outputs.sum }} (column 4): ops.frist does not exist (did you mean ops.first?)`},
		"an unknown template":     {dag(`{name: a, template: ad, params: {left: 1}}`), `template "main" uses template "ad", which does not exist (did you mean "add"?)`},
		"an unknown entrypoint":   {"entrypoint: man\ntemplates:" + add, `spec.templates: entrypoint "man" is no template`},
		"an unknown component":    {dag(`{name: a, component: trian, params: {data: x}}`), `spec.templates[1].dag.operations[0].component: component "trian" does not exist (did you mean "train"?): create it first, or name another`},
		"itself":                  {"entrypoint: main\ntemplates:\n- name: main\n  dag: {operations: [{name: a, template: other}]}\n- name: other\n  dag: {operations: [{name: b, template: main}]}\n", `spec.templates: templates use each other without end: main → other → main`},
		"a missing param":         {dag(`{name: a, template: add}`), `spec.templates[1].dag.operations[0]: template "add" needs param "left", which nothing gives here: add it to params, or give the input a default`},
		"a component's param":     {dag(`{name: a, component: train}`), `component "train" needs param "data", which nothing gives here`},
		"a param too many":        {dag(`{name: a, component: train, params: {data: x, epoch: 1}}`), `spec.templates[1].dag.operations[0].params.epoch: component "train" has no input "epoch" (did you mean "epochs"?)`},
		"a param that is unseen":  {"entrypoint: solo\ntemplates:\n- name: solo\n  operation: {template: {pod: {spec: {containers: [{name: main, image: none, args: [\"{{ params.lr }}\"]}]}}}}\n", `spec.templates[0].operation.template.pod.spec.containers[0].args[0]: in {{ params.lr }} (column 4): params.lr does not exist`},
		"a type in when":          {dag(`{name: a, template: add, params: {left: 1}, when: '"a" + "b"'}`), `spec.templates[1].dag.operations[0].when`},
		"a type in a template":    {"entrypoint: solo\ninputs: [{name: count, type: int, default: 1}]\ntemplates:\n- name: solo\n  operation: {template: {pod: {spec: {containers: [{name: main, image: none, args: [\"{{ params.count + 'a' }}\"]}]}}}}\n", `+ does not take (int, string)`},
		"a misspelt field":        {"entrypoint: solo\ntemplates:\n- name: solo\n  operation: {template: {pod: {spec: {contaniers: []}}}}\n", `spec.templates[0].operation.template.pod: it is no Pod: unknown field "spec.contaniers"`},
		"a matrix over nothing":   {matrix("mapping: {values: []}"), `spec.templates[1].matrix: it is over nothing: give it at least one trial`},
		"no list":                 {matrix("mapping: {values: {left: 1}}"), `spec.templates[1].matrix`},
		"a grid of normals":       {matrix("grid: {params: {left: {kind: normal, value: [0, 1]}}}"), `spec.templates[1].matrix: grid.params.left is normal: a grid takes only choice, range, linspace, logspace or geomspace`},
		"trials that lack one":    {matrix("mapping: {values: [{left: 1}, {right: 1}]}"), `spec.templates[1].matrix: template "add" needs param "left"`},
		"two metrics":             {matrix("tpe: {numRuns: 3, metric: {name: loss, optimization: minimize}, params: {left: {kind: uniform, value: [0, 1]}}}\n    metric: {name: loss, optimization: maximize}"), `spec.templates[1].matrix.metric: the search has a metric of its own: leave this one out`},
		"a resource like a param": {matrix("hyperband: {maxIterations: 9, resource: {name: left}, metric: {name: loss, optimization: minimize}, params: {left: {kind: uniform, value: [0, 1]}}}"), `spec.templates[1].matrix: hyperband.resource.name is "left"`},
		"results of one":          {dag(`{name: a, template: add, params: {left: 1}}`, `{name: b, template: add, params: {left: "{{ ops.a.results.size() }}"}}`), `ops.a.results: "a" is a single operation and has no children: use its outputs`},
		"nested at the end":       {dag(`{name: a, template: add, params: {left: 1}}`) + "onExit: {template: main}", `spec.onExit.template: template "main" is no operation`},
		"a default of no type":    {"entrypoint: add\ninputs: [{name: left, type: int, default: many}]\ntemplates:" + add, `spec.inputs[0].default`},
		"a wrong param":           {"entrypoint: add\ninputs: [{name: left, type: int}]\nparams: {left: many}\ntemplates:" + add, `spec.params.left`},
		"too many":                {matrix("random: {numRuns: 1000000, params: {left: {kind: uniform, value: [0, 1]}}}") + "- name: twice\n  dag: {operations: [{name: a, template: main}, {name: b, template: main}]}\n", `the workflow would become more than 1000000 operations`},
	} {
		t.Run(name, func(t *testing.T) {
			spec := c.spec
			if name == "too many" {
				spec = strings.Replace(spec, "entrypoint: main", "entrypoint: twice", 1)
			}
			_, err := Check(parse(t, spec), find)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestCheckDepth(t *testing.T) {
	spec := "entrypoint: t0\nparams: {left: 1}\ntemplates:" + add
	for i := range 9 {
		next := "t" + string(rune('1'+i))
		if i == 8 {
			next = "add"
		}
		spec += "- name: t" + string(rune('0'+i)) + "\n  dag: {operations: [{name: only, template: " + next + "}]}\n"
	}
	_, err := Check(parse(t, spec), find)
	require.ErrorContains(t, err, "templates are nested 10 deep: 8 is the most")
}

// What could not be read is no fault of the workflow.
func TestCheckUnread(t *testing.T) {
	_, err := Check(parse(t, dag(`{name: a, component: broken}`)), find)
	var unread ErrUnread
	require.ErrorAs(t, err, &unread)
}

// A template that is used in many places is checked once for each set of params that are seen there.
func TestCheckIsNotExponential(t *testing.T) {
	spec := "entrypoint: t0\nparams: {left: 1}\ntemplates:" + add
	for i := range 6 {
		next := "t" + string(rune('1'+i))
		if i == 5 {
			next = "add"
		}
		spec += "- name: t" + string(rune('0'+i)) + "\n  dag: {operations: [" + strings.Repeat("{name: XX, template: "+next+"}, ", 9) + "]}\n"
	}
	for i := 0; strings.Contains(spec, "XX"); i++ {
		spec = strings.Replace(spec, "XX", "s"+string(rune('a'+i%9)), 1)
	}
	size, err := Check(parse(t, spec), find)
	require.NoError(t, err)
	require.EqualValues(t, 531441, size.Operations)
}

// A thousand steps are checked in time that grows with their number, not with its square.
func TestWideDAG(t *testing.T) {
	allocations := func(steps int) float64 {
		w := parse(t, dag(`{name: a, template: add, params: {left: 1}}`))
		d := w.Spec.Templates[1].DAG
		for i := range steps {
			d.Operations = append(d.Operations, v1alpha1.Step{
				Name: fmt.Sprintf("s%d", i), Template: "add", Params: v1alpha1.Values{"left": *raw(`"{{ ops.a.outputs.sum }}"`)},
			})
		}
		return testing.AllocsPerRun(1, func() {
			_, err := Check(w, none)
			require.NoError(t, err)
		})
	}
	few, many := allocations(50), allocations(800)
	require.Less(t, many, 4*16*few)
}

// Templates that are used in ever more ways, level by level, are not followed without end; what no template reads makes no
// other way.
func TestManyWays(t *testing.T) {
	levels := func(n int, reads string) *v1alpha1.Workflow {
		w := parse(t, dag(`{name: a, template: add, params: {left: 1}}`))
		w.Spec.Entrypoint, w.Spec.Templates = "t0", nil
		for level := range 3 {
			d := &v1alpha1.DAG{}
			for i := range n {
				d.Operations = append(d.Operations, v1alpha1.Step{
					Name: fmt.Sprintf("s%d", i), Template: fmt.Sprintf("t%d", level+1), Params: v1alpha1.Values{fmt.Sprintf("p%d-%d", level, i): *raw("1")},
				})
			}
			w.Spec.Templates = append(w.Spec.Templates, v1alpha1.WorkflowTemplate{Name: fmt.Sprintf("t%d", level), DAG: d})
		}
		w.Spec.Templates = append(w.Spec.Templates, v1alpha1.WorkflowTemplate{Name: "t3", Operation: &v1alpha1.OperationTemplate{Template: &v1alpha1.RunTemplate{
			Pod: &runtime.RawExtension{Raw: []byte(`{"spec": {"containers": [{"name": "main", "image": "none", "args": ["` + reads + `"]}]}}`)},
		}}})
		return w
	}
	_, err := Check(levels(60, "none of them"), none)
	require.NoError(t, err)
	all := ""
	for level := range 3 {
		for i := range 60 {
			all += fmt.Sprintf("p%d-%d ", level, i)
		}
	}
	_, err = Check(levels(60, all), none)
	require.ErrorContains(t, err, "spec.templates: they are used with too many different sets of params to be checked")
}

func none(string) (*v1alpha1.Component, []string, error) { return nil, nil, nil }

func TestComponentsOf(t *testing.T) {
	w := parse(t, `
entrypoint: main
onExit: {component: last}
templates:
- {name: one, operation: {component: b}}
- {name: main, dag: {operations: [{name: x, template: one}, {name: y, component: a}, {name: z, component: b}]}}
- {name: search, matrix: {component: c, iterative: {maxIterations: 1, suggest: {component: d}}}}
`)
	require.Equal(t, []string{"a", "b", "c", "d", "last"}, ComponentsOf(&w.Spec))
}
