package expression

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/pkg/params"
)

var declared = Declarations{
	Params: map[string]Type{
		"lr": params.Float, "epochs": params.Int, "name": params.String, "debug": params.Bool,
		"layers": params.List, "env": params.Map, "extra": params.Any, "batch-size": params.Int,
	},
	Globals:    map[string]Type{"name": params.String, "namespace": params.String, "index": params.Int, "attempt": params.Int},
	Operations: []string{"train", "prepare-data"},
	Variables:  map[string]Type{"object": params.Map},
}

func values() Values {
	return Values{
		Params: map[string]any{
			"lr": 0.001, "epochs": int64(3), "name": "resnet", "debug": true, "layers": []any{int64(64), int64(32)},
			"env": map[string]any{"B": "2", "A": "1"}, "extra": nil, "batch-size": int64(128),
		},
		Globals: map[string]any{"name": "op-1", "namespace": "vision", "index": int64(7), "attempt": int64(0)},
		Operations: map[string]OperationValues{
			"train":        {Status: "succeeded", Outputs: map[string]any{"acc": 0.93, "steps": int64(9007199254740993), "one": int64(1), "best": map[string]any{"epoch": int64(2)}}, Params: map[string]any{"lr": 0.1}},
			"prepare-data": {Status: "skipped"},
		},
		Variables: map[string]any{"object": map[string]any{"status": map[string]any{"succeeded": int64(1), "conditions": []any{map[string]any{"type": "Complete", "status": "True"}}}}},
	}
}

func environment(t testing.TB) *Environment {
	e, err := NewEnvironment(declared)
	require.NoError(t, err)
	return e
}

func render(t testing.TB, tree any) (any, ErrorList) {
	template, errs := Compile(tree, "spec", environment(t))
	require.Empty(t, errs)
	return template.Render(context.Background(), values())
}

func TestRender(t *testing.T) {
	tests := []struct {
		name string
		in   string
		want any
	}{
		{"no expression", "plain $(X) ${Y} }} { {", "plain $(X) ${Y} }} { {"},
		{"a float keeps its type", "{{ params.lr }}", 0.001},
		{"an int keeps its type", "{{ params.epochs }}", int64(3)},
		{"a bool keeps its type", "{{params.debug}}", true},
		{"a list keeps its type", "{{ params.layers }}", []any{int64(64), int64(32)}},
		{"a map keeps its type", "{{ params.env }}", map[string]any{"A": "1", "B": "2"}},
		{"null keeps its type", "{{ params.extra }}", nil},
		{"large ints are exact", "{{ ops.train.outputs.steps }}", int64(9007199254740993)},
		{"a space makes it text", " {{ params.epochs }}", " 3"},
		{"a line break makes it text", "{{ params.epochs }}\n", "3\n"},
		{"text and expressions", "--lr={{ params.lr }} --epochs={{ params.epochs }} {{ params.debug }}", "--lr=0.001 --epochs=3 true"},
		{"whole floats have no point", "x{{ 3.0 }}", "x3"},
		{"small floats", "x{{ 0.00001 }} {{ 1e-7 }}", "x0.00001 1e-7"},
		{"large floats", "x{{ 1e20 }} {{ 1e21 }}", "x100000000000000000000 1e+21"},
		{"floats are as short as exact", "x{{ 0.1 + 0.2 }}", "x0.30000000000000004"},
		{"lists in text are JSON", "x{{ params.layers }}", "x[64,32]"},
		{"maps in text are JSON in order", "x{{ params.env }}", `x{"A":"1","B":"2"}`},
		{"no HTML escapes", "x{{ ['<&>'] }}", `x["<&>"]`},
		{"literal braces", `{{ "{{" }} x }}`, "{{ x }}"},
		{"braces in strings", `a{{ "}}" + '}}' }}`, "a}}}}"},
		{"braces of maps", `{{ {"a": {"b": 1}} }}`, map[string]any{"a": map[string]any{"b": int64(1)}}},
		{"braces of maps without spaces", `{{{"a":{"b":1}}}}`, map[string]any{"a": map[string]any{"b": int64(1)}}},
		{"quotes in quotes", `{{ "a\"}}" + r"\" + '''it's }}''' }}`, `a"}}\it's }}`},
		{"comments", "{{ 1 // }}\n + 1 }}", int64(2)},
		{"JSON around it", `{"a":{"lr":{{ params.lr }}}}`, `{"a":{"lr":0.001}}`},
		{"float times int", "{{ params.lr * 2 }}", 0.002},
		{"int minus float", "{{ 1 - params.lr }}", 0.999},
		{"a float that came as an int", "{{ ops.train.outputs.one * 0.5 + 1 }}", 1.5},
		{"int division stays", "{{ 7 / 2 }}", int64(3)},
		{"float division", "{{ 7 / 2.0 }}", 3.5},
		{"comparison of ints and floats", "{{ params.epochs > 2.5 }}", true},
		{"an untyped value equals", "{{ ops.train.outputs.one == 1.0 }}", true},
		{"text of a number", `{{ "run-" + string(params.epochs) }}`, "run-3"},
		{"globals", "{{ globals.namespace }}/{{ globals.name }}-{{ globals.index }}", "vision/op-1-7"},
		{"hyphens", `{{ params["batch-size"] * 2 }} {{ ops["prepare-data"].status }}`, "256 skipped"},
		{"brackets are typed too", `{{ params["lr"] * 2 }}`, 0.002},
		{"outputs", "{{ ops.train.outputs.best.epoch }}", int64(2)},
		{"another's params", "{{ ops.train.params.lr }}", 0.1},
		{"optional given", "{{ ops.train.outputs.?acc.orValue(0.0) }}", 0.93},
		{"optional not given", `{{ ops["prepare-data"].outputs.?acc.orValue(0.0) }}`, 0.0},
		{"optional key not given", `{{ ops.train.outputs[?"zzz"].orValue("none") }}`, "none"},
		{"an optional value is its value", "{{ ops.train.outputs.?acc }}", 0.93},
		{"has", "{{ has(ops.train.outputs.acc) && !has(ops.train.outputs.loss) }}", true},
		{"has a param", "{{ has(params.lr) }}", true},
		{"all params", "{{ params.filter(k, k.startsWith('l')) }}", []any{"layers", "lr"}},
		{"a list of env", `{{ params.env.transformList(k, v, {"name": k, "value": v}).sortBy(e, e.name) }}`, []any{map[string]any{"name": "A", "value": "1"}, map[string]any{"name": "B", "value": "2"}}},
		{"strings", `{{ params.name.upperAscii().replace("NET", "-NET") }}`, "RES-NET"},
		{"math", "{{ math.greatest(params.epochs, 10) }}", int64(10)},
		{"lists", "{{ lists.range(3).map(i, i * 2) }}", []any{int64(0), int64(2), int64(4)}},
		{"encoders", `{{ base64.encode(b"hi") }}`, "aGk="},
		{"sets", "{{ sets.contains([1, 2], [1]) }}", true},
		{"join", `{{ params.layers.map(l, string(l)).join(",") }}`, "64,32"},
		{"format", `{{ "%s-%d".format([params.name, params.epochs]) }}`, "resnet-3"},
		{"durations are text", `{{ duration("90m") }}`, "5400s"},
		{"times are text", `{{ timestamp("2026-01-02T03:04:05Z") + duration("1h") }}`, "2026-01-02T04:04:05Z"},
		{"unicode", "é{{ 'ü' }}", "éü"},
		{"a variable", "{{ object.status.succeeded }}", int64(1)},
		{"a loop variable named as a param", "{{ [1, 2].exists(lr, lr == 2) }}", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, errs := render(t, tt.in)
			require.NoError(t, errs.Err())
			switch want := tt.want.(type) {
			case []any:
				if tt.name == "all params" { // CEL does not say in which order keys come
					require.ElementsMatch(t, want, got)
					return
				}
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// n: 3 is what YAML reads as false: 3.
func TestNamesThatYAMLReadsOtherwise(t *testing.T) {
	e, err := NewEnvironment(Declarations{Params: map[string]Type{"false": params.Int}})
	require.NoError(t, err)
	_, errs := Compile("{{ params.n }}", "spec", e)
	require.ErrorContains(t, errs.Err(), "YAML reads names such as y, n, yes, no, on and off as true or false: write the name in quotes where it is given")
}

func TestStaticErrors(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"a misspelt param", "--lr={{ params.lrr * 2 }}", `spec: in {{ params.lrr * 2 }} (column 9): params.lrr does not exist (did you mean params.lr?): declare it, or use one of: batch-size, debug, env, epochs, extra, layers, lr, name`},
		{"in brackets", `{{ params["epoch"] }}`, `params.epoch does not exist (did you mean params.epochs?)`},
		{"optional", `{{ params.?epoch.orValue(1) }}`, `params.epoch does not exist (did you mean params.epochs?)`},
		{"in has", `{{ has(params.epoch) }}`, `params.epoch does not exist`},
		{"a hyphen", "{{ params.batch-size }}", `params.batch does not exist: a name with a hyphen stands between brackets: params["batch-size"]`},
		{"a global", "{{ globals.namespce }}", "globals.namespce does not exist (did you mean globals.namespace?): use one of: attempt, index, name, namespace"},
		{"an operation", "{{ ops.trian.outputs.acc }}", "ops.trian does not exist (did you mean ops.train?): name an operation of this workflow: prepare-data, train"},
		{"a field of an operation", "{{ ops.train.output.acc }}", "ops.train.output does not exist (did you mean ops.train.outputs?): use one of: outputs, params, results, status"},
		{"bare ops", "{{ ops }}", "ops is no value of its own: write ops.NAME.outputs"},
		{"dynamic ops", "{{ ops[params.name] }}", "ops is no value of its own"},
		{"no root", "{{ lr * 2 }}", "lr is not known by itself: write params.lr"},
		{"no root of a global", "{{ namespace }}", "namespace is a reserved word"},
		{"an unquoted text", "{{ resnet }}", "resnet is not known: use one of: params, globals, ops, object; a text stands in quotes"},
		{"a misspelt root", "{{ param.lr }}", `param is not known (did you mean "params"?)`},
		{"a function", "{{ params.name.uperAscii() }}", `there is no function uperAscii (did you mean "upperAscii"?)`},
		{"text plus int", `{{ "a" + params.epochs }}`, "+ does not take (string, int): make all of it text: string(x)"},
		{"float equals int", "{{ params.lr == 1 }}", "== does not take (float, int): write the whole number as a float: 2.0, or double(x)"},
		{"two types of results", "{{ params.debug ? 1 : 0.5 }}", "?: does not take (bool, int, float): write the whole number as a float: 2.0, or double(x)"},
		{"a text as a bool", "{{ params.name && true }}", "expected"},
		{"fields of a float", "{{ params.lr.x }}", "a float has no fields: only maps have fields"},
		{"a syntax error", "{{ params.lr * }}", "this is no CEL expression ("},
		{"not closed", "x {{ params.lr", `spec: {{ is not closed: write }} after the expression, or {{ "{{" }} for the braces themselves`},
		{"closed in a string only", `x {{ "}}`, "{{ is not closed"},
		{"empty", "{{ }}", `the expression is empty: write one`},
		{"a loop variable that hides a root", "{{ [1].map(params, params) }}", "params may not be the variable of a loop"},
		{"too long", "{{ " + strings.Repeat("1 + ", 3000) + "1 }}", "the expression is longer than 8192 bytes"},
		{"too deep", "{{ " + strings.Repeat("(", 1000) + "1" + strings.Repeat(")", 1000) + " }}", "the expression is nested too deeply"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, errs := Compile(tt.in, "spec", environment(t))
			require.NotEmpty(t, errs)
			require.Contains(t, errs.Error(), tt.want)
			for _, e := range errs {
				require.NotEmpty(t, e.Remedy)
				require.Less(t, len(e.Error()), 600)
			}
		})
	}
}

func TestRuntimeErrors(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"a missing output", "acc {{ ops.train.outputs.accuracy }}", "spec: in {{ ops.train.outputs.accuracy }} (column 25): ops.train.outputs.accuracy has no value (there is: acc, best, one, steps): give it one, or say what holds without it: ops.train.outputs.?accuracy.orValue(...)"},
		{"a missing nested output", "{{ ops.train.outputs.best.loss }}", "ops.train.outputs.best.loss has no value (there is: epoch)"},
		{"a missing key", "{{ params.env.C }}", "params.env.C has no value (there is: A, B)"},
		{"a missing hyphened key", `{{ params.env["C-D"] }}`, `params.env["C-D"] has no value (there is: A, B): give it one, or say what holds without it: params.env[?"C-D"].orValue(...)`},
		{"a missing field of an object", "{{ object.status.failed > 0 }}", "object.status.failed has no value (there is: conditions, succeeded)"},
		{"a computed key", "{{ params.env[params.name] }}", `there is no key "resnet"`},
		{"an index", "{{ params.layers[2] }}", "the list has no element 2: elements count from 0"},
		{"null in text", "x{{ params.extra }}", "the value is null, which has no text: say what to write then"},
		{"an absent optional", "{{ ops.train.outputs.?x }}", "the optional value is absent: say what holds then: .orValue(...)"},
		{"infinity", "{{ 1.0 / 0.0 }}", "the value is +Inf, which JSON has no number for"},
		{"not a number", "{{ [0.0 / 0.0] }}", "the value is NaN, which JSON has no number for"},
		{"division by zero", "{{ params.epochs / (params.epochs - 3) }}", "by zero: write what holds then"},
		{"overflow", "{{ ops.train.outputs.steps * 9007199254740993 }}", "overflow"},
		{"types known only now", "{{ ops.train.outputs.best + 1 }}", "the values are of types that + does not take: convert them"},
		{"keys that are no strings", "{{ {1: 2} }}", "a map has the key 1 of type int, and JSON has only strings as keys"},
		{"bytes", "{{ b'x' }}", "the value is bytes, which JSON has no type for: convert it: string(x) or base64.encode(x)"},
		{"a type", "{{ type(1) }}", "which JSON has no type for"},
		{"a large unsigned", "{{ 18446744073709551615u }}", "beyond the integers of Kubernetes"},
		{"a bad pattern", `{{ params.name.matches(params.name + "[") }}`, "error parsing regexp"},
		{"a costly loop", "{{ lists.range(1000).map(a, lists.range(1000).map(b, lists.range(1000).map(c, a*b*c)))}}", "the expression takes too long to evaluate"},
		{"a quadratic call", "{{ lists.range(5000).distinct() }}", "the expression takes too long to evaluate"},
		{"a costly pattern", `{{ lists.range(40000).map(i, "aaaaaaaaaa").join("").matches("(a|b)*c.*d.*e.*f") }}`, "the expression takes too long to evaluate"},
		{"a pattern that is larger than it looks", `{{ "a".matches("(` + strings.Repeat("b", 3000) + `){1000}") }}`, "the expression takes too long to evaluate"},
		{"a pattern that is compiled for every text", `{{ lists.range(2000).map(i, "".matches("(` + strings.Repeat("b", 300) + `){100}")) }}`, "the expression takes too long to evaluate"},
		{"a list of one list many times", `{{ [lists.range(50000)].map(l, lists.range(1000).map(i, l).flatten().size()) }}`, "the expression"},
		{"a deeper one", `{{ [lists.range(1500)].map(l, lists.range(1000).map(i, [l]).flatten(2).size()) }}`, "the expression would make a text or a list longer than"},
		{"sorting long texts", `{{ lists.range(1000).map(i, [params.name].map(n, lists.range(500).map(k, n).join("") + string(i))[0]).sort().size() }}`, "the expression takes too long to evaluate"},
		{"costs that || would hide", `{{ [1].exists(i, lists.range(5000).distinct().size() > 0) || true }}`, "the expression takes too long to evaluate"},
		{"a huge range", "{{ lists.range(1000000000000) }}", "lists.range(1000000000000) is longer than 100000"},
		{"an exploding text", `{{ [params.name].map(a, a.replace("", a+a+a+a+a+a+a+a)).map(a, a.replace("", a)).map(a, a.replace("", a)).map(a, a.replace("", a)) }}`, "the expression would make a text or a list longer than"},
		{"an exploding join", `{{ lists.range(100000).map(i, "aaaaaaaaaaaaaaaaaaaa").join("aaaaaaaaaaaaaa") }}`, "the expression"},
		{"an exploding tree", `{{ [[1]]` + strings.Repeat(".map(x, [x, x])", 20) + ` }}`, "what is rendered is larger than 1048576 bytes"},
		{"comparing an exploding tree", `{{ [[1]]` + strings.Repeat(".map(x, [x, x])", 20) + ` == dyn([[1]]` + strings.Repeat(".map(x, [x, x])", 20) + `) }}`, "the expression takes too long to evaluate"},
		{"a huge precision", `{{ "%.999999f".format([1.0]) }}`, "format asks for a thousand digits or more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, errs := render(t, tt.in)
			require.NotEmpty(t, errs)
			require.Contains(t, errs.Error(), tt.want)
			for _, e := range errs {
				require.NotEmpty(t, e.Remedy)
				require.Less(t, len(e.Error()), 600)
			}
		})
	}
}

func TestMissingValues(t *testing.T) {
	e := environment(t)
	for source, want := range map[string]string{
		"{{ params.lr }}":            "params.lr has no value: give it one, or a default",
		"{{ globals.index }}":        "globals.index has no value",
		"{{ ops.train.status }}":     "ops.train has no results yet: let this operation depend on train",
		"{{ object.status }}":        "object has no value",
		"{{ params.epochs + 1 }}":    `params.epochs is declared as an int and has the value "3": give it an int`,
		"{{ params.name }}":          "params.name is declared as a string and has the value 5",
		"{{ params.env.A }}":         "params.env is declared as a map",
		"{{ params.extra }}":         "params.extra: the value is NaN",
		"{{ params.layers.size() }}": "params.layers is declared as a list",
	} {
		template, errs := Compile(source, "", e)
		require.NoError(t, errs.Err())
		_, errs = template.Render(context.Background(), Values{Params: map[string]any{"epochs": "3", "name": int64(5), "env": "x", "extra": math.NaN(), "layers": nil, "lr": nil}})
		if source == "{{ params.layers.size() }}" {
			want = "params.layers has no value"
		}
		require.ErrorContains(t, errs.Err(), want, source)
	}
}

// A value is the type that was declared, whatever a JSON decoder made of it.
func TestDeclaredTypes(t *testing.T) {
	template, errs := Compile(map[string]any{"lr": "{{ params.lr }}", "epochs": "{{ params.epochs }}", "all": "{{ [params['lr'], params.filter(k, k == 'lr').size() == 1] }}"}, "", environment(t))
	require.NoError(t, errs.Err())
	for _, given := range []map[string]any{
		{"lr": int64(1), "epochs": 3.0},
		{"lr": json.Number("1"), "epochs": json.Number("3.0")},
		{"lr": json.Number("1.0"), "epochs": json.Number("3")},
		{"lr": 1.0, "epochs": int64(3)},
	} {
		got, errs := template.Render(context.Background(), Values{Params: given})
		require.NoError(t, errs.Err())
		require.Equal(t, map[string]any{"lr": 1.0, "epochs": int64(3), "all": []any{1.0, true}}, got)
	}
	got, errs := template.Render(context.Background(), Values{Params: map[string]any{"lr": json.Number("100000000000000000000"), "epochs": int64(3)}})
	require.NoError(t, errs.Err())
	require.Equal(t, 1e20, got.(map[string]any)["lr"])
	_, errs = template.Render(context.Background(), Values{Params: map[string]any{"lr": 1.0, "epochs": json.Number("18446744073709551616")}})
	require.ErrorContains(t, errs.Err(), "beyond 64 bits: write it as a string")
}

func TestTree(t *testing.T) {
	tree := map[string]any{
		"containers": []any{map[string]any{"args": []any{"--a", "--lr={{ params.lrr }}", "{{ 'x' + 1 }}"}, "{{ key }}": "x"}},
		"labels":     map[string]any{"queueyard.io/queue": "{{ nothing }}"},
		"a":          "line one\nand {{ params.name\n + params.epochs }}",
		"fine":       "{{ params.lr }}",
	}
	before, _ := json.Marshal(tree)
	_, errs := Compile(tree, "spec.template", environment(t))
	after, _ := json.Marshal(tree)
	require.Equal(t, string(before), string(after))
	require.Len(t, errs, 5)
	var paths []string
	for _, e := range errs {
		paths = append(paths, e.Path)
	}
	require.Equal(t, []string{"spec.template.a", "spec.template.containers[0].args[1]", "spec.template.containers[0].args[2]", `spec.template.containers[0]["{{ key }}"]`, `spec.template.labels["queueyard.io/queue"]`}, orderless(paths))
	require.Equal(t, []int{3, 2}, []int{errs[0].Line, errs[0].Column}, errs[0].Error())
}

// orderless puts the key's error where the paths' order has it: it is found among its siblings by key.
func orderless(paths []string) []string {
	if len(paths) == 5 && strings.Contains(paths[1], "key") {
		return append([]string{paths[0], paths[2], paths[3], paths[1]}, paths[4])
	}
	return paths
}

func TestManyErrors(t *testing.T) {
	var tree []any
	for range 30 {
		tree = append(tree, "{{ nothing }}")
	}
	_, errs := Compile(tree, "args", environment(t))
	require.Len(t, errs, MaxErrors+1)
	require.Equal(t, "args[0]", errs[0].Path)
	require.Equal(t, "and 10 more errors", errs[MaxErrors].Error())

	for i := range tree {
		tree[i] = "{{ ops.train.outputs.nothing }}"
	}
	_, errs = render(t, tree)
	require.Len(t, errs, MaxErrors+1)
}

func TestBounds(t *testing.T) {
	e := environment(t)
	many := make([]any, MaxExpressions+1)
	for i := range many {
		many[i] = "{{ 1 }}"
	}
	_, errs := Compile(many[1:], "", e)
	require.NoError(t, errs.Err())
	_, errs = Compile(many, "", e)
	require.ErrorContains(t, errs.Err(), "more than 500 expressions")

	_, errs = Compile(strings.Repeat("x", MaxTemplateBytes), "", e)
	require.NoError(t, errs.Err())
	_, errs = Compile([]any{strings.Repeat("x", MaxTemplateBytes), "x"}, "", e)
	require.ErrorContains(t, errs.Err(), "longer than 1048576 bytes")

	var deep any = "x"
	for range maxDepth + 1 {
		deep = []any{deep}
	}
	_, errs = Compile(deep, "", e)
	require.ErrorContains(t, errs.Err(), "deeper than 200 levels")

	v := values()
	v.Params["name"] = strings.Repeat("x", MaxRenderedBytes/2)
	template, errs := Compile([]any{"{{ params.name }}", "{{ params.name }}"}, "", e)
	require.NoError(t, errs.Err())
	_, errs = template.Render(context.Background(), v)
	require.ErrorContains(t, errs.Err(), "larger than 1048576 bytes")

	_, errs = Compile(map[string]any{"x": struct{}{}}, "", e)
	require.ErrorContains(t, errs.Err(), "x: the template holds a struct {}, which is no JSON")
}

// What the checker takes grows with the fourth power of the depth: a kilobyte of brackets would keep it for a minute.
func TestNesting(t *testing.T) {
	e := environment(t)
	for _, around := range [][2]string{{"[", "]"}, {"{'a': ", "}"}, {"[1].map(x, ", ")"}, {"optional.of(", ")"}, {"type(", ")"}, {"true ? [", "] : []"}} {
		of := func(n int) string {
			return "{{ " + strings.Repeat(around[0], n) + "1" + strings.Repeat(around[1], n) + " }}"
		}
		_, errs := Compile(of(8), "", e)
		require.NoError(t, errs.Err(), around[0])
		for _, n := range []int{maxNesting + 1, 200} {
			_, errs = Compile(of(n), "", e)
			require.ErrorContains(t, errs.Err(), "nested more than 24 deep", around[0])
		}
	}
	_, errs := Compile("{{ [1]"+strings.Repeat(".map(x, [x])", 200)+" }}", "", e)
	require.ErrorContains(t, errs.Err(), "nested more than 24 deep")
	_, errs = Compile("{{ "+strings.Repeat("params.epochs + ", 90)+"1 }}", "", e)
	require.NoError(t, errs.Err())
}

func TestInterrupted(t *testing.T) {
	template, errs := Compile("{{ lists.range(20000).filter(i, i > 5).size() }}", "", environment(t))
	require.NoError(t, errs.Err())
	ctx, cancel := context.WithCancel(context.Background())
	_, errs = template.Render(ctx, values())
	require.NoError(t, errs.Err())
	cancel()
	_, errs = template.Render(ctx, values())
	require.ErrorContains(t, errs.Err(), "interrupted")
}

// A loop looks at the context while it runs, not only at its end.
func TestInterruptedInLoop(t *testing.T) {
	e := environment(t)
	p, faults := e.compile("lists.range(20000).filter(i, i > 5).size()")
	require.Empty(t, faults)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	a := e.activate(ctx, &Values{})
	_, f := p.eval(a)
	require.ErrorContains(t, f, "interrupted")
	require.Equal(t, lookEvery, a.steps)
}

// Controllers share templates and environments between workers.
func TestConcurrent(t *testing.T) {
	e := environment(t)
	template, errs := Compile(podTemplate(), "", e)
	require.NoError(t, errs.Err())
	want, errs := template.Render(context.Background(), values())
	require.NoError(t, errs.Err())
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 20 {
				got, errs := template.Render(context.Background(), values())
				assert.NoError(t, errs.Err())
				assert.Equal(t, want, got)
				e, err := NewEnvironment(declared)
				assert.NoError(t, err)
				_, errs = Compile(fmt.Sprintf("{{ params.epochs + %d }}{{ params.layers.map(l, l + %d) }}", j, i), "", e)
				assert.NoError(t, errs.Err())
			}
		})
	}
	group.Wait()
}

func TestExpect(t *testing.T) {
	e := environment(t)
	tests := []struct {
		in   string
		want Type
		err  string
	}{
		{"{{ params.epochs }}", params.Int, ""},
		{"{{ params.epochs }}", params.Float, ""},
		{"{{ params.extra }}", params.Int, ""},
		{"{{ params.layers.map(l, l * 2) }}", params.List, ""},
		{"{{ {'a': 1} }}", params.Map, ""},
		{"{{ ops.train.outputs.?replicas.orValue(1) }}", params.Int, ""},
		{"{{ params.name }}", params.Int, "spec.replicas: in {{ params.name }} (column 4): an int is expected here, and this is a string: convert it"},
		{"{{ params.lr }}", params.Int, "this is a float"},
		{"{{ params.epochs }}0", params.Int, "an int is expected here, and text around an expression makes it a string"},
		{"x{{ params.epochs }}", params.String, ""},
		{"3", params.Int, ""}, // what is no expression is others' to validate
	}
	for _, tt := range tests {
		_, errs := Compile(map[string]any{"replicas": tt.in}, "spec", e, Expect("spec.replicas", tt.want))
		if tt.err == "" {
			require.NoError(t, errs.Err(), tt.in)
		} else {
			require.ErrorContains(t, errs.Err(), tt.err, tt.in)
		}
	}
}

func TestReferences(t *testing.T) {
	tree := map[string]any{
		"a": "{{ params.lr }} {{ params['epochs'] + globals.index }}",
		"b": []any{"{{ ops.train.outputs.acc }}", "{{ has(ops.train.outputs.x) }}", `{{ ops["prepare-data"].status }}`, "{{ object.x }}", "{{ [1].map(object, object) }}"},
	}
	template, errs := Compile(tree, "", environment(t))
	require.NoError(t, errs.Err())
	want := References{
		Params: []string{"epochs", "lr"}, Globals: []string{"index"}, Variables: []string{"object"},
		Operations: map[string]OperationUse{"train": {Outputs: true}, "prepare-data": {Status: true}},
	}
	require.Equal(t, want, template.References())
	template.References().Params[0] = "changed"
	require.Equal(t, want, template.References())

	for source, want := range map[string]References{
		"globals.map(k, k).size() > 0":      {Globals: []string{"attempt", "index", "name", "namespace"}},
		"ops.train.size() > 0":              {Operations: map[string]OperationUse{"train": {Outputs: true, Params: true, Status: true}}},
		"ops.train.?outputs.hasValue()":     {Operations: map[string]OperationUse{"train": {Outputs: true}}},
		"'lr' in ops.train.params":          {Operations: map[string]OperationUse{"train": {Params: true}}},
		"params.?name.orValue('') == 'x'":   {Params: []string{"name"}},
		"[params.lr].exists(x, x > 1.0)":    {Params: []string{"lr"}},
		"{'a': params.debug}.a":             {Params: []string{"debug"}},
		"params.layers[params.epochs] == 1": {Params: []string{"epochs", "layers"}},
	} {
		c, errs := CompileCondition(source, "", environment(t))
		require.NoError(t, errs.Err(), source)
		require.Equal(t, want, c.References(), source)
	}
}

func TestCondition(t *testing.T) {
	e := environment(t)
	for source, want := range map[string]bool{
		"ops.train.outputs.acc > 0.9":                                                    true,
		"{{ ops.train.outputs.acc < 0.9 }}":                                              false,
		"ops.train.status == 'succeeded' && params.epochs >= 3":                          true,
		"object.status.succeeded == 1":                                                   true,
		"object.status.conditions.exists(c, c.type == 'Complete' && c.status == 'True')": true,
		"object.status.?failed.orValue(0) > 3":                                           false,
		"params.debug":                                                                   true,
	} {
		c, errs := CompileCondition(source, "when", e)
		require.NoError(t, errs.Err(), source)
		got, err := c.Evaluate(context.Background(), values())
		require.NoError(t, err, source)
		require.Equal(t, want, got, source)
	}
	for source, want := range map[string]string{
		"params.epochs":           "when: in {{ params.epochs }} (column 1): a condition is true or false, and this is an int: compare it with something: x > 0",
		"params.lrr > 1":          "when: in {{ params.lrr > 1 }} (column 1): params.lrr does not exist",
		"{{ params.lrr > 1 }}":    "(column 4)",
		"{{ params.debug }} x":    "this is no CEL expression",
		"":                        "the expression is empty",
		"object.?done":            "a condition is true or false",
		"params.epochs > 1 and x": "this is no CEL expression",
	} {
		_, errs := CompileCondition(source, "when", e)
		require.ErrorContains(t, errs.Err(), want, source)
	}
	c, errs := CompileCondition("ops.train.outputs.acc", "when", e)
	require.NoError(t, errs.Err())
	_, err := c.Evaluate(context.Background(), values())
	require.ErrorContains(t, err, "a condition is true or false, and this is a float")
}

func TestExpression(t *testing.T) {
	e := environment(t)
	x, errs := CompileExpression("{{ params.layers.map(l, l + 1) }}", "withItems", e, params.List)
	require.NoError(t, errs.Err())
	got, err := x.Evaluate(context.Background(), values())
	require.NoError(t, err)
	require.Equal(t, []any{int64(65), int64(33)}, got)
	require.Equal(t, References{Params: []string{"layers"}}, x.References())

	_, errs = CompileExpression("params.lr", "withItems", e, params.List)
	require.ErrorContains(t, errs.Err(), "withItems: in {{ params.lr }} (column 1): a list is expected here, and this is a float")

	x, errs = CompileExpression("params.extra", "withItems", e, params.List)
	require.NoError(t, errs.Err())
	_, err = x.Evaluate(context.Background(), values())
	require.ErrorContains(t, err, "a list is expected here, and this is null")

	x, errs = CompileExpression("params.epochs", "", e, params.Float)
	require.NoError(t, errs.Err())
	got, err = x.Evaluate(context.Background(), values())
	require.NoError(t, err)
	require.Equal(t, 3.0, got)
}

func TestDeclarations(t *testing.T) {
	for _, bad := range []Declarations{
		{Params: map[string]Type{"a.b": params.Int}},
		{Params: map[string]Type{"a": "integer"}},
		{Operations: []string{"a.b"}},
		{Variables: map[string]Type{"params": params.Any}},
		{Variables: map[string]Type{"a-b": params.Any}},
	} {
		_, err := NewEnvironment(bad)
		require.Error(t, err)
	}
	a, err := NewEnvironment(Declarations{Operations: []string{"b", "a"}, Params: map[string]Type{"x": params.Int}})
	require.NoError(t, err)
	b, err := NewEnvironment(Declarations{Operations: []string{"a", "b"}, Params: map[string]Type{"x": params.Int}})
	require.NoError(t, err)
	require.Same(t, a, b)
	c, err := NewEnvironment(Declarations{Operations: []string{"a", "b"}, Params: map[string]Type{"x": params.Float}})
	require.NoError(t, err)
	require.NotSame(t, a, c)
}
