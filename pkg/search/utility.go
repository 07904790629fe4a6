package search

import (
	"math"

	"github.com/queueyard/queueyard/pkg/search/elementary"
)

// utility says how promising a point is, from what is expected there: mean and deviation of the loss, and
// the best loss so far. It also has the derivatives by mean and deviation.
type utility interface {
	of(mean, deviation, best float64) (value, byMean, byDeviation float64)
}

// confidenceBound is how good a point is with so many deviations in its favour.
type confidenceBound struct{ kappa float64 }

func (u confidenceBound) of(mean, deviation, _ float64) (value, byMean, byDeviation float64) {
	return float64(u.kappa*deviation) - mean, -1, u.kappa
}

// expectedImprovement is the logarithm of how much better than the best a point is expected to be, where
// being worse counts as 0. The logarithm has a slope even where next to nothing is expected.
type expectedImprovement struct{ eps float64 }

func (u expectedImprovement) of(mean, deviation, best float64) (value, byMean, byDeviation float64) {
	z := (best - u.eps - mean) / deviation
	// EI = σ·(φ(z) + z·Φ(z)), and its derivatives are -Φ(z) and φ(z).
	if z > -1 {
		density, share := elementary.Density(z), elementary.NormalCDF(z)
		h := density + float64(z*share)
		return elementary.Log(deviation) + elementary.Log(h), -share / float64(deviation*h), density / float64(deviation*h)
	}
	mills := elementary.Mills(-z)
	h := 1 + float64(z*mills) // in units of φ(z)
	if z < -1e4 {
		h = 1 / float64(z*z)
	}
	return elementary.Log(deviation) + elementary.Log(h) - float64(float64(z*z)/2+logSqrt2Pi), -mills / float64(deviation*h), 1 / float64(deviation*h)
}

const logSqrt2Pi = 0.918938533204672741780329736405617640

// improvementProbability is the logarithm of how likely a point is to be better than the best.
type improvementProbability struct{ eps float64 }

func (u improvementProbability) of(mean, deviation, best float64) (value, byMean, byDeviation float64) {
	z := (best - u.eps - mean) / deviation
	var slope float64
	if z > -3 {
		share := elementary.NormalCDF(z)
		value, slope = elementary.Log(share), elementary.Density(z)/share
	} else {
		mills := elementary.Mills(-z)
		value, slope = elementary.Log(mills)-float64(z*z)/2-logSqrt2Pi, 1/mills
	}
	return value, -slope / deviation, -float64(slope*z) / deviation
}

// ambition is how many times the greatest expected improvement counts as one. Of 1 and 3, 3 found Hartmann6's
// minimum sooner.
const ambition = 3

// ambitious is the probability of an improvement that is large beside what is expected of some points. With one of
// any size, a search stays where it is (Jones, 2001, on its target): a place hardly better than the best is the surest.
func ambitious(means, deviations []float64, best float64) improvementProbability {
	most := math.Inf(-1)
	for i := range means {
		value, _, _ := expectedImprovement{}.of(means[i], deviations[i], best)
		most = max(most, value)
	}
	return improvementProbability{float64(ambition * elementary.Exp(most))}
}
