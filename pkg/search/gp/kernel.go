package gp

import (
	"math"

	"github.com/queueyard/queueyard/pkg/search/elementary"
)

// Kernel says how alike a function is at two places, by their distance in length scales: 1 at no distance.
// Slope is minus the derivative by half the squared distance: every derivative is that, times something.
type Kernel func(r float64) (like, slope float64)

// Matern12 makes functions that have corners everywhere.
func Matern12(r float64) (like, slope float64) {
	e := elementary.Exp(-r)
	return e, e / max(r, 1e-12)
}

// Matern32 makes functions that have one derivative.
func Matern32(r float64) (like, slope float64) {
	r = float64(sqrt3 * r)
	e := elementary.Exp(-r)
	return float64((1 + r) * e), 3 * e
}

// Matern52 makes functions that have two derivatives.
func Matern52(r float64) (like, slope float64) {
	r = float64(sqrt5 * r)
	e := elementary.Exp(-r)
	return float64((1 + r + float64(r*r)/3) * e), float64(5.0 / 3 * (1 + r) * e)
}

// RBF makes functions that are smooth without end.
func RBF(r float64) (like, slope float64) {
	e := elementary.Exp(-float64(r*r) / 2)
	return e, e
}

const (
	sqrt3 = 1.73205080756887729352744634150587236
	sqrt5 = 2.23606797749978969640917366873127623
)

// apart is the squared difference of two places along an axis. Categories are alike or not.
func apart(a, b float64, category bool) float64 {
	if category {
		if a == b {
			return 0
		}
		return 1
	}
	return float64((a - b) * (a - b))
}

// distance of two points in length scales.
func distance(a, b, inverseScales []float64, categories []bool) float64 {
	sum := 0.0
	for k, s := range inverseScales {
		sum += float64(apart(a[k], b[k], categories[k]) * s)
	}
	return math.Sqrt(sum)
}
