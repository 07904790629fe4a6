package search

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/queueyard/queueyard/pkg/search"
)

// Regret is how far the best of the first so many trials is from the optimum, for each of budgets, which
// grow. So many trials run at a time and end in the order in which they began.
func Regret(p Problem, spec search.Spec, seed int64, parallel int, budgets ...int) ([]float64, error) {
	algorithm, err := search.New(spec, seed)
	if err != nil {
		return nil, err
	}
	var all []search.Observation
	var out []float64
	ended, best := 0, 0.0
	for len(out) < len(budgets) {
		suggested := algorithm.Suggest(all, parallel-(len(all)-ended))
		for _, t := range suggested.Trials {
			all = append(all, search.Observation{Trial: t, State: search.InFlight})
		}
		if ended == len(all) {
			return nil, fmt.Errorf("%s: %s", p.Name, suggested.Message)
		}
		o := &all[ended]
		x := make([]float64, len(p.Low))
		for i := range x {
			if x[i], err = strconv.ParseFloat(string(o.Params[p.Param(i)]), 64); err != nil {
				return nil, err
			}
		}
		o.State, o.Value = search.Succeeded, p.At(x)
		if ended == 0 || o.Value < best {
			best = o.Value
		}
		if ended++; ended == budgets[len(out)] {
			out = append(out, best-p.Minimum)
		}
	}
	return out, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
