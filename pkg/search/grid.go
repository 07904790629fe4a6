package search

import (
	"encoding/json"
	"fmt"
)

func newGrid(g *Grid) (Algorithm, error) {
	errs := problems{prefix: "grid."}
	params := newParams(g.Params, &errs)
	for _, p := range params {
		if p.shape() == even {
			continue
		}
		instead := ""
		switch p.distribution.(type) {
		case weighted:
			instead = "; write its values as choice"
		case quantised:
			instead = "; range has steps, too"
		}
		errs.add("params.%s is %s: a grid takes only %s, whose values it can list%s, or use random", p.name, p.kind, gridKinds, instead)
	}
	points, exact := product(params)
	total := points
	switch {
	case g.NumRuns != nil && (*g.NumRuns < 1 || *g.NumRuns > MaxTrials):
		errs.add("numRuns is %d: write 1 to %d, or leave it out", *g.NumRuns, MaxTrials)
	case g.NumRuns != nil:
		total = min(points, *g.NumRuns)
	case points > MaxTrials && errs.errs == nil:
		errs.add("params make %s points: a search has %d at most; take fewer values, set numRuns, or use random", count(points, exact), MaxTrials)
	}
	if err := errs.err(); err != nil {
		return nil, err
	}
	return &fixed{
		total: total,
		trial: func(i int64) (map[string]json.RawMessage, bool) { return point(params, i), true },
		whole: fmt.Sprintf("grid of %s points", count(points, exact)),
	}, nil
}

// endless stands for more points than can be counted.
const endless = 1 << 62

// product is how many combinations there are. It is not exact where there are more than can be counted.
func product(params []param) (points int64, exact bool) {
	points = 1
	for _, p := range params {
		n := p.size()
		if n == 0 || points > endless/n {
			return endless, false
		}
		points *= n
	}
	return points, true
}

func count(points int64, exact bool) string {
	if exact {
		return fmt.Sprint(points)
	}
	return "more than 4·10^18"
}

// point is the i-th combination: the last parameter changes first.
func point(params []param, i int64) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(params))
	for k := len(params) - 1; k >= 0; k-- {
		n := params[k].size()
		out[params[k].name] = json.RawMessage(params[k].at(i % n))
		i /= n
	}
	return out
}
