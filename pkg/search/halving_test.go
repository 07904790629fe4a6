package search

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const halvingParams = `"params": {"x": {"kind": "uniform", "value": [0, 1]}}, "resource": {"name": "epochs"}, "metric": {"name": "loss", "optimization": "minimize"}`

// The tables of the paper, and those that floating logarithms get wrong.
func TestBrackets(t *testing.T) {
	for _, tt := range []struct {
		most, eta                  int64
		want                       string
		configurations, trials, of int64 // of: the resource in all
	}{
		{81, 3, "81@1 27@3 9@9 3@27 1@81 | 34@3 11@9 3@27 1@81 | 15@9 5@27 1@81 | 8@27 2@81 | 5@81", 143, 206, 1902},
		{243, 3, "243@1 81@3 27@9 9@27 3@81 1@243 | 98@3 32@9 10@27 3@81 1@243 | 41@9 13@27 4@81 1@243 | 18@27 6@81 2@243 | 9@81 3@243 | 6@243", 415, 611, 8457},
		{1000, 10, "1000@1 100@10 10@100 1@1000 | 134@10 13@100 1@1000 | 20@100 2@1000 | 4@1000", 1158, 1285, 15640},
		{64, 4, "64@1 16@4 4@16 1@64 | 22@4 5@16 1@64 | 8@16 2@64 | 4@64", 98, 127, 1000},
		{100, 4, "64@1 16@6 4@25 1@100 | 22@6 5@25 1@100 | 8@25 2@100 | 4@100", 98, 127, 1517},
		{1, 3, "1@1", 1, 1, 1},
		{2, 3, "1@2", 1, 1, 2},
	} {
		plan, trials, ok := brackets(ladder(tt.most, 1, tt.eta, false), tt.eta)
		require.True(t, ok)
		var text []string
		var configurations, resource int64
		next := int64(0)
		for _, b := range plan {
			var rungs []string
			require.Equal(t, configurations, b.first)
			configurations += b.rungs[0].size
			for _, r := range b.rungs {
				require.Equal(t, next, r.first, "indices follow each other")
				next += r.size
				var share int64
				require.NoError(t, json.Unmarshal(r.resource, &share))
				resource += r.size * share
				rungs = append(rungs, fmt.Sprintf("%d@%d", r.size, share))
			}
			text = append(text, strings.Join(rungs, " "))
		}
		require.Equal(t, tt.want, strings.Join(text, " | "))
		require.Equal(t, []int64{tt.configurations, tt.trials, tt.of}, []int64{configurations, trials, resource}, "R=%d eta=%d", tt.most, tt.eta)
	}
	require.Equal(t, "[3.7037037037037037 11.11111111111111 33.333333333333336 100.0]", fmt.Sprintf("%s", ladder(100, 3, 3, true)))
	require.Equal(t, "[3 11 33 100]", fmt.Sprintf("%s", ladder(100, 3, 3, false)))
	_, _, ok := brackets(ladder(MaxTrials, 1, 2, false), 2)
	require.False(t, ok, "more trials than a search can have")
}

// outcome says what comes of a trial.
type outcome func(Trial) (State, float64)

// run drives a search to its end: at most seats trials at a time, of which next says which ends first.
func run(t require.TestingT, a Algorithm, seats int, result outcome, next func(running int) int) []Observation {
	var all []Observation
	var running []int
	for {
		s := a.Suggest(all, seats-len(running))
		require.LessOrEqual(t, len(s.Trials), seats-len(running))
		for _, trial := range s.Trials {
			for _, o := range all {
				require.NotEqual(t, o.Index, trial.Index)
			}
			running = append(running, len(all))
			all = append(all, Observation{Trial: trial, State: InFlight})
		}
		if len(running) == 0 {
			require.True(t, s.Exhausted, s.Message)
			return all
		}
		i := next(len(running))
		o := &all[running[i]]
		o.State, o.Value = result(o.Trial)
		running = append(running[:i], running[i+1:]...)
	}
}

func inOrder(int) int { return 0 }

func decoded(t require.TestingT, trial Trial) (x float64, epochs int64) {
	var v struct {
		X      float64
		Epochs int64
	}
	raw, err := json.Marshal(trial.Params)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &v))
	return v.X, v.Epochs
}

func made(t require.TestingT, text string) Algorithm {
	a, err := New(parsed(t, text), 7)
	require.NoError(t, err, text)
	return a
}

func TestHyperbandPromotes(t *testing.T) {
	// R=9, eta=3: trials 0-8 @1, 9-11 @3, 12 @9 | 13-17 @3, 18 @9 | 19-21 @9.
	nine := `{"hyperband": {"maxIterations": 9, "resume": true, ` + halvingParams + `}}`
	by := func(values map[int64]float64, otherwise float64) outcome {
		return func(trial Trial) (State, float64) {
			if v, ok := values[trial.Index]; ok {
				return Succeeded, v
			}
			return Succeeded, otherwise
		}
	}
	failing := func(index int64) outcome {
		return func(trial Trial) (State, float64) {
			if trial.Index <= index {
				return Failed, 0
			}
			return Succeeded, 1
		}
	}
	for _, tt := range []struct {
		name   string
		result outcome
		want   string // index<the trial it continues
		count  int
	}{
		{"the best", by(map[int64]float64{3: 0.1, 5: 0.3, 8: 0.2, 10: 0.05, 17: 0}, 1), "9<3 10<8 11<5 12<10 18<17", 22},
		{"of equals the lower index", by(nil, 1), "9<0 10<1 11<2 12<9 18<13", 22},
		{"no numbers are worst", by(map[int64]float64{0: math.NaN(), 1: math.Inf(-1), 2: math.Inf(1)}, 5), "9<3 10<4 11<5 12<9 18<13", 22},
		{"failures leave gaps", failing(6), "9<7 10<8 12<9 18<13", 21},
		{"nobody survives", failing(8), "18<13", 18},
		{"nobody survives anywhere", failing(99), "", 17},
	} {
		a := made(t, nine)
		all := run(t, a, 4, tt.result, inOrder)
		var got []string
		byID := byIndex(all)
		for _, index := range sortedIndices(all) {
			o := byID[index]
			if o.Continues == nil {
				require.False(t, o.Resume)
				continue
			}
			got = append(got, fmt.Sprintf("%d<%d", o.Index, *o.Continues))
			require.True(t, o.Resume)
			x, epochs := decoded(t, o.Trial)
			before, less := decoded(t, byID[*o.Continues].Trial)
			require.Equal(t, before, x)
			require.Equal(t, 3*less, epochs)
		}
		require.Equal(t, tt.want, strings.Join(got, " "), tt.name)
		require.Len(t, all, tt.count, tt.name)
		require.Equal(t, int64(22), a.Total())
	}
}

func sortedIndices(all []Observation) []int64 {
	var out []int64
	for i := int64(0); i < 1<<20 && len(out) < len(all); i++ {
		for _, o := range all {
			if o.Index == i {
				out = append(out, i)
			}
		}
	}
	return out
}

// The trials of hyperband follow from their outcomes: in which order they end, how many run at a time and how
// often the caller forgets everything changes nothing.
func TestHyperbandOrder(t *testing.T) {
	const text = `{"hyperband": {"maxIterations": 27, ` + halvingParams + `}}`
	result := func(trial Trial) (State, float64) {
		x, epochs := decoded(t, trial)
		if x < 0.2 {
			return Failed, 0
		}
		return Succeeded, math.Floor(10*x) / float64(epochs)
	}
	want := byIndex(run(t, made(t, text), 1, result, inOrder))
	rapid.Check(t, func(t *rapid.T) {
		got := run(t, made(t, text), rapid.IntRange(1, 100).Draw(t, "seats"), result, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "ends") })
		require.Equal(t, want, byIndex(got))
	})
}

// Where the space has fewer points than hyperband tries, no bracket tries one twice and all have some.
func TestHyperbandSmallSpace(t *testing.T) {
	a := made(t, `{"hyperband": {"maxIterations": 9, "params": {"x": {"kind": "range", "value": [0, 4, 1]}}, "resource": {"name": "epochs"}, "metric": {"name": "loss", "optimization": "maximize"}}}`)
	got := map[int64]int{}
	seen := map[string]bool{}
	for _, o := range run(t, a, 3, func(trial Trial) (State, float64) { x, _ := decoded(t, trial); return Succeeded, x }, inOrder) {
		x, epochs := decoded(t, o.Trial)
		got[epochs]++
		bracket := 0
		if o.Index >= 13 {
			bracket++
		}
		if o.Index >= 19 {
			bracket++
		}
		key := fmt.Sprint(bracket, x, epochs)
		require.False(t, seen[key], key)
		seen[key] = true
		if epochs == 9 && o.Continues != nil {
			require.Equal(t, 3.0, x, "more is better")
		}
	}
	require.Equal(t, map[int64]int{1: 4, 3: 3 + 4, 9: 1 + 1 + 3}, got)
}

// ASHA in any order: a seat is idle only when every configuration has started; who is promoted is among the
// best of its rung at that moment, once; and in the end the best of each rung have been promoted.
func TestASHA(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runs := rapid.IntRange(1, 40).Draw(t, "numRuns")
		eta := rapid.IntRange(2, 4).Draw(t, "eta")
		most := rapid.IntRange(1, 30).Draw(t, "maxIterations")
		seats := rapid.IntRange(1, 12).Draw(t, "seats")
		a := made(t, fmt.Sprintf(`{"asha": {"numRuns": %d, "eta": %d, "maxIterations": %d, %s}}`, runs, eta, most, halvingParams))
		rungs := int64(len(a.(*asha).shares))
		at := func(i int64) int64 { return i % rungs }

		var all []Observation
		var running []int
		configurations := 0
		// best are the trials of a rung that may be promoted now, by a plain reading of the rule.
		best := func(k int64) map[int64]bool {
			ended := 0
			var of []Observation
			for _, o := range all {
				if at(o.Index) == k && o.State != InFlight {
					ended++
					if o.State == Succeeded && !math.IsNaN(o.Value) {
						of = append(of, o)
					}
				}
			}
			out := map[int64]bool{}
			for _, o := range of {
				better := 0
				for _, other := range of {
					if other.Value < o.Value || other.Value == o.Value && other.Index < o.Index {
						better++
					}
				}
				if better < ended/eta {
					out[o.Index] = true
				}
			}
			return out
		}
		for {
			free := seats - len(running)
			s := a.Suggest(all, free)
			if len(s.Trials) < free {
				require.Equal(t, runs, configurations+count0(s.Trials, rungs), "a seat is idle though a configuration has not started")
			}
			exists := byIndex(all)
			for _, trial := range s.Trials {
				require.NotContains(t, exists, trial.Index)
				if k := at(trial.Index); k > 0 {
					require.Equal(t, trial.Index-1, *trial.Continues)
					require.True(t, best(k - 1)[*trial.Continues])
					x, epochs := decoded(t, trial)
					before, less := decoded(t, exists[*trial.Continues].Trial)
					require.Equal(t, before, x)
					require.Greater(t, epochs, less)
				} else {
					require.Nil(t, trial.Continues)
					configurations++
				}
			}
			// Asked for one by one, the same trials come.
			one := all
			for _, trial := range s.Trials {
				next := a.Suggest(one, 1)
				require.Equal(t, []Trial{trial}, next.Trials)
				one = append(one[:len(one):len(one)], Observation{Trial: trial, State: InFlight})
			}
			for _, trial := range s.Trials {
				running = append(running, len(all))
				all = append(all, Observation{Trial: trial, State: InFlight})
			}
			if len(running) == 0 {
				require.True(t, s.Exhausted)
				break
			}
			require.Equal(t, s.Exhausted, a.Suggest(all, 0).Exhausted)
			i := rapid.IntRange(0, len(running)-1).Draw(t, "ends")
			o := &all[running[i]]
			running = append(running[:i], running[i+1:]...)
			o.State, o.Value = Succeeded, float64(rapid.IntRange(0, 20).Draw(t, "loss"))
			switch rapid.IntRange(0, 9).Draw(t, "fate") {
			case 0:
				o.State = Failed
			case 1:
				o.State = Stopped
			case 2:
				o.Value = math.NaN()
			}
		}
		require.Equal(t, runs, configurations)
		exists := byIndex(all)
		for k := range rungs - 1 {
			for index := range best(k) {
				require.Contains(t, exists, index+1)
			}
		}
	})
}

func count0(trials []Trial, rungs int64) int {
	n := 0
	for _, trial := range trials {
		if trial.Index%rungs == 0 {
			n++
		}
	}
	return n
}

func TestHalvingRefused(t *testing.T) {
	const params = `"params": {"x": {"kind": "uniform", "value": [0, 1]}}`
	for text, says := range map[string]string{
		`{"hyperband": {` + params + `, "maxIterations": 9, "resource": {"name": "x"}, "metric": {"name": "loss", "optimization": "minimize"}}}`:                 "resource.name",
		`{"hyperband": {` + params + `, "maxIterations": 9, "resource": {"name": "e", "type": "text"}, "metric": {"name": "loss", "optimization": "minimize"}}}`: "resource.type",
		`{"hyperband": {` + params + `, "maxIterations": 9, "resource": {}, "metric": {"name": "loss", "optimization": "minimize"}}}`:                            "resource.name",
		`{"hyperband": {` + params + `, "maxIterations": 9, "resource": {"name": "e"}, "metric": {"name": "", "optimization": "minimize"}}}`:                     "metric.name",
		`{"hyperband": {` + params + `, "maxIterations": 9, "resource": {"name": "e"}, "metric": {"name": "loss", "optimization": "min"}}}`:                      "metric.optimization",
		`{"hyperband": {` + params + `, "maxIterations": 0, ` + halvingParams[len(params)+2:] + `}}`:                                                             "maxIterations",
		`{"hyperband": {` + params + `, "maxIterations": 9, "eta": 1, ` + halvingParams[len(params)+2:] + `}}`:                                                   "eta",
		`{"hyperband": {` + params + `, "maxIterations": 1000000, "eta": 2, ` + halvingParams[len(params)+2:] + `}}`:                                             "make maxIterations smaller",
		`{"asha": {` + params + `, "maxIterations": 9, ` + halvingParams[len(params)+2:] + `}}`:                                                                  "numRuns",
		`{"asha": {` + params + `, "numRuns": 9, "maxIterations": 9, "minIterations": 10, ` + halvingParams[len(params)+2:] + `}}`:                               "minIterations",
		`{"asha": {"params": {"x": {"kind": "uniform", "value": [1, 0]}}, "numRuns": 9, "maxIterations": 9, ` + halvingParams[len(params)+2:] + `}}`:             "asha.params.x",
		`{"asha": {"numRuns": 9}, "grid": {}}`: "exactly one",
	} {
		_, err := New(parsed(t, text), 0)
		require.ErrorContains(t, err, says, text)
	}
}
