package search

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
)

func newRandom(r *Random, seed int64) (Algorithm, error) {
	errs := problems{prefix: "random."}
	params := newParams(r.Params, &errs)
	if r.NumRuns < 1 || r.NumRuns > MaxTrials {
		errs.add("numRuns is %d: write 1 to %d", r.NumRuns, MaxTrials)
	}
	if err := errs.err(); err != nil {
		return nil, err
	}
	if r.Seed != nil {
		seed = *r.Seed
	}
	from := newSampler(params, seed)
	f := &fixed{total: r.NumRuns, trial: from.trial, whole: "random search"}
	if from.points > 0 {
		f.total = min(f.total, from.points)
		f.whole = fmt.Sprintf("random search of %d points", from.points)
	}
	return f, nil
}

// sampler draws points of a space, none twice.
type sampler struct {
	// points of the space, or 0 where they cannot be counted.
	points int64
	// endless: there is an i-th point for every i.
	endless bool
	// trial is the i-th point that is drawn, if there are so many.
	trial func(i int64) (map[string]json.RawMessage, bool)
}

func newSampler(params []param, seed int64) sampler {
	least := even
	for _, p := range params {
		least = max(least, p.shape())
	}
	var s sampler
	points, exact := product(params)
	if least != continuous && exact {
		s.points = points
	}
	switch {
	case least == even && exact:
		order := newPermutation(seed, points)
		s.trial = func(i int64) (map[string]json.RawMessage, bool) { return point(params, order.at(i)), true }
	case least == uneven:
		d := &distinct{params: params, seed: seed, seen: map[string]bool{}}
		if exact {
			d.rest = newPermutation(seed, points)
		}
		s.trial = d.trial
	default:
		// There are so many points that none comes twice.
		s.endless = true
		s.trial = func(i int64) (map[string]json.RawMessage, bool) { return draw(params, seed, i), true }
	}
	return s
}

// draw takes a value of each parameter from the parameter's stream of a trial.
func draw(params []param, seed, trial int64) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(params))
	for _, p := range params {
		s := newStream(seed, p.name, trial)
		out[p.name] = json.RawMessage(p.draw(&s))
	}
	return out
}

// distinct draws from single values of which some are likelier, and leaves out what it had before: the i-th
// trial is the i-th that is new among the draws. So it follows from the seed and i, but costs the draws
// before it; these are kept. It is a cache only.
type distinct struct {
	params []param
	seed   int64
	rest   permutation // of all points; empty where they have no end

	mu      sync.Mutex
	drawn   int64 // how many draws were looked at
	place   int64 // how far rest was looked at
	points  []map[string]json.RawMessage
	seen    map[string]bool
	nothing bool // new was found
}

// patience is how many draws in a row may be old. After that the rest is taken in a random order without
// regard to likelihood, or, where there is no end of points, the search is over.
const patience = 1000

func (d *distinct) trial(i int64) (map[string]json.RawMessage, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for int64(len(d.points)) <= i && !d.nothing {
		d.more()
	}
	if i >= int64(len(d.points)) {
		return nil, false
	}
	return maps.Clone(d.points[i]), true
}

func (d *distinct) more() {
	for range patience {
		p := draw(d.params, d.seed, d.drawn)
		d.drawn++
		if d.add(p) {
			return
		}
	}
	for ; d.place < int64(d.rest.n); d.place++ {
		if d.add(point(d.params, d.rest.at(d.place))) {
			return
		}
	}
	d.nothing = true
}

// add takes a point that was not there before.
func (d *distinct) add(p map[string]json.RawMessage) bool {
	key := key(d.params, p)
	if d.seen[key] {
		return false
	}
	d.seen[key] = true
	d.points = append(d.points, p)
	return true
}

// key tells the points of a space apart.
func key(params []param, values map[string]json.RawMessage) string {
	var b strings.Builder
	for _, p := range params {
		b.Write(values[p.name])
		b.WriteByte('\n') // is in no compact JSON
	}
	return b.String()
}
