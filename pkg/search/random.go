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
	least := even
	for _, p := range params {
		least = max(least, p.shape())
	}
	points, exact := product(params)
	f := &fixed{total: r.NumRuns, whole: "random search"}
	if least != continuous && exact {
		f.total = min(f.total, points)
		f.whole = fmt.Sprintf("random search of %d points", points)
	}
	switch {
	case least == even && exact:
		order := newPermutation(seed, points)
		f.trial = func(i int64) (map[string]json.RawMessage, bool) { return point(params, order.at(i)), true }
	case least == uneven:
		d := &distinct{params: params, seed: seed, seen: map[string]bool{}}
		if exact {
			d.rest = newPermutation(seed, points)
		}
		f.trial = d.trial
	default:
		// There are so many points that none comes twice.
		f.trial = func(i int64) (map[string]json.RawMessage, bool) { return draw(params, seed, i), true }
	}
	return f, nil
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
	var key strings.Builder
	for _, param := range d.params {
		key.Write(p[param.name])
		key.WriteByte('\n') // is in no compact JSON
	}
	if d.seen[key.String()] {
		return false
	}
	d.seen[key.String()] = true
	d.points = append(d.points, p)
	return true
}
