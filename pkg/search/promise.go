package search

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"

	"github.com/queueyard/queueyard/pkg/search/gp"
)

// The most promising point is looked for among points drawn at random, more near the best trials, and from
// the best of these uphill.
const (
	drawnPoints   = 400 // and a hundred for each parameter
	maxDrawn      = 1000
	nearPoints    = 20 // about each of the best trials, for each width
	nearTrials    = 5
	climbs        = 4
	promiseSteps  = 30
	promiseEnough = 1e-6
)

// spot is a point and how promising it is.
type spot struct {
	x     []float64
	value float64
}

// maximize finds a promising point that was not tried.
func (b *bayes) maximize(model *gp.Model, utility utility, best float64, ranked []result, h *history, index int64) map[string]json.RawMessage {
	spots := b.spots(ranked, index)
	means, deviations := make([]float64, len(spots)), make([]float64, len(spots))
	for i, s := range spots {
		means[i], deviations[i] = model.Predict(s.x)
	}
	if utility == nil {
		utility = ambitious(means, deviations, best)
	}
	for i := range spots {
		spots[i].value, _, _ = utility.of(means[i], deviations[i], best)
	}
	promise := func(x []float64) float64 {
		mean, deviation := model.Predict(x)
		value, _, _ := utility.of(mean, deviation, best)
		return value
	}
	better := func(a, b spot) int { return cmp.Compare(b.value, a.value) }
	slices.SortStableFunc(spots, better)
	for i := range min(climbs, len(spots)) {
		spots = append(spots, b.settle(b.climb(spots[i].x, utility, model, best), promise))
	}
	slices.SortStableFunc(spots, better)
	for _, s := range spots {
		if params := b.decode(s.x); !h.seen[key(b.params, params)] {
			return params
		}
	}
	return nil
}

// spots to look at first.
func (b *bayes) spots(ranked []result, index int64) []spot {
	streams := make([]stream, len(b.axes))
	for i, p := range b.params {
		streams[i] = newStream(b.seed, p.name, index)
	}
	var out []spot
	for range min(drawnPoints+100*len(b.axes), maxDrawn) {
		x := make([]float64, len(b.axes))
		for i, a := range b.axes {
			x[i] = a.any(&streams[i])
		}
		out = append(out, spot{x: x})
	}
	for _, r := range ranked[:min(nearTrials, len(ranked))] {
		for _, width := range []float64{0.1, 0.01, 0.001} {
			for range nearPoints {
				x := make([]float64, len(b.axes))
				for i, a := range b.axes {
					s := &streams[i]
					x[i] = r.x[i]
					switch {
					case a.weights == nil:
						x[i] = a.snap(x[i] + float64(width*s.gauss()))
					case s.below(uint64(len(b.axes)+1)) == 0:
						x[i] = a.any(s)
					}
				}
				out = append(out, spot{x: x})
			}
		}
	}
	return out
}

// any place or category that has a value.
func (a axis) any(s *stream) float64 {
	switch {
	case a.weights != nil:
		return float64(s.below(uint64(len(a.weights))))
	case a.deviation > 0:
		return a.snap(0.5 + float64(a.deviation*s.gauss()))
	}
	return a.snap(s.float())
}

// climb follows the gradient uphill. Places are sines of what it varies, so that none leaves the cube.
func (b *bayes) climb(from []float64, utility utility, model *gp.Model, best float64) []float64 {
	place := func(t []float64) []float64 {
		x := slices.Clone(from)
		for i, a := range b.axes {
			if a.weights == nil {
				x[i] = (1 + math.Sin(t[i])) / 2
			}
		}
		return x
	}
	start := make([]float64, len(from))
	for i, a := range b.axes {
		if a.weights == nil {
			start[i] = math.Asin(max(-0.999, min(0.999, 2*from[i]-1)))
		}
	}
	to := gp.Minimize(start, promiseSteps, promiseEnough, func(t, gradient []float64) float64 {
		mean, deviation, meanBy, deviationBy := model.Gradient(place(t))
		value, byMean, byDeviation := utility.of(mean, deviation, best)
		for i := range gradient {
			gradient[i] = 0
			if b.axes[i].weights == nil {
				gradient[i] = -(float64(byMean*meanBy[i]) + float64(byDeviation*deviationBy[i])) * math.Cos(t[i]) / 2
			}
		}
		return -value
	})
	return place(to)
}

// settle goes from a point to the most promising of its neighbours that have values, at smaller and smaller
// steps, until none is better.
func (b *bayes) settle(from []float64, promise func([]float64) float64) spot {
	const rounds = 5
	x := slices.Clone(from)
	for i, a := range b.axes {
		if a.weights == nil {
			x[i] = a.snap(x[i])
		}
	}
	value := promise(x)
	try := func(i int, v float64) bool {
		before := x[i]
		if v == before {
			return false
		}
		x[i] = v
		if p := promise(x); p > value {
			value = p
			return true
		}
		x[i] = before
		return false
	}
	for _, step := range []float64{1.0 / (1 << 6), 1.0 / (1 << 9), 1.0 / (1 << 12), 1.0 / resolution} {
		for range rounds {
			moved := false
			for i, a := range b.axes {
				if a.weights != nil {
					for k := range a.weights {
						moved = try(i, float64(k)) || moved
					}
					continue
				}
				for _, by := range []float64{-step, step} {
					v := a.snap(x[i] + by)
					if a.cell != nil && v == x[i] {
						// The next value, however far.
						low, high := a.cell(v)
						v = a.snap(low - step)
						if by > 0 {
							v = a.snap(high + step)
						}
					}
					moved = try(i, v) || moved
				}
			}
			if !moved {
				break
			}
		}
	}
	return spot{x, value}
}
