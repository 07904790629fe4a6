package search

import (
	"encoding/json"
)

// Hyperopt is another name for three searches: tpe, rand (random search) and anneal (values are drawn ever
// nearer to those of good trials).
type Hyperopt struct {
	// Algorithm: tpe (default), rand or anneal.
	Algorithm string `json:"algorithm,omitempty"`

	// Params by name, of any distribution.
	Params map[string]Param `json:"params"`

	// NumRuns is how many trials an iteration has.
	NumRuns int64 `json:"numRuns"`

	// MaxIterations is how many iterations there are. They do not wait for each other. Default: 1.
	MaxIterations *int64 `json:"maxIterations,omitempty"`

	// Metric that says which trials are good. Rand needs none.
	Metric *Metric `json:"metric,omitempty"`

	// Seed of all that is random. Default: the caller's, another for each workflow.
	Seed *int64 `json:"seed,omitempty"`
}

func newHyperopt(h *Hyperopt, seed int64) (Algorithm, error) {
	errs := problems{prefix: "hyperopt."}
	params := newParams(h.Params, &errs)
	iterations := int64(1)
	if h.MaxIterations != nil {
		iterations = *h.MaxIterations
	}
	switch {
	case h.NumRuns < 1 || h.NumRuns > MaxTrials:
		checkRuns(h.NumRuns, &errs)
	case iterations < 1 || iterations > MaxTrials/h.NumRuns:
		errs.add("maxIterations is %d: write 1 to %d, so that there are at most %d trials of numRuns each time", iterations, MaxTrials/h.NumRuns, MaxTrials)
	}
	algorithm := h.Algorithm
	if algorithm == "" {
		algorithm = "tpe"
	}
	var m Metric
	switch algorithm {
	case "rand":
	case "tpe", "anneal":
		if h.Metric != nil {
			m = *h.Metric
		}
		m.check(&errs)
	default:
		errs.add("algorithm is %q: write tpe, rand or anneal", clip(h.Algorithm))
	}
	if err := errs.err(); err != nil {
		return nil, err
	}
	if h.Seed != nil {
		seed = *h.Seed
	}
	total := h.NumRuns * iterations
	switch algorithm {
	case "rand":
		return newRandom(&Random{Params: h.Params, NumRuns: total, Seed: &seed}, seed)
	case "anneal":
		s := newSequential("anneal", params, seed, m, total)
		s.model = anneal{s.cube, seed}
		return s, nil
	default:
		return withTPE("tpe", params, seed, m, total), nil
	}
}

// anneal draws each value about that of a good trial, the nearer the more trials there are: hyperopt's own
// simulated annealing.
type anneal struct {
	cube
	seed int64
}

// cooling is how much of the width a trial takes.
const cooling = 0.1

func (a anneal) propose(h *history, index int64) map[string]json.RawMessage {
	ended, ranked := h.ended()
	if len(ranked) == 0 {
		return nil
	}
	width := 1 / (1 + float64(cooling*float64(len(ended))))
	streams := make([]stream, len(a.axes))
	for i, p := range a.params {
		streams[i] = newStream(a.seed, p.name, index)
	}
	x := make([]float64, len(a.axes))
	for range attempts {
		for i, axis := range a.axes {
			s := &streams[i]
			rank := 0
			for rank+1 < len(ranked) && s.below(2) == 0 {
				rank++
			}
			about := ranked[rank].x[i]
			switch {
			case axis.weights != nil:
				x[i] = about
				if s.float() < width {
					x[i] = float64(s.oneOf(axis.weights))
				}
			case axis.deviation > 0:
				x[i] = axis.snap(about + float64(float64(width*axis.deviation)*s.gauss()))
			default:
				middle := max(width/2, min(1-width/2, about))
				x[i] = axis.snap(middle + float64(width*(s.float()-0.5)))
			}
		}
		if params := a.decode(x); !h.seen[key(a.params, params)] {
			return params
		}
	}
	return nil
}
