// Package search measures how well search algorithms search: how far the best of so many trials is from the
// optimum of functions that are known.
package search

import (
	"fmt"
	"math"

	"github.com/queueyard/queueyard/pkg/search"
)

// Problem is a function to minimize.
type Problem struct {
	Name    string
	Low     []float64
	High    []float64
	Minimum float64
	At      func(x []float64) float64
}

// Branin has two dimensions and three minima.
var Branin = Problem{
	Name: "Branin", Low: []float64{-5, 0}, High: []float64{10, 15}, Minimum: 0.39788735772973816,
	At: func(x []float64) float64 {
		a := x[1] - 5.1/(4*math.Pi*math.Pi)*x[0]*x[0] + 5/math.Pi*x[0] - 6
		return a*a + 10*(1-1/(8*math.Pi))*math.Cos(x[0]) + 10
	},
}

// Hartmann6 has six dimensions and six minima, of which one is the least.
var Hartmann6 = Problem{
	Name: "Hartmann6", Low: make([]float64, 6), High: []float64{1, 1, 1, 1, 1, 1}, Minimum: -3.322368011415515,
	At: func(x []float64) float64 {
		sum := 0.0
		for i, alpha := range []float64{1, 1.2, 3, 3.2} {
			distance := 0.0
			for j, v := range x {
				distance += hartmannA[i][j] * (v - hartmannP[i][j]) * (v - hartmannP[i][j])
			}
			sum -= alpha * math.Exp(-distance)
		}
		return sum
	},
}

var (
	hartmannA = [4][6]float64{
		{10, 3, 17, 3.5, 1.7, 8},
		{0.05, 10, 17, 0.1, 8, 14},
		{3, 3.5, 1.7, 10, 17, 8},
		{17, 8, 0.05, 10, 0.1, 14},
	}
	hartmannP = [4][6]float64{
		{0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886},
		{0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
		{0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650},
		{0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381},
	}
)

// Param is the name of a dimension.
func (p Problem) Param(i int) string { return fmt.Sprintf("x%d", i) }

// Params of the problem, one for each dimension.
func (p Problem) Params() map[string]search.Param {
	out := map[string]search.Param{}
	for i := range p.Low {
		out[p.Param(i)] = search.Param{Kind: "uniform", Value: fmt.Appendf(nil, "[%v, %v]", p.Low[i], p.High[i])}
	}
	return out
}
