package params

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func raw(text string) *apiextensionsv1.JSON { return &apiextensionsv1.JSON{Raw: []byte(text)} }

func input(kind Type, change ...func(*v1alpha1.Input)) v1alpha1.Input {
	in := v1alpha1.Input{Name: "p", Type: kind}
	for _, c := range change {
		c(&in)
	}
	return in
}

func fallback(text string) func(*v1alpha1.Input) {
	return func(in *v1alpha1.Input) { in.Default = raw(text) }
}

func between(low, high string) func(*v1alpha1.Input) {
	return func(in *v1alpha1.Input) {
		if low != "" {
			in.Minimum = raw(low)
		}
		if high != "" {
			in.Maximum = raw(high)
		}
	}
}

func options(texts ...string) func(*v1alpha1.Input) {
	return func(in *v1alpha1.Input) {
		for _, text := range texts {
			in.Options = append(in.Options, *raw(text))
		}
	}
}

func pattern(text string) func(*v1alpha1.Input) {
	return func(in *v1alpha1.Input) { in.Pattern = text }
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name  string
		input v1alpha1.Input
		given string // empty: not given
		want  any
		err   string
	}{
		{"a string", input(String), `"a"`, "a", ""},
		{"an int", input(Int), `3`, int64(3), ""},
		{"a large int", input(Int), `9223372036854775807`, int64(math.MaxInt64), ""},
		{"an int that came as a float", input(Int), `3.0`, int64(3), ""},
		{"a float", input(Float), `1e-3`, 0.001, ""},
		{"a float written as an int", input(Float), `1`, 1.0, ""},
		{"a float without its exponent", input(Float), `100000000000000000000`, 1e20, ""},
		{"a bool", input(Bool), `true`, true, ""},
		{"a list", input(List), `[1, 1.5, "a", {"b": 2}]`, []any{int64(1), 1.5, "a", map[string]any{"b": int64(2)}}, ""},
		{"a map", input(Map), `{"a": null}`, map[string]any{"a": nil}, ""},
		{"any", input(Any), `3`, int64(3), ""},
		{"no type is any", input(""), `"x"`, "x", ""},
		{"null of any", input(Any), `null`, nil, ""},
		{"the default", input(Int, fallback("5")), "", int64(5), ""},
		{"null is the default", input(Int, fallback("5")), "null", int64(5), ""},
		{"given over default", input(Int, fallback("5")), "6", int64(6), ""},
		{"a default is typed", input(Float, fallback("5")), "", 5.0, ""},
		{"an option", input(String, options(`"a"`, `"b"`)), `"b"`, "b", ""},
		{"an option of a list", input(List, options(`[1]`, `[2]`)), `[2]`, []any{int64(2)}, ""},
		{"in range", input(Int, between("1", "3")), `3`, int64(3), ""},
		{"a float in range of ints", input(Float, between("0", "1")), `0.5`, 0.5, ""},
		{"a length in range", input(String, between("1", "3")), `"äöü"`, "äöü", ""},
		{"a match", input(String, pattern("^v[0-9]+$")), `"v12"`, "v12", ""},

		{"missing", input(Int), "", nil, `spec.params.p: param "p" is missing: give it an int`},
		{"missing, with a range", input(Int, between("1", "3")), "", nil, "give it an int from 1 to 3"},
		{"null of a type", input(Int), "null", nil, `param "p" is missing`},
		{"a quoted int", input(Int), `"3"`, nil, `spec.params.p: param "p" is declared as an int and has the value "3", a string: write it without quotes: 3`},
		{"a quoted float", input(Float), `"1e-3"`, nil, `write it without quotes: 1e-3`},
		{"a quoted number of no JSON", input(Float), `".5"`, nil, `write it as a number: 0.5`},
		{"a quoted bool", input(Bool), `"True"`, nil, "write it without quotes: true"},
		{"a quoted list", input(List), `"[1]"`, nil, "write it without quotes: [1]"},
		{"a number for a string", input(String), `5`, nil, `param "p" is declared as a string and has the value 5, an int: write it in quotes: "5"`},
		{"a fraction for an int", input(Int), `3.5`, nil, `param "p" is declared as an int and has the value 3.5, a float: give it an int`},
		{"a word for an int", input(Int), `"many"`, nil, `has the value "many", a string: give it an int`},
		{"NaN is no JSON number", input(Float), `"NaN"`, nil, `give it a float`},
		{"a list for a map", input(Map), `[]`, nil, `give it a map`},
		{"beyond 64 bits", input(Int), `9223372036854775808`, nil, `has the integer 9223372036854775808, which is beyond 64 bits`},
		{"beyond 64 bits inside", input(Any), `{"a": [9223372036854775808]}`, nil, `beyond 64 bits: write it as a string`},
		{"beyond floats", input(Float), `1e999`, nil, `beyond a 64-bit float`},
		{"no JSON", input(Any), `{`, nil, `param "p" is not JSON`},
		{"no option", input(String, options(`"a"`, `"b"`)), `"c"`, nil, `param "p" has the value "c", which is no option: give it one of "a", "b"`},
		{"too small", input(Int, between("1", "")), `0`, nil, `param "p" is 0: give it an int of at least 1`},
		{"too large", input(Float, between("", "0.5")), `0.51`, nil, `param "p" is 0.51: give it a float of at most 0.5`},
		{"too short", input(String, between("2", "3")), `"a"`, nil, `param "p" has the length 1: give it a string of a length from 2 to 3`},
		{"too long a list", input(List, between("", "1")), `[1,2]`, nil, `param "p" has the length 2`},
		{"no match", input(String, pattern("^v[0-9]+$")), `"12"`, nil, `param "p" has the value "12": give it a string that matches ^v[0-9]+$`},
		{"a wrong declaration", input(Int, fallback(`"x"`)), `1`, nil, `param "p" is declared wrongly: the default is declared as an int`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			given := v1alpha1.Values{}
			if tt.given != "" {
				given["p"] = *raw(tt.given)
			}
			got, errs := Resolve([]v1alpha1.Input{tt.input}, given, "spec.params")
			if tt.err != "" {
				require.ErrorContains(t, errs.Err(), tt.err)
				require.NotEmpty(t, errs[0].Remedy)
				return
			}
			require.NoError(t, errs.Err())
			require.Equal(t, map[string]any{"p": tt.want}, got)
		})
	}
}

func TestResolveSeveral(t *testing.T) {
	inputs := []v1alpha1.Input{{Name: "lr", Type: Float}, {Name: "epochs", Type: Int}}
	_, errs := Resolve(inputs, v1alpha1.Values{"epoch": *raw("3"), "lr": *raw(`"x"`), "z": *raw("1"), "true": *raw("2")}, "spec.params")
	require.Len(t, errs, 5)
	require.Equal(t, `spec.params.lr: param "lr" is declared as a float and has the value "x", a string: give it a float`, errs[0].Error())
	require.Equal(t, `spec.params.epochs: param "epochs" is missing: give it an int`, errs[1].Error())
	require.Equal(t, `spec.params.epoch: there is no param "epoch" (did you mean "epochs"?): remove it, or declare it as an input`, errs[2].Error())
	require.Equal(t, `spec.params.true: there is no param "true": YAML reads names such as y, n, yes, no, on and off so: write the name in quotes`, errs[3].Error(), "y: 2")
	require.Equal(t, `spec.params.z: there is no param "z": remove it, or declare it as an input`, errs[4].Error())
	require.Equal(t, map[string]Type{"lr": Float, "epochs": Int}, TypesOf(inputs))
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name  string
		input v1alpha1.Input
		err   string
	}{
		{"good", input(Int, fallback("2"), between("1", "3"), options("1", "2")), ""},
		{"an unknown type", input("integer"), `spec.inputs[0].type: input "p": there is no type "integer": use one of [string int float bool list map any]`},
		{"a default of another type", input(Int, fallback(`"2"`)), `spec.inputs[0].default: input "p": the default is declared as an int and has the value "2", a string: write it without quotes: 2`},
		{"a default out of range", input(Int, fallback("5"), between("1", "3")), `the default is 5: give it an int from 1 to 3`},
		{"a default that is no option", input(Int, fallback("3"), options("1", "2")), `which is no option`},
		{"an option of another type", input(Int, options("1", `"2"`)), `spec.inputs[0].options[1]: input "p": the option is declared as an int`},
		{"a range upside down", input(Int, between("3", "1")), `the minimum 3 is larger than the maximum 1`},
		{"a range of text", input(Int, between(`"3"`, "")), `spec.inputs[0].minimum: input "p": "3" is not an int: write an int`},
		{"a fraction of a length", input(String, between("", "1.5")), `1.5 is not an int`},
		{"a range of a bool", input(Bool, between("1", "")), `a bool has neither size nor length`},
		{"a bad pattern", input(String, pattern("[")), `spec.inputs[0].pattern`},
		{"a pattern of an int", input(Int, pattern("x")), `a pattern is for strings, and this is an int`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			errs := Validate([]v1alpha1.Input{tt.input}, "spec.inputs")
			if tt.err == "" {
				require.NoError(t, errs.Err())
				return
			}
			require.ErrorContains(t, errs.Err(), tt.err)
		})
	}
	errs := Validate([]v1alpha1.Input{input(Int), input(Float)}, "spec.inputs")
	require.EqualError(t, errs.Err(), `spec.inputs[1].name: input "p" is declared twice: remove one of them`)
}

func anyJSON() *rapid.Generator[any] {
	scalar := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(v bool) any { return v }), rapid.Map(rapid.Int64(), func(v int64) any { return v }),
		rapid.Map(rapid.Float64(), func(v float64) any { return v + 0 /* no -0, which is no int */ }), rapid.Map(rapid.String(), func(v string) any { return v }),
	)
	return rapid.OneOf(scalar, rapid.Map(rapid.SliceOfN(scalar, 0, 3), func(v []any) any { return v }),
		rapid.Map(rapid.MapOfN(rapid.StringN(0, 3, 6), scalar, 0, 3), func(v map[string]any) any { return v }))
}

// What is resolved is of its type, keeps its value, and resolves to itself.
func TestResolveProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := anyJSON().Draw(t, "value")
		text, err := json.Marshal(value)
		if err != nil {
			t.Skip("no JSON")
		}
		kind := rapid.SampledFrom(Types).Draw(t, "type")
		if _, err := Decode(text); err != nil && kind != Float {
			t.Skip("a float that JSON writes as an integer beyond 64 bits")
		}
		inputs := []v1alpha1.Input{input(kind)}
		got, errs := Resolve(inputs, v1alpha1.Values{"p": *raw(string(text))}, "")
		if len(errs) > 0 {
			if len(errs) != 1 || errs[0].Remedy == "" || len(errs[0].Error()) > 400 {
				t.Fatalf("no fit sentence: %v", errs)
			}
			if TypeOf(value) == kind {
				t.Fatalf("%s was refused as %s: %v", text, kind, errs)
			}
			return
		}
		if kind != Any && TypeOf(got["p"]) != kind {
			t.Fatalf("%s resolved to %T as %s", text, got["p"], kind)
		}
		if i, ok := value.(int64); ok && kind == Float {
			value = float64(i) // rounded where a float has no more digits
		}
		if !equalNumbers(got["p"], value) {
			t.Fatalf("%s resolved to %v", text, got["p"])
		}
		again, err := json.Marshal(got["p"])
		if err != nil {
			t.Fatal(err)
		}
		twice, errs := Resolve(inputs, v1alpha1.Values{"p": *raw(string(again))}, "")
		if len(errs) > 0 || !equalNumbers(twice["p"], got["p"]) {
			t.Fatalf("%v resolved to %v (%v)", got, twice, errs)
		}
	})
}

// equalNumbers compares as JSON does: its numbers do not say whether they are ints.
func equalNumbers(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}
