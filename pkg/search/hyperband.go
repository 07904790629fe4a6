package search

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Hyperband tries many configurations with little of a resource and promotes the best of them to more of it
// (Li et al., 2018). Its brackets weigh differently how many are tried against how much each gets.
type Hyperband struct {
	// Params by name, of any distribution. Configurations are drawn from them as random search does.
	Params map[string]Param `json:"params"`

	// MaxIterations is how much of the resource a trial gets at most.
	MaxIterations int64 `json:"maxIterations"`

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

// rung are the trials of a bracket that get the same share of the resource. Their indices follow each other.
type rung struct {
	first, size int64
	resource    json.RawMessage
}

// bracket is one successive halving. Its configurations are those of the search from the first on.
type bracket struct {
	first int64
	rungs []rung
}

// brackets plans all of hyperband. The plan does not depend on what comes of the trials, so that indices
// never move: a trial that nobody survived for leaves a gap.
func brackets(shares []json.RawMessage, eta int64) (plan []bracket, trials int64, ok bool) {
	var configurations int64
	most := int64(len(shares)) - 1
	for s := most; s >= 0; s-- {
		size := int64(1)
		for range s {
			size *= eta
		}
		size = ((most+1)*size + s) / (s + 1) // rounded up
		b := bracket{first: configurations}
		configurations += size
		for _, share := range shares[most-s:] {
			b.rungs = append(b.rungs, rung{trials, size, share})
			trials += size
			size /= eta
		}
		if plan = append(plan, b); trials > MaxTrials {
			return nil, trials, false
		}
	}
	return plan, trials, true
}

type hyperband struct {
	Hyperband
	plan  []bracket
	total int64
	from  sampler
}

func newHyperband(h *Hyperband, seed int64) (Algorithm, error) {
	errs := problems{prefix: "hyperband."}
	params := newParams(h.Params, &errs)
	eta := checkLadder(h.MaxIterations, h.Eta, h.Resource, h.Params, &errs)
	h.Metric.check(&errs)
	if err := errs.err(); err != nil {
		return nil, err
	}
	plan, trials, ok := brackets(ladder(h.MaxIterations, 1, eta, h.Resource.Type == "float"), eta)
	if !ok {
		errs.add("maxIterations is %d and eta is %d, which make at least %d trials: a search has %d at most; make maxIterations smaller or eta larger", h.MaxIterations, eta, trials, MaxTrials)
		return nil, errs.err()
	}
	if h.Seed != nil {
		seed = *h.Seed
	}
	return &hyperband{*h, plan, trials, newSampler(params, seed)}, nil
}

// Total implements [Algorithm].
func (h *hyperband) Total() int64 { return h.total }

// candidate is a trial that is there or could be, and the place of its configuration among those drawn.
type candidate struct {
	index, place int64
	continues    *int64
}

// Suggest implements [Algorithm].
func (h *hyperband) Suggest(observations []Observation, n int) Suggestions {
	exists := byIndex(observations)
	s := Suggestions{Exhausted: true}
	for _, b := range h.plan {
		next := h.beginners(b)
		for i := 0; i < len(b.rungs) && len(next) > 0; i++ {
			complete := true
			for _, c := range next {
				o, is := exists[c.index]
				complete = complete && is && o.State != InFlight
				switch {
				case is:
				case len(s.Trials) >= n:
					s.Exhausted = false
				default:
					s.Trials = append(s.Trials, h.trial(c, b.rungs[i].resource))
				}
			}
			if i+1 == len(b.rungs) {
				break
			}
			if !complete {
				s.Exhausted = false
				break
			}
			next = promote(next, b.rungs[i+1], exists, h.Metric)
		}
	}
	s.Message = fmt.Sprintf("hyperband of %d brackets: %d of at most %d trials exist, %d are suggested", len(h.plan), len(observations), h.total, len(s.Trials))
	return s.finish()
}

// beginners are the lowest rung of a bracket. Where the space has fewer points than the search tries, each
// bracket begins where the last one ended and has none twice.
func (h *hyperband) beginners(b bracket) []candidate {
	size := b.rungs[0].size
	if h.from.points > 0 {
		size = min(size, h.from.points)
	}
	var out []candidate
	for i := range size {
		place := b.first + i
		if h.from.points > 0 {
			place %= h.from.points
		} else if !h.from.endless {
			if _, ok := h.from.trial(place); !ok {
				break
			}
		}
		out = append(out, candidate{index: b.rungs[0].first + i, place: place})
	}
	return out
}

// promote takes the best of a rung that is complete. Of equals the lower index is better. What failed is
// never promoted.
func promote(from []candidate, to rung, exists map[int64]Observation, m Metric) []candidate {
	var ranked []candidate
	for _, c := range from {
		if _, ok := m.loss(exists[c.index]); ok {
			ranked = append(ranked, c)
		}
	}
	slices.SortFunc(ranked, func(a, b candidate) int {
		x, _ := m.loss(exists[a.index])
		y, _ := m.loss(exists[b.index])
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(a.index, b.index))
	})
	var out []candidate
	for i, c := range ranked[:min(int64(len(ranked)), to.size)] {
		before := c.index
		out = append(out, candidate{index: to.first + int64(i), place: c.place, continues: &before})
	}
	return out
}

func (h *hyperband) trial(c candidate, share json.RawMessage) Trial {
	params, _ := h.from.trial(c.place)
	params = maps.Clone(params)
	params[h.Resource.Name] = share
	return Trial{Index: c.index, Params: params, Continues: c.continues, Resume: h.Resume && c.continues != nil}
}

// byIndex finds observations by their trial.
func byIndex(observations []Observation) map[int64]Observation {
	out := make(map[int64]Observation, len(observations))
	for _, o := range observations {
		out[o.Index] = o
	}
	return out
}
