package search

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// ASHA is asynchronous successive halving (Li et al., 2020): whenever a seat is free it promotes a trial that
// is among the best of its rung so far, and tries a new configuration if there is none. It waits for no rung
// to be complete, so no seat is idle before the last configuration has started.
type ASHA struct {
	// Params by name, of any distribution. Configurations are drawn from them as random search does.
	Params map[string]Param `json:"params"`

	// NumRuns is how many configurations are tried. Promoted trials come on top.
	NumRuns int64 `json:"numRuns"`

	// MaxIterations is how much of the resource a trial gets at most.
	MaxIterations int64 `json:"maxIterations"`

	// MinIterations is how much of it a trial gets at least. Default: 1.
	MinIterations *int64 `json:"minIterations,omitempty"`

	// Eta: one of so many is promoted, to so many times the resource. Default: 3.
	Eta *int64 `json:"eta,omitempty"`

	// Resource that trials get more of.
	Resource Resource `json:"resource"`

	// Metric that decides who is promoted.
	Metric Metric `json:"metric"`

	// Resume: a promoted trial goes on from what the trial before left. Otherwise it starts again.
	Resume bool `json:"resume,omitempty"`

	// Seed that the values are drawn from. Default: the caller's, another for each workflow.
	Seed *int64 `json:"seed,omitempty"`
}

// asha numbers trials by configuration and rung: index = configuration · rungs + rung. So the index says
// which configuration it is and which trial it continues, whenever it was promoted.
type asha struct {
	ASHA
	eta    int64
	shares []json.RawMessage
	from   sampler
}

func newASHA(a *ASHA, seed int64) (Algorithm, error) {
	errs := problems{prefix: "asha."}
	params := newParams(a.Params, &errs)
	eta := checkLadder(a.MaxIterations, a.Eta, a.Resource, a.Params, &errs)
	a.Metric.check(&errs)
	if a.NumRuns < 1 || a.NumRuns > MaxTrials {
		errs.add("numRuns is %d: write how many configurations are tried, 1 to %d", a.NumRuns, MaxTrials)
	}
	least := int64(1)
	if a.MinIterations != nil {
		least = *a.MinIterations
	}
	if least < 1 || least > max(1, a.MaxIterations) {
		errs.add("minIterations is %d: write 1 to maxIterations, %d", least, a.MaxIterations)
	}
	if err := errs.err(); err != nil {
		return nil, err
	}
	shares := ladder(a.MaxIterations, least, eta, a.Resource.Type == "float")
	if most := int64(MaxTrials / len(shares)); a.NumRuns > most {
		errs.add("numRuns is %d, each on up to %d rungs: write at most %d, so that there are at most %d trials", a.NumRuns, len(shares), most, MaxTrials)
		return nil, errs.err()
	}
	if a.Seed != nil {
		seed = *a.Seed
	}
	return &asha{*a, eta, shares, newSampler(params, seed)}, nil
}

// Total implements [Algorithm]: how many are promoted depends on the order in which they end.
func (a *asha) Total() int64 { return -1 }

// Suggest implements [Algorithm].
func (a *asha) Suggest(observations []Observation, n int) Suggestions {
	rungs := int64(len(a.shares))
	exists := make(map[int64]bool, len(observations))
	ended := make([]int64, rungs)
	ranked := make([][]Observation, rungs) // those that have a result
	s := Suggestions{Exhausted: true}
	for _, o := range observations {
		if o.Index < 0 || exists[o.Index] {
			continue
		}
		exists[o.Index] = true
		k := o.Index % rungs
		if o.State == InFlight {
			s.Exhausted = s.Exhausted && k+1 == rungs
			continue
		}
		ended[k]++
		if _, ok := a.Metric.loss(o); ok {
			ranked[k] = append(ranked[k], o)
		}
	}
	add := func(configuration, k int64, params map[string]json.RawMessage) {
		t := Trial{Index: configuration*rungs + k, Params: maps.Clone(params)}
		t.Params[a.Resource.Name] = a.shares[k]
		if k > 0 {
			before := t.Index - 1
			t.Continues, t.Resume = &before, a.Resume
		}
		s.Trials = append(s.Trials, t)
		s.Exhausted = s.Exhausted && k+1 == rungs
	}

	for k := rungs - 2; k >= 0; k-- {
		slices.SortFunc(ranked[k], func(x, y Observation) int {
			l, _ := a.Metric.loss(x)
			m, _ := a.Metric.loss(y)
			return cmp.Or(cmp.Compare(l, m), cmp.Compare(x.Index, y.Index))
		})
		// Failed trials count among those of which one in eta is promoted, but are not promoted themselves.
		for _, o := range ranked[k][:min(int64(len(ranked[k])), ended[k]/a.eta)] {
			switch {
			case exists[o.Index+1]:
			case len(s.Trials) >= n:
				s.Exhausted = false
			default:
				params, _ := a.from.trial(o.Index / rungs)
				add(o.Index/rungs, k+1, params)
			}
		}
	}
	for c := range a.configurations() {
		if exists[c*rungs] {
			continue
		}
		params, ok := a.from.trial(c)
		if !ok {
			break
		}
		if len(s.Trials) >= n {
			s.Exhausted = false
			break
		}
		add(c, 0, params)
	}
	s.Message = fmt.Sprintf("asha of %d configurations on %d rungs: %d trials exist, %d are suggested", a.configurations(), rungs, len(observations), len(s.Trials))
	return s.finish()
}

func (a *asha) configurations() int64 {
	if a.from.points > 0 {
		return min(a.NumRuns, a.from.points)
	}
	return a.NumRuns
}
