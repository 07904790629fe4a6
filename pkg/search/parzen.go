package search

import (
	"cmp"
	"slices"

	"github.com/queueyard/queueyard/pkg/search/elementary"
)

// parzen is a mixture of normal distributions, each cut to the places from 0 to 1: one about each value, as
// wide as the next is far, and a wide one.
type parzen struct {
	axis
	means, deviations, weights []float64
	// factors are the weights divided by what the cut has left of each.
	factors []float64
}

// narrowest is what part of the axis a value is spread to at least, if there are so many of them.
const narrowest = 100

func estimatePlaces(a axis, values []float64) parzen {
	p := parzen{axis: a, means: append(slices.Clone(values), 0.5), weights: ages(len(values))}
	n := len(p.means)
	p.deviations, p.factors = make([]float64, n), make([]float64, n)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p.means[i], p.means[j]) })
	for place, i := range order {
		// To the farther neighbour; at the ends to the one there is.
		var d float64
		if place > 0 {
			d = p.means[i] - p.means[order[place-1]]
		}
		if place+1 < n {
			d = max(d, p.means[order[place+1]]-p.means[i])
		}
		p.deviations[i] = max(1/float64(min(narrowest, n+1)), min(1, d))
	}
	p.deviations[n-1] = 1
	if a.deviation > 0 {
		p.deviations[n-1] = a.deviation
	}
	for i, mean := range p.means {
		within := elementary.NormalCDF((1-mean)/p.deviations[i]) - elementary.NormalCDF(-mean/p.deviations[i])
		p.factors[i] = p.weights[i] / within
	}
	return p
}

func (p parzen) draw(s *stream) float64 {
	i := s.oneOf(p.weights)
	for {
		// At least a third of a deviation of at most 1 about a mean between 0 and 1 is there, too.
		if x := p.means[i] + float64(p.deviations[i]*s.gauss()); x >= 0 && x <= 1 {
			return p.snap(x)
		}
	}
}

// density at a place or, where there are single values, their probability.
func (p parzen) density(x float64) float64 {
	sum := 0.0
	if p.cell == nil {
		for i, mean := range p.means {
			sum += float64(p.factors[i] * elementary.Density((x-mean)/p.deviations[i]) / p.deviations[i])
		}
		return sum
	}
	from, to := p.cell(x)
	for i, mean := range p.means {
		d := p.deviations[i]
		sum += float64(p.factors[i] * (elementary.NormalCDF((to-mean)/d) - elementary.NormalCDF((from-mean)/d)))
	}
	return sum
}
