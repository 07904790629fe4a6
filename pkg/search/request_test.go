package search

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A request that is too large keeps the best and the latest, in their order, and says how many it does not tell.
func TestRequestFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Request{Iteration: 7, MaxIterations: 9, Seed: math.MaxInt64, Params: map[string]Param{"x": {"uniform", json.RawMessage("[0,1]")}}}
		if optimization := rapid.SampledFrom([]Optimization{"", Minimize, Maximize}).Draw(t, "optimization"); optimization != "" {
			r.Metric = &Metric{"loss", optimization}
		}
		for i := range rapid.IntRange(0, 60).Draw(t, "trials") {
			text, err := json.Marshal(rapid.StringN(0, 40, -1).Draw(t, "x"))
			require.NoError(t, err)
			o := Reported{Trial: Trial{Index: int64(i), Params: map[string]json.RawMessage{"x": text}}, State: Failed}
			if r.Metric != nil && rapid.Bool().Draw(t, "succeeded") {
				value := rapid.Float64Range(-1e3, 1e3).Draw(t, "value")
				o.State, o.Value = Succeeded, &value
			}
			r.Observations = append(r.Observations, o)
		}
		most := rapid.IntRange(1500, 4000).Draw(t, "most")
		got := r.fit(most)
		require.LessOrEqual(t, jsonSize(got), most)
		require.EqualValues(t, len(r.Observations), int64(len(got.Observations))+got.Omitted)
		require.True(t, slices.IsSortedFunc(got.Observations, func(a, b Reported) int { return int(a.Index - b.Index) }))
		if jsonSize(r) <= most {
			require.Zero(t, got.Omitted)
			return
		}
		require.Positive(t, got.Omitted)
		kept := map[int64]bool{}
		for _, o := range got.Observations {
			kept[o.Index] = true
		}
		require.True(t, kept[int64(len(r.Observations)-1)], "the latest is told")
		best := -1
		for i, o := range r.Observations {
			if o.Value == nil {
				continue
			}
			if best < 0 || r.Metric.Optimization == Minimize && *o.Value < *r.Observations[best].Value || r.Metric.Optimization == Maximize && *o.Value > *r.Observations[best].Value {
				best = i
			}
		}
		require.True(t, best < 0 || kept[int64(best)], "the best is told")
		require.Equal(t, got, r.fit(most), "the same again")
	})
}

// Params are bounded, so that there is room for observations.
func TestRequestOfLargeParams(t *testing.T) {
	long, err := json.Marshal([]string{string(make([]byte, MaxRequest/12))}) // each byte is six in JSON
	require.NoError(t, err)
	spec := &Iterative{MaxIterations: 1, Params: map[string]Param{"x": {Kind: "choice", Value: long}}}
	_, err = NewIterations(spec, 0, nil)
	require.ErrorContains(t, err, "iterative.params take up")
}
