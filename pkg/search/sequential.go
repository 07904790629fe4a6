package search

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/queueyard/queueyard/pkg/search/gp"
)

// sequential is an algorithm that makes each trial from what came of those before. Trials that are asked for
// at once are made one after the other, each knowing of the former as of trials in flight: so it makes no
// difference whether the caller asks for them at once or one by one.
type sequential struct {
	cube
	name   string
	metric Metric
	from   sampler
	total  int64
	model  model
}

// model proposes the trial of an index. It proposes nothing while it knows too little: then the trial is drawn
// at random.
type model interface {
	propose(h *history, index int64) map[string]json.RawMessage
}

// fate is what became of a trial, as a model sees it.
type fate int

const (
	inFlight fate = iota
	failed
	succeeded
)

// result is a trial that exists. It has a loss if it succeeded.
type result struct {
	index int64
	x     []float64
	fate  fate
	loss  float64
}

// history is what a model learns from.
type history struct {
	results []result // by index
	seen    map[string]bool
	process *gp.Model // of the trials that ended, once Bayes has fitted it
}

// ended are the trials that are not in flight, by index, and ranked those of them that succeeded, the best first.
func (h *history) ended() (ended, ranked []result) {
	for _, r := range h.results {
		if r.fate != inFlight {
			ended = append(ended, r)
		}
		if r.fate == succeeded {
			ranked = append(ranked, r)
		}
	}
	slices.SortFunc(ranked, func(a, b result) int { return cmp.Or(cmp.Compare(a.loss, b.loss), cmp.Compare(a.index, b.index)) })
	return ended, ranked
}

func newSequential(name string, params []param, seed int64, m Metric, total int64) *sequential {
	s := &sequential{cube: newCube(params), name: name, metric: m, from: newSampler(params, seed), total: total}
	if s.from.points > 0 {
		s.total = min(s.total, s.from.points)
	}
	return s
}

// Total implements [Algorithm].
func (a *sequential) Total() int64 { return a.total }

// Suggest implements [Algorithm].
func (a *sequential) Suggest(observations []Observation, n int) Suggestions {
	h := &history{seen: make(map[string]bool, len(observations))}
	exists := make([]bool, min(a.total, int64(len(observations))+int64(max(n, 0))+1))
	for _, o := range observations {
		h.seen[key(a.params, o.Params)] = true
		if o.Index >= 0 && o.Index < int64(len(exists)) {
			exists[o.Index] = true
		}
		x, ok := a.encode(o.Params)
		if !ok {
			continue // no trial of this space: it teaches nothing about it
		}
		r := result{index: o.Index, x: x, fate: failed}
		if loss, ok := a.metric.loss(o); ok {
			r.fate, r.loss = succeeded, loss
		} else if o.State == InFlight {
			r.fate = inFlight
		}
		h.results = append(h.results, r)
	}
	slices.SortFunc(h.results, func(a, b result) int { return cmp.Compare(a.index, b.index) })

	s := Suggestions{Exhausted: true}
	for i, is := range exists {
		if is {
			continue
		}
		if len(s.Trials) >= n {
			s.Exhausted = false
			break
		}
		t := Trial{Index: int64(i), Params: a.model.propose(h, int64(i))}
		if t.Params == nil {
			if t.Params = a.fresh(h, int64(i)); t.Params == nil {
				break // there are no other points
			}
		}
		s.Trials = append(s.Trials, t)
		h.add(a.cube, t)
	}
	s.Message = fmt.Sprintf("%s: %d of at most %d trials exist, %d are suggested", a.name, len(observations), a.total, len(s.Trials))
	return s.finish()
}

// add puts a trial in flight in its place.
func (h *history) add(c cube, t Trial) {
	h.seen[key(c.params, t.Params)] = true
	if x, ok := c.encode(t.Params); ok {
		place, _ := slices.BinarySearchFunc(h.results, t.Index, func(r result, index int64) int { return cmp.Compare(r.index, index) })
		h.results = slices.Insert(h.results, place, result{index: t.Index, x: x})
	}
}

// fresh is a random point that was not tried: the one of this index or, where a model came before it, the
// first that is left.
func (a *sequential) fresh(h *history, index int64) map[string]json.RawMessage {
	params, ok := a.from.trial(index)
	for i := int64(0); ok && h.seen[key(a.params, params)] && !a.from.endless; i++ {
		if a.from.points > 0 && i >= a.from.points {
			return nil
		}
		params, ok = a.from.trial(i)
	}
	if !ok {
		return nil
	}
	return params
}
