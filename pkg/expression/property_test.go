package expression

import (
	"context"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/params"
)

// anyJSON is a decoded JSON value of the types that Kubernetes' decoder makes.
func anyJSON(depth int) *rapid.Generator[any] {
	scalar := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Map(rapid.Int64(), func(v int64) any { return v }),
		rapid.Map(rapid.Float64(), func(v float64) any {
			if math.IsInf(v, 0) || math.IsNaN(v) {
				return 0.5
			}
			return v
		}),
		rapid.Map(rapid.OneOf(rapid.String(), rapid.StringMatching(`[{}$(') a"]{0,8}`)), func(v string) any { return v }),
	)
	if depth == 0 {
		return scalar
	}
	return rapid.OneOf(scalar,
		rapid.Map(rapid.SliceOfN(anyJSON(depth-1), 0, 3), func(v []any) any { return v }),
		rapid.Map(rapid.MapOfN(rapid.StringN(0, 3, 6), anyJSON(depth-1), 0, 3), func(v map[string]any) any { return v }))
}

func bare(value any) bool {
	switch v := value.(type) {
	case string:
		return !strings.Contains(v, opening)
	case []any:
		for _, e := range v {
			if !bare(e) {
				return false
			}
		}
	case map[string]any:
		for key, e := range v {
			if !bare(key) || !bare(e) {
				return false
			}
		}
	}
	return true
}

func TestWithoutExpressionsProperty(t *testing.T) {
	e := environment(t)
	rapid.Check(t, func(t *rapid.T) {
		tree := anyJSON(3).Filter(bare).Draw(t, "tree")
		template, errs := Compile(tree, "", e)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		got, errs := template.Render(context.Background(), Values{})
		if len(errs) > 0 || !reflect.DeepEqual(got, tree) {
			t.Fatalf("%#v rendered to %#v (%v)", tree, got, errs)
		}
		// The result is the caller's own.
		spoil(got)
		again, _ := template.Render(context.Background(), Values{})
		if !reflect.DeepEqual(again, tree) {
			t.Fatalf("a change of what was rendered changed the template: %#v", again)
		}
	})
}

func spoil(value any) {
	switch v := value.(type) {
	case []any:
		for i := range v {
			spoil(v[i])
			v[i] = "spoilt"
		}
	case map[string]any:
		for key := range v {
			spoil(v[key])
			v[key] = "spoilt"
		}
	}
}

// Whatever a value is, an expression that names it gives it back, type and all; also when the values came from
// the other decoder.
func TestRoundTripProperty(t *testing.T) {
	e := environment(t)
	template, errs := Compile([]any{"{{ params.extra }}", "{{ ops.train.outputs.x }}", "{{ [{'a': params.extra}] }}"}, "", e)
	require.NoError(t, errs.Err())
	rapid.Check(t, func(t *rapid.T) {
		value := anyJSON(3).Draw(t, "value")
		given := value
		if rapid.Bool().Draw(t, "numbers") {
			given = asNumbers(t, value)
		}
		got, errs := template.Render(context.Background(), Values{
			Params:     map[string]any{"extra": given},
			Operations: map[string]OperationValues{"train": {Outputs: map[string]any{"x": given}}},
		})
		want := []any{value, value, []any{map[string]any{"a": value}}}
		if len(errs) > 0 || !reflect.DeepEqual(got, want) {
			t.Fatalf("%#v rendered to %#v (%v)", want, got, errs)
		}
		if _, err := json.Marshal(got); err != nil {
			t.Fatal(err)
		}
	})
}

// asNumbers is the value as encoding/json gives it with UseNumber; floats keep their point.
func asNumbers(t *rapid.T, value any) any {
	switch v := value.(type) {
	case int64:
		text, _ := json.Marshal(v)
		return json.Number(text)
	case float64:
		text, _ := json.Marshal(v)
		if !strings.ContainsAny(string(text), ".e") {
			text = append(text, ".0"...)
		}
		return json.Number(text)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = asNumbers(t, v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = asNumbers(t, v[key])
		}
		return out
	}
	return value
}

// Text in a rendered string reads back as the number it was.
func TestNumbersInTextProperty(t *testing.T) {
	template, errs := Compile("x{{ params.lr }}", "", environment(t))
	require.NoError(t, errs.Err())
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		got, errs := template.Render(context.Background(), Values{Params: map[string]any{"lr": f}})
		if math.IsNaN(f) || math.IsInf(f, 0) {
			if len(errs) == 0 {
				t.Fatalf("%v rendered to %v", f, got)
			}
			return
		}
		var back float64
		if err := json.Unmarshal([]byte(got.(string)[1:]), &back); err != nil || back != f {
			t.Fatalf("%v rendered to %v (%v)", f, got, err)
		}
	})
}

// typedSource writes an expression of a type over typed names, well-typed by construction.
func typedSource(t *rapid.T, want Type, depth int) string {
	draw := func(sources ...string) string { return rapid.SampledFrom(sources).Draw(t, "source") }
	sub := func(of Type) string { return typedSource(t, of, depth-1) }
	leaf := depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0
	switch want {
	case params.Int:
		if leaf {
			return draw("params.epochs", `params["batch-size"]`, "globals.index", "2", "params.layers.size()", "int('7')")
		}
		return "(" + sub(params.Int) + draw(" + ", " - ") + sub(params.Int) + ")"
	case params.Float:
		if leaf {
			return draw("params.lr", "0.5", "double(params.epochs)", "params['lr']")
		}
		left, right := sub(params.Float), sub(rapid.SampledFrom([]Type{params.Int, params.Float}).Draw(t, "operand"))
		if rapid.Bool().Draw(t, "swap") {
			left, right = right, left
		}
		return "(" + left + draw(" + ", " - ", " * ") + right + ")"
	case params.Bool:
		if leaf {
			return draw("params.debug", "true", "has(params.env)", "ops.train.status == 'failed'")
		}
		switch rapid.IntRange(0, 2).Draw(t, "bool") {
		case 0:
			return "(" + sub(params.Int) + draw(" < ", " >= ") + sub(params.Float) + ")"
		case 1:
			return "(" + sub(params.Bool) + draw(" && ", " || ") + sub(params.Bool) + ")"
		}
		return "(" + sub(params.String) + draw(" == ", " != ") + sub(params.String) + ")"
	default:
		if leaf {
			return draw("params.name", "globals.namespace", `"{{ }}"`, "'}}'", "string(params.lr)", "ops.train.status")
		}
		if rapid.Bool().Draw(t, "choice") {
			return "(" + sub(params.Bool) + " ? " + sub(params.String) + " : " + sub(params.String) + ")"
		}
		return "(" + sub(params.String) + " + " + sub(params.String) + ")"
	}
}

// What Compile accepts and what has values of the declared types renders, to the type that was meant.
func TestWellTypedProperty(t *testing.T) {
	e := environment(t)
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SampledFrom([]Type{params.Int, params.Float, params.Bool, params.String}).Draw(t, "type")
		source := typedSource(t, want, 3)
		template, errs := Compile(map[string]any{"x": "{{ " + source + " }}", "y": "a{{" + source + "}}b"}, "", e, Expect("x", want))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		v := values()
		v.Params["lr"] = rapid.SampledFrom([]any{0.25, int64(3), json.Number("2")}).Draw(t, "lr")
		v.Params["epochs"] = rapid.SampledFrom([]any{int64(3), 4.0, json.Number("5")}).Draw(t, "epochs")
		got, errs := template.Render(context.Background(), v)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		x := got.(map[string]any)["x"]
		if params.TypeOf(x) != want {
			t.Fatalf("%s rendered to %T, not %s", source, x, want)
		}
	})
}

// anySource is an expression that may be right or wrong in any way.
func anySource() *rapid.Generator[string] {
	token := rapid.SampledFrom([]string{
		"params", ".lr", ".", "ops", ".train", ".outputs", ".acc", "?", "[", "]", "(", ")", "{", "}", `"a"`, "'", `"`, "1", "2.5", "+", "-", "*", "/", "==", " ", ":", ",",
		"[1,2]", ".map(x, x)", "has(", ".size()", "globals.name", "true", "null", "b'x'", "r'\\'", "//", "\n", "in", "||", "&&", "lists.range(3)", ".orValue(0)", "type(", "string(", "params.env", "object", "{{", "}}", "%",
	})
	return rapid.Map(rapid.SliceOfN(token, 0, 12), func(tokens []string) string { return strings.Join(tokens, "") })
}

// Nothing that can be written or given makes it panic, and every error is a sentence with a remedy.
func TestNeverPanicsProperty(t *testing.T) {
	e := environment(t)
	rapid.Check(t, func(t *rapid.T) {
		sources := rapid.SliceOfN(anySource(), 1, 3).Draw(t, "sources")
		tree := []any{"{{ " + sources[0] + " }}", strings.Join(sources, "{{ params.lr }}")}
		template, errs := Compile(tree, "spec", e)
		sentences(t, errs)
		if template == nil {
			return
		}
		v := Values{Params: map[string]any{}, Globals: map[string]any{"name": anyJSON(1).Draw(t, "name")}, Variables: map[string]any{"object": anyJSON(2).Draw(t, "object")}}
		for name := range declared.Params {
			v.Params[name] = anyJSON(1).Draw(t, name)
		}
		got, errs := template.Render(context.Background(), v)
		sentences(t, errs)
		if len(errs) == 0 {
			if _, err := json.Marshal(got); err != nil {
				t.Fatalf("%v rendered to what is no JSON: %v", tree, err)
			}
		}
	})
}

func sentences(t interface{ Fatalf(string, ...any) }, errs ErrorList) {
	for i, e := range errs {
		if e.Message == "" || e.Remedy == "" && i < MaxErrors || len(e.Error()) > 1500 {
			t.Fatalf("no fit sentence: %+v", e)
		}
		if strings.Contains(e.Message, "internal error") {
			t.Fatalf("it panicked inside: %v", e)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		"plain", "{{ params.lr }}", "--lr={{ params.lr * 2 }} {{ params.epochs }}", `{{ "{{" }}`, `{{ {"a": {"b": 1}} }}`, "{{ ops.train.outputs.?acc.orValue(0.0) }}",
		`{{ params["batch-size"] }}`, "{{ // }}\n 1 }}", "{{ r'\\' }}", "{{ '''}}''' }}", "{{", "{{ }}", "{{ params. }}", "{{ a.b(c, d) }}", "{{ 'é' + params.lrr }}", "{{{}}}", "{{ [1].map(x, x / 0) }}",
	} {
		f.Add(seed)
	}
	e, err := NewEnvironment(declared)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		template, errs := Compile(map[string]any{"x": text}, "spec", e)
		sentences(t, errs)
		for _, e := range errs {
			if e.Path != "spec.x" {
				t.Fatalf("an error of another place: %+v", e)
			}
		}
		if (template == nil) != (len(errs) > 0) {
			t.Fatalf("neither a template nor an error")
		}
		if template == nil {
			return
		}
		got, errs := template.Render(context.Background(), values())
		sentences(t, errs)
		if len(errs) == 0 && !strings.Contains(text, opening) && got.(map[string]any)["x"] != text {
			t.Fatalf("%q rendered to %v", text, got)
		}
		if len(errs) == 0 {
			if _, err := json.Marshal(got); err != nil {
				t.Fatal(err)
			}
		}
	})
}
