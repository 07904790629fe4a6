package search

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func parsed(t require.TestingT, text string) Spec {
	s, err := Parse([]byte(text))
	require.NoError(t, err, text)
	return s
}

// all are the trials of a search that observations do not change.
func all(t require.TestingT, text string, seed int64) []string {
	a, err := New(parsed(t, text), seed)
	require.NoError(t, err, text)
	var trials []string
	for i := int64(0); ; i++ {
		trial, ok := a.(Indexed).Trial(i)
		if !ok {
			return trials
		}
		raw, err := json.Marshal(trial.Params)
		require.NoError(t, err)
		trials = append(trials, string(raw))
	}
}

// Values are exact: no step adds up errors, ends are met, integers stay integers.
func TestValues(t *testing.T) {
	for param, want := range map[string]string{
		`{"kind": "choice", "value": ["a", 1, true, null, {"b": [2]}]}`:   `"a" 1 true null {"b":[2]}`,
		`{"kind": "range", "value": [0, 5, 2]}`:                           `0 2 4`,
		`{"kind": "range", "value": "0:0.5:0.1"}`:                         `0.0 0.1 0.2 0.3 0.4`,
		`{"kind": "range", "value": {"start": 3, "stop": 0, "step": -1}}`: `3 2 1`,
		`{"kind": "linspace", "value": [0, 1, 5]}`:                        `0.0 0.25 0.5 0.75 1.0`,
		`{"kind": "logspace", "value": [0, 3, 4]}`:                        `1 10 100 1000`,
		`{"kind": "logspace", "value": [-3, -1, 3]}`:                      `0.001 0.01 0.1`,
		`{"kind": "geomspace", "value": [1, 256, 9]}`:                     `1 2 4 8 16 32 64 128 256`,
	} {
		trials := all(t, `{"grid": {"params": {"x": `+param+`}}}`, 0)
		for i := range trials {
			trials[i] = strings.TrimSuffix(strings.TrimPrefix(trials[i], `{"x":`), "}")
		}
		require.Equal(t, want, strings.Join(trials, " "), param)
	}
}

func TestGridOrder(t *testing.T) {
	params := `"params": {"b": {"kind": "choice", "value": [1, 2]}, "a": {"kind": "choice", "value": ["x", "y"]}}`
	want := []string{`{"a":"x","b":1}`, `{"a":"x","b":2}`, `{"a":"y","b":1}`, `{"a":"y","b":2}`}
	require.Equal(t, want, all(t, `{"grid": {`+params+`}}`, 0))
	require.Equal(t, want[:3], all(t, `{"grid": {`+params+`, "numRuns": 3}}`, 0))
	require.Equal(t, []string{`{"lr":0.1}`, `{"lr":0.2,"n":3}`}, all(t, `{"mapping": {"values": [{"lr": 0.1}, {"lr": 0.2, "n": 3}]}}`, 0))
}

func TestRefused(t *testing.T) {
	for text, says := range map[string]string{
		`{}`: "exactly one",
		`{"grid": {"params": {"lr": {"kind": "uniform", "value": [0, 1]}}}}`:                               "lr",
		`{"grid": {"params": {"n": {"kind": "range", "value": [0, 5, 0]}}}}`:                               "n",
		`{"grid": {"params": {"n": {"kind": "rnage", "value": [0, 5, 1]}}}}`:                               "range",
		`{"random": {"numRuns": 3, "params": {"lr": {"kind": "loguniform", "value": [0, 1]}}}}`:            "lr",
		`{"random": {"numRuns": 3, "params": {"lr": {"kind": "uniform", "value": [2, 1]}}}}`:               "lr",
		`{"random": {"numRuns": 3, "params": {"c": {"kind": "pchoice", "value": [["a", -1], ["b", 2]]}}}}`: "c",
		`{"random": {"numRuns": 3, "params": {"c": {"kind": "choice", "value": []}}}}`:                     "c",
	} {
		s, err := Parse([]byte(text))
		if err == nil {
			err = s.Validate()
		}
		require.ErrorContains(t, err, says, text)
	}
}

// Continuous values stay in their bounds, quantised ones are exact multiples, and a trial's values
// do not depend on how many there are.
func TestRandom(t *testing.T) {
	params := `{"u": {"kind": "uniform", "value": [-1, 1]}, "l": {"kind": "loguniform", "value": [0.001, 10]}, "q": {"kind": "quniform", "value": [0, 1, 0.1]},
		"n": {"kind": "normal", "value": [5, 2]}, "c": {"kind": "choice", "value": ["a", "b"]}, "p": {"kind": "pchoice", "value": [["a", 0.9], ["b", 0.1]]}}`
	long := all(t, `{"random": {"numRuns": 2000, "params": `+params+`}}`, 7)
	require.Equal(t, long[:10], all(t, `{"random": {"numRuns": 10, "params": `+params+`}}`, 7))
	require.NotEqual(t, long[:10], all(t, `{"random": {"numRuns": 10, "params": `+params+`}}`, 8))
	var sum, rare float64
	for _, text := range long {
		var v struct {
			U, L, N float64
			Q       json.Number
			C, P    string
		}
		require.NoError(t, json.Unmarshal([]byte(text), &v))
		require.True(t, v.U >= -1 && v.U <= 1 && v.L >= 0.001 && v.L <= 10, text)
		require.LessOrEqual(t, len(v.Q.String()), 3, "%s is no multiple of 0.1 as people write it", v.Q)
		sum += v.N
		if v.P == "b" {
			rare++
		}
	}
	require.InDelta(t, 5, sum/2000, 0.2)
	require.InDelta(t, 200, rare, 60)
}

// A discrete space is tried without repetition until it is exhausted.
func TestRandomExhausts(t *testing.T) {
	trials := all(t, `{"random": {"numRuns": 100, "params": {"a": {"kind": "choice", "value": [1, 2, 3]}, "b": {"kind": "range", "value": [0, 4, 1]}}}}`, 3)
	seen := map[string]bool{}
	for _, trial := range trials {
		require.False(t, seen[trial], trial)
		seen[trial] = true
	}
	require.Len(t, trials, 12)
	weighted := all(t, `{"random": {"numRuns": 100, "params": {"a": {"kind": "pchoice", "value": [[1, 0.99], [2, 0.01]]}}}}`, 3)
	require.LessOrEqual(t, len(weighted), 2)
}

// Golden values: the same on every architecture and in every version.
func TestGolden(t *testing.T) {
	got := all(t, `{"random": {"numRuns": 3, "seed": 42, "params": {"u": {"kind": "uniform", "value": [0, 1]}, "n": {"kind": "normal", "value": [0, 1]}, "l": {"kind": "loguniform", "value": [1, 100]}}}}`, 0)
	require.Equal(t, goldenTrials, got)
}

// What is suggested is new, in order, at most n, and every trial comes exactly once whatever is observed.
func TestSuggest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(0, 30).Draw(t, "total")
		s := parsed(t, fmt.Sprintf(`{"grid": {"params": {"x": {"kind": "range", "value": [0, %d, 1]}}}}`, max(total, 1)))
		var observed []Observation
		seen := map[int64]bool{}
		for range 100 {
			n := rapid.IntRange(1, 7).Draw(t, "n")
			next, err := Suggest(s, 1, observed, n)
			require.NoError(t, err)
			require.LessOrEqual(t, len(next.Trials), n)
			if len(next.Trials) == 0 {
				require.True(t, next.Exhausted)
				break
			}
			for _, trial := range next.Trials {
				require.False(t, seen[trial.Index])
				if rapid.Bool().Draw(t, "is started") {
					seen[trial.Index] = true
					observed = append(observed, Observation{Trial: trial, State: Failed})
				}
			}
		}
	})
}

func TestLogAndExp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(1e-200, 1e200).Draw(t, "x")
		got := nearest(log(real(x)))
		require.InEpsilon(t, math.Log(x)+1e3, got+1e3, 1e-14)
		y := rapid.Float64Range(-300, 300).Draw(t, "y")
		require.InEpsilon(t, math.Exp(y), nearest(exp(real(y))), 1e-12)
	})
}

func TestLattice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cents, step := rapid.Int64Range(-10000, 10000).Draw(t, "start"), rapid.Int64Range(1, 500).Draw(t, "step")
		l, ok := newLattice(big.NewRat(cents, 100), big.NewRat(step, 100))
		require.True(t, ok)
		k := rapid.Int64Range(0, 1000).Draw(t, "k")
		got, ok := new(big.Rat).SetString(l.text(k))
		require.True(t, ok, l.text(k))
		require.Zero(t, got.Cmp(big.NewRat(cents+k*step, 100)), l.text(k))
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"grid": {"params": {"x": {"kind": "range", "value": "0:1:0.1"}}}}`,
		`{"random": {"numRuns": 5, "params": {"x": {"kind": "qlognormal", "value": [0, 1, 0.5]}}}}`,
		`{"hyperband": {"maxIterations": 9, "eta": 2, "resource": {"name": "e", "type": "float"}, "metric": {"name": "m", "optimization": "maximize"}, "params": {"x": {"kind": "choice", "value": [1, 2]}}}}`,
		`{"asha": {"numRuns": 4, "maxIterations": 9, "resource": {"name": "e"}, "metric": {"name": "m", "optimization": "minimize"}, "params": {"x": {"kind": "normal", "value": [0, 1]}}}}`,
		`{"bayes": {"maxIterations": 9, "metric": {"name": "m", "optimization": "minimize"}, "params": {"x": {"kind": "qlognormal", "value": [0, 1, 0.5]}}}}`,
		`{"hyperopt": {"algorithm": "anneal", "numRuns": 9, "metric": {"name": "m", "optimization": "minimize"}, "params": {"x": {"kind": "geomspace", "value": [1, 8, 4]}}}}`,
		`{"tpe": {"numRuns": 9, "metric": {"name": "m", "optimization": "minimize"}, "params": {"x": {"kind": "logspace", "value": [0, 2, 3]}}}}`, `{"iterative": {"maxIterations": 3}}`,
		`{"mapping": {"values": [{"a": 1}]}}`, `{"grid": {}}]`, `{"grid": {"params": {"x": {"kind": "linspace", "value": [1e308, -1e308, 3]}}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err != nil {
			return
		}
		a, err := New(s, 1)
		if err != nil {
			return
		}
		next := a.Suggest(nil, 3)
		for _, trial := range next.Trials {
			if _, err := json.Marshal(trial); err != nil {
				t.Fatalf("%s: trial %d is no JSON: %v", data, trial.Index, err)
			}
		}
	})
}

var goldenTrials = []string{
	`{"l":3.45530017575905,"n":-0.5331515405323689,"u":0.3204917928015748}`,
	`{"l":2.372918074764842,"n":0.45828359760283804,"u":0.8970963649470947}`,
	`{"l":1.8599098289647096,"n":0.5438834630134655,"u":0.5196103361076143}`,
}
