package search

import (
	"encoding/json"
	"math"
	"slices"
)

// TPE is the tree-structured Parzen estimator (Bergstra et al., 2011): it draws values where good trials were
// and bad ones were not, for each parameter alone.
type TPE struct {
	// Params by name, of any distribution.
	Params map[string]Param `json:"params"`

	// NumRuns is how many trials there are; fewer if there are no more different ones.
	NumRuns int64 `json:"numRuns"`

	// Metric that says which trials are good.
	Metric Metric `json:"metric"`

	// Seed of all that is random. Default: the caller's, another for each workflow.
	Seed *int64 `json:"seed,omitempty"`
}

// The numbers of the estimator are those of Optuna.
const (
	startupTrials = 10 // are drawn at random
	tpeCandidates = 24 // of which one is taken
	maxGood       = 25 // trials at most; else a tenth
	recent        = 25 // trials weigh the same; older ones less
)

func newTPE(t *TPE, seed int64) (Algorithm, error) {
	errs := problems{prefix: "tpe."}
	params := newParams(t.Params, &errs)
	t.Metric.check(&errs)
	checkRuns(t.NumRuns, &errs)
	if err := errs.err(); err != nil {
		return nil, err
	}
	if t.Seed != nil {
		seed = *t.Seed
	}
	return withTPE("tpe", params, seed, t.Metric, t.NumRuns), nil
}

func checkRuns(n int64, errs *problems) {
	if n < 1 || n > MaxTrials {
		errs.add("numRuns is %d: write 1 to %d", n, MaxTrials)
	}
}

func withTPE(name string, params []param, seed int64, m Metric, total int64) Algorithm {
	s := newSequential(name, params, seed, m, total)
	s.model = tpe{s.cube, seed}
	return s
}

type tpe struct {
	cube
	seed int64
}

// attempts are how often a model proposes a trial that exists before chance takes over.
const attempts = 4

func (t tpe) propose(h *history, index int64) map[string]json.RawMessage {
	ended, ranked := h.ended()
	if len(ended) < startupTrials || len(ranked) == 0 {
		return nil
	}
	isGood := map[int64]bool{}
	for _, r := range ranked[:min(len(ranked), (len(ended)+9)/10, maxGood)] {
		isGood[r.index] = true
	}
	good, bad := make([][]float64, len(t.axes)), make([][]float64, len(t.axes))
	for _, r := range h.results { // trials in flight are bad: others are to be tried meanwhile
		to := bad
		if isGood[r.index] {
			to = good
		}
		for i, x := range r.x {
			to[i] = append(to[i], x)
		}
	}
	streams := make([]stream, len(t.axes))
	likes, dislikes := make([]estimator, len(t.axes)), make([]estimator, len(t.axes))
	for i, a := range t.axes {
		streams[i] = newStream(t.seed, t.params[i].name, index)
		likes[i], dislikes[i] = estimate(a, good[i]), estimate(a, bad[i])
	}
	x := make([]float64, len(t.axes))
	for range attempts {
		for i := range t.axes {
			best := math.Inf(-1)
			for k := range tpeCandidates {
				v := likes[i].draw(&streams[i])
				if ratio := likes[i].density(v) / dislikes[i].density(v); k == 0 || ratio > best {
					x[i], best = v, ratio
				}
			}
		}
		if params := t.decode(x); !h.seen[key(t.params, params)] {
			return params
		}
	}
	return nil
}

// estimator is a distribution made from some values of a parameter.
type estimator interface {
	draw(s *stream) float64
	density(x float64) float64
}

func estimate(a axis, values []float64) estimator {
	if a.weights != nil {
		return estimateCategories(a, values)
	}
	return estimatePlaces(a, values)
}

// ages weighs n values from the oldest to the latest, and the distribution they come from like one of the latest.
func ages(n int) []float64 {
	weights := make([]float64, n+1)
	for i := range weights {
		weights[i] = 1
	}
	for i := range n - recent {
		weights[i] = 1/float64(n) + float64((1-1/float64(n))*float64(i))/float64(max(1, n-recent-1))
	}
	return weights
}

// categories has the probability of each.
type categories []float64

func (c categories) draw(s *stream) float64    { return float64(s.oneOf(c)) }
func (c categories) density(x float64) float64 { return c[int(x)] }

func estimateCategories(a axis, values []float64) categories {
	out := make(categories, len(a.weights))
	weights := ages(len(values))
	// Each value leaves a little for the others.
	share := float64(len(a.weights)) / float64(len(weights))
	for k, of := range append(slices.Clone(values), -1) {
		for i, p := range a.weights {
			if k == len(values) {
				out[i] += float64(weights[k] * p)
				continue
			}
			mass := float64(share * p)
			if int(of) == i {
				mass++
			}
			out[i] += float64(weights[k]*mass) / (1 + share)
		}
	}
	return out
}
