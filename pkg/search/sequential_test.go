package search

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const minimizeLoss = `"metric": {"name": "loss", "optimization": "minimize"}`

// learners are the searches that learn, of a space and a number of trials.
var learners = map[string]string{
	"tpe":    `{"tpe": {"params": %s, "numRuns": %d, ` + minimizeLoss + `}}`,
	"anneal": `{"hyperopt": {"algorithm": "anneal", "params": %s, "numRuns": %d, ` + minimizeLoss + `}}`,
	"bayes":  `{"bayes": {"params": %s, "maxIterations": %d, "numInitialRuns": 3, ` + minimizeLoss + `}}`,
}

func learner(t require.TestingT, name, params string, trials int) Algorithm {
	return made(t, learnerText(name, params, trials))
}

func learnerText(name, params string, trials int) string {
	if name == "bayes" {
		trials -= 3
	}
	return fmt.Sprintf(learners[name], params, trials)
}

// Whatever comes of trials, a search of single values tries each once and ends; what it suggests at once it
// suggests one by one, too, and whatever the order in which it is told.
func TestLearnersExhaust(t *testing.T) {
	const space = `{"a": {"kind": "choice", "value": ["x", "y"]}, "n": {"kind": "range", "value": [0, 4, 1]}, "q": {"kind": "quniform", "value": [0, 1, 0.5]}}`
	for name := range learners {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				runs := rapid.SampledFrom([]int{5, 24, 40}).Draw(t, "runs")
				if name == "bayes" {
					runs = rapid.SampledFrom([]int{5, 13}).Draw(t, "runs") // it takes its time
				}
				a := learner(t, name, space, runs)
				require.Equal(t, int64(min(runs, 24)), a.Total())
				var all []Observation
				seen := map[string]bool{}
				for {
					n := rapid.IntRange(1, 6).Draw(t, "n")
					s := a.Suggest(all, n)
					if len(s.Trials) == 0 {
						require.True(t, s.Exhausted)
						break
					}
					require.Equal(t, len(all)+len(s.Trials) == int(a.Total()), s.Exhausted)
					one := slices.Clone(all)
					for i := range one {
						j := rapid.IntRange(0, i).Draw(t, "order")
						one[i], one[j] = one[j], one[i]
					}
					for _, trial := range s.Trials {
						require.Equal(t, []Trial{trial}, a.Suggest(one, 1).Trials)
						one = append(one, Observation{Trial: trial, State: InFlight})
						key := fmt.Sprintf("%s", trial.Params)
						require.False(t, seen[key], "%s is tried twice", key)
						seen[key] = true
						all = append(all, Observation{Trial: trial, State: rapid.SampledFrom([]State{Succeeded, Succeeded, Failed, Stopped, InFlight}).Draw(t, "state"),
							Value: rapid.SampledFrom([]float64{0, 1, 2, -1e300, 1e300, math.NaN(), math.Inf(1)}).Draw(t, "value")})
					}
				}
				require.Len(t, all, int(a.Total()))
			})
		})
	}
}

// Every distribution can be learned, and what is suggested is a value of it.
func TestLearnersEverySpace(t *testing.T) {
	params := everyParam(t)
	c := newCube(params)
	for name := range learners {
		var all []Observation
		a := learner(t, name, everyKind, 45)
		for len(all) < 45 {
			s := a.Suggest(all, 3)
			require.Len(t, s.Trials, 3, name)
			for _, trial := range s.Trials {
				x, ok := c.encode(trial.Params)
				require.True(t, ok, trial.Params)
				for _, p := range params {
					if p.size() == 0 || p.size() > 1000 {
						continue
					}
					is := false
					for i := range p.size() {
						is = is || p.at(i) == string(trial.Params[p.name])
					}
					require.True(t, is, "%s: %s is no value of %s", name, trial.Params[p.name], p.name)
				}
				all = append(all, Observation{Trial: trial, State: Succeeded, Value: x[0] + x[3]})
			}
		}
		require.True(t, a.Suggest(all, 3).Exhausted)
	}
}

// What is good is found sooner than by chance, wherever in a space it is.
func TestLearnersLearn(t *testing.T) {
	const space = `{"c": {"kind": "choice", "value": ["a", "b", "c", "d", "e"]}, "l": {"kind": "loguniform", "value": [1e-6, 1]}, "n": {"kind": "normal", "value": [0, 1]}, "q": {"kind": "quniform", "value": [0, 100, 1]}}`
	loss := func(trial Trial) (State, float64) {
		var v struct {
			C       string
			L, N, Q float64
		}
		raw, err := json.Marshal(trial.Params)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &v))
		sum := math.Pow(math.Log10(v.L)+3, 2)/9 + math.Pow(v.N-1, 2) + math.Pow((v.Q-70)/50, 2)
		if v.C != "d" {
			sum++
		}
		return Succeeded, sum
	}
	best := func(text string, seed int64) float64 {
		a, err := New(parsed(t, text), seed)
		require.NoError(t, err)
		least := math.Inf(1)
		for _, o := range run(t, a, 2, loss, inOrder) {
			least = min(least, o.Value)
		}
		return least
	}
	median := func(text string) float64 {
		var of []float64
		for seed := range int64(5) {
			of = append(of, best(text, seed))
		}
		slices.Sort(of)
		return of[2]
	}
	chance := median(`{"random": {"numRuns": 40, "params": ` + space + `}}`)
	for name := range learners {
		require.Less(t, median(learnerText(name, space, 40)), chance/2, name)
	}
}

// TPE and annealing give the same bits on every architecture. Bayes' linear algebra does not, but what it
// decides is far from where rounding errors matter.
func TestLearnersGolden(t *testing.T) {
	const space = `{"c": {"kind": "choice", "value": ["a", "b"]}, "l": {"kind": "loguniform", "value": [0.001, 10]}, "n": {"kind": "normal", "value": [0, 1]}, "q": {"kind": "quniform", "value": [0, 10, 0.5]}}`
	for of, want := range goldenLearned {
		all := run(t, learner(t, of.name, space, 30), of.seats, func(trial Trial) (State, float64) {
			x, ok := newCube(newParams(parsed(t, `{"grid": {"params": `+space+`}}`).Grid.Params, &problems{})).encode(trial.Params)
			require.True(t, ok)
			return Succeeded, float64(x[0]*0.25) + float64((x[1]-0.3)*(x[1]-0.3)) + float64(x[2]*x[3])
		}, inOrder)
		var got []string
		for _, o := range all[27:] {
			raw, err := json.Marshal(o.Params)
			require.NoError(t, err)
			got = append(got, string(raw))
		}
		require.Equal(t, want, got, of)
	}
}

type learning struct {
	name  string
	seats int
}

var goldenLearned = map[learning][]string{
	{"tpe", 1}: {
		`{"c":"a","l":0.01830000346135133,"n":-3.0556640625,"q":8.5}`,
		`{"c":"a","l":0.007622195402123977,"n":-3.99560546875,"q":0.5}`,
		`{"c":"a","l":1.7683107769947033,"n":-2.83544921875,"q":0.5}`,
	},
	{"anneal", 1}: {
		`{"c":"a","l":0.07879240830937492,"n":-2.31494140625,"q":2.0}`,
		`{"c":"a","l":0.0425745817942067,"n":-2.052734375,"q":4.5}`,
		`{"c":"a","l":0.18075073756011967,"n":-1.853515625,"q":1.5}`,
	},
	{"bayes", 3}: {
		`{"c":"a","l":0.022117017547171224,"n":-4.0,"q":2.5}`,
		`{"c":"a","l":0.01633558777765409,"n":-4.0,"q":2.5}`,
		`{"c":"a","l":0.008906499159382105,"n":-4.0,"q":0.0}`,
	},
	{"bayes", 1}: {
		`{"c":"a","l":0.02032850630339846,"n":-4.0,"q":2.5}`,
		`{"c":"a","l":0.02030566362173833,"n":-0.1923828125,"q":0.0}`,
		`{"c":"a","l":0.01616203689140761,"n":-2.6162109375,"q":0.0}`,
	},
}

func TestLearnersSpecs(t *testing.T) {
	const params = `"params": {"x": {"kind": "uniform", "value": [0, 1]}}`
	for text, says := range map[string]string{
		`{"tpe": {"numRuns": 5, ` + minimizeLoss + `}}`:                                                                                     "tpe.params is empty",
		`{"tpe": {` + params + `, ` + minimizeLoss + `}}`:                                                                                   "tpe.numRuns",
		`{"tpe": {` + params + `, "numRuns": 5}}`:                                                                                           "tpe.metric.name",
		`{"hyperopt": {` + params + `, "numRuns": 5}}`:                                                                                      "hyperopt.metric.name",
		`{"hyperopt": {` + params + `, "algorithm": "ga", "numRuns": 5}}`:                                                                   "hyperopt.algorithm",
		`{"hyperopt": {` + params + `, "algorithm": "rand", "numRuns": 5, "maxIterations": 1000000}}`:                                       "1 to 200000",
		`{"bayes": {` + params + `, "maxIterations": 1000000, ` + minimizeLoss + `}}`:                                                       "bayes.maxIterations",
		`{"bayes": {` + params + `, "maxIterations": 5, "numInitialRuns": 0, ` + minimizeLoss + `}}`:                                        "bayes.numInitialRuns",
		`{"bayes": {` + params + `, "maxIterations": 5, "utilityFunction": {"acquisitionFunction": "pi"}, ` + minimizeLoss + `}}`:           "acquisitionFunction",
		`{"bayes": {` + params + `, "maxIterations": 5, "utilityFunction": {"kappa": -1}, ` + minimizeLoss + `}}`:                           "kappa",
		`{"bayes": {` + params + `, "maxIterations": 5, "utilityFunction": {"eps": -1}, ` + minimizeLoss + `}}`:                             "eps",
		`{"bayes": {` + params + `, "maxIterations": 5, "utilityFunction": {"gaussianProcess": {"nu": 1.9}}, ` + minimizeLoss + `}}`:        "0.5, 1.5 or 2.5",
		`{"bayes": {` + params + `, "maxIterations": 5, "utilityFunction": {"gaussianProcess": {"kernel": "rfb"}}, ` + minimizeLoss + `}}`:  "kernel",
		`{"bayes": {` + params + `, "maxIterations": 5, "utilityFunction": {"gaussianProcess": {"lengthScale": 0}}, ` + minimizeLoss + `}}`: "lengthScale",
	} {
		_, err := New(parsed(t, text), 0)
		require.ErrorContains(t, err, says, text)
	}
	tpe, alias := made(t, `{"tpe": {`+params+`, "numRuns": 15, `+minimizeLoss+`}}`), made(t, `{"hyperopt": {`+params+`, "numRuns": 5, "maxIterations": 3, `+minimizeLoss+`}}`)
	constant := func(trial Trial) (State, float64) { return Succeeded, float64(trial.Index) }
	require.Equal(t, run(t, tpe, 1, constant, inOrder), run(t, alias, 1, constant, inOrder))
	rand := made(t, `{"hyperopt": {`+params+`, "algorithm": "rand", "numRuns": 2, "maxIterations": 3}}`)
	require.Equal(t, all(t, `{"random": {`+params+`, "numRuns": 6, "seed": 7}}`, 0), func() (out []string) {
		for i := range rand.Total() {
			trial, _ := rand.(Indexed).Trial(i)
			raw, _ := json.Marshal(trial.Params)
			out = append(out, string(raw))
		}
		return out
	}())
}

// Of more trials than the process can know, it knows the best half of that and the latest of the others.
func TestKnown(t *testing.T) {
	h := &history{}
	for i := range int64(maxKnown + 50) {
		r := result{index: i, fate: succeeded, loss: float64(i)} // the earliest are the best
		if i%2 == 1 {
			r.fate = failed
		}
		h.results = append(h.results, r)
	}
	ended, ranked := h.ended()
	got := known(ended, ranked)
	require.Len(t, got, maxKnown)
	has := map[int64]bool{}
	for i, r := range got {
		has[r.index] = true
		require.True(t, i == 0 || got[i-1].index < r.index)
	}
	for _, r := range ranked[:maxKnown/2] {
		require.True(t, has[r.index])
	}
	require.True(t, has[maxKnown+49])
	require.False(t, has[1])
	require.Equal(t, ended[:maxKnown], known(ended[:maxKnown], ranked))
}

// What failed or is far worse than most counts as bad, but not as so bad that it drowns all differences.
func TestCeiling(t *testing.T) {
	of := func(losses ...float64) float64 {
		var ranked []result
		for _, l := range losses {
			ranked = append(ranked, result{loss: l})
		}
		return ceiling(ranked)
	}
	require.Equal(t, 4.0, of(1, 2, 3, 4))
	require.Equal(t, 13.0, of(1, 2, 3, 4, 1e300))
	require.Equal(t, 7.0, of(1, 1, 1, 1, 7), "most are the best")
}
