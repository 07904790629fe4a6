package search

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// everyKind has a parameter of each distribution.
const everyKind = `{
	"choice": {"kind": "choice", "value": ["a", 1, true, null, {"b": [2, 3]}]}, "pchoice": {"kind": "pchoice", "value": [["a", 0.2], ["b", 0.8]]},
	"range": {"kind": "range", "value": "0:0.5:0.1"}, "down": {"kind": "range", "value": [3, 0, -1]}, "linspace": {"kind": "linspace", "value": [1, 2, 7]}, "one": {"kind": "linspace", "value": [1, 2, 1]},
	"logspace": {"kind": "logspace", "value": [-3, 2, 11]}, "binary": {"kind": "logspace", "value": [0, 8, 9, 2]}, "geomspace": {"kind": "geomspace", "value": [1, 1000, 6]}, "negative": {"kind": "geomspace", "value": [-8, -1, 4]},
	"uniform": {"kind": "uniform", "value": [-2, 3]}, "loguniform": {"kind": "loguniform", "value": [1e-5, 10]}, "quniform": {"kind": "quniform", "value": [0, 1, 0.3]}, "qloguniform": {"kind": "qloguniform", "value": [1, 1000, 4]},
	"normal": {"kind": "normal", "value": [5, 2]}, "qnormal": {"kind": "qnormal", "value": [0, 10, 0.5]}, "lognormal": {"kind": "lognormal", "value": [1, 2]}, "qlognormal": {"kind": "qlognormal", "value": [0, 1, 0.5]}}`

func everyParam(t require.TestingT) []param {
	var params map[string]Param
	require.NoError(t, json.Unmarshal([]byte(everyKind), &params))
	var errs problems
	out := newParams(params, &errs)
	require.NoError(t, errs.err())
	return out
}

// Every place has a value, whose place is the nearest that has one; and so has every value that is drawn.
func TestCube(t *testing.T) {
	params := everyParam(t)
	covered := map[string]bool{}
	for _, p := range params {
		covered[p.kind] = true
	}
	require.Len(t, covered, len(kinds), "a distribution is missing here")
	c := newCube(params)
	rapid.Check(t, func(t *rapid.T) {
		x := make([]float64, len(params))
		for i, a := range c.axes {
			if a.weights != nil {
				x[i] = float64(rapid.IntRange(0, len(a.weights)-1).Draw(t, "category"))
				continue
			}
			u := rapid.Float64Range(-0.1, 1.1).Draw(t, "place")
			x[i] = a.snap(u)
			require.True(t, x[i] >= 0 && x[i] <= 1)
			require.Equal(t, x[i], a.snap(x[i]), params[i].name)
			if a.cell != nil {
				from, to := a.cell(x[i])
				require.True(t, from <= x[i] && x[i] <= to && from < to, "%s: %v from %v to %v", params[i].name, x[i], from, to)
				if v := clamp(u); params[i].name != "qloguniform" && params[i].name != "qlognormal" {
					require.True(t, from-1e-9 <= v && v <= to+1e-9, "%s: %v from %v to %v", params[i].name, v, from, to)
				}
			}
		}
		values := c.decode(x)
		back, ok := c.encode(values)
		require.True(t, ok)
		require.InDeltaSlice(t, x, back, 1e-9, values)
		for i, a := range c.axes {
			if a.weights == nil {
				back[i] = a.snap(back[i])
			}
		}
		require.Equal(t, values, c.decode(back))

		drawn := draw(params, 3, rapid.Int64Range(0, 1e9).Draw(t, "trial"))
		at, ok := c.encode(drawn)
		require.True(t, ok, drawn)
		again := c.decode(at)
		for i, p := range params {
			if p.shape() != continuous && !(at[i] == 0 || at[i] == 1) {
				require.Equal(t, string(drawn[p.name]), string(again[p.name]), p.name)
			} else if at[i] != 0 && at[i] != 1 {
				a, _ := strconv.ParseFloat(string(drawn[p.name]), 64)
				b, _ := strconv.ParseFloat(string(again[p.name]), 64)
				require.InEpsilon(t, a+1e3, b+1e3, 1e-12, p.name)
			}
		}
	})
	_, ok := c.encode(map[string]json.RawMessage{"x": json.RawMessage("1")})
	require.False(t, ok, "a trial of another space")
}

func TestAxes(t *testing.T) {
	at := func(kind, value string) axis {
		var errs problems
		p := newParams(map[string]Param{"x": {kind, json.RawMessage(value)}}, &errs)
		require.NoError(t, errs.err())
		return p[0].axis()
	}
	for _, tt := range []struct {
		kind, value string
		place       float64
		want        string
	}{
		{"uniform", "[0, 8]", 0.25, "2.0"},
		{"loguniform", "[1, 10000]", 0.5, "100.0"},
		{"loguniform", "[0.001, 1000]", 0.5, "1.0"},
		{"normal", "[10, 2]", 0.5, "10.0"},
		{"normal", "[10, 2]", 0, "2.0"},
		{"normal", "[10, 2]", 1, "18.0"},
		{"lognormal", "[0, 1]", 0.5, "1.0"},
		{"quniform", "[0, 1, 0.1]", 0.27, "0.3"},
		{"qnormal", "[0, 1, 0.25]", 0.6, "0.75"},
		{"qloguniform", "[1, 100, 5]", 0, "5"},
		{"range", "[0, 4, 1]", 0.49, "1"},
		{"range", "[0, 4, 1]", 1, "3"},
		{"geomspace", "[1, 1000, 4]", 0.6, "100"},
	} {
		a := at(tt.kind, tt.value)
		require.Equal(t, tt.want, a.text(tt.place), "%s %s at %v", tt.kind, tt.value, tt.place)
	}
	require.Equal(t, 0.125, at("normal", "[10, 2]").deviation, "a normal distribution is seen to four deviations")
	require.InDeltaSlice(t, []float64{0.25, 0.75}, at("pchoice", `[["a", 0.25], ["b", 0.75]]`).weights, 1e-12)
	require.False(t, math.IsNaN(at("qlognormal", "[0, 1, 0.5]").snap(0)))
}
