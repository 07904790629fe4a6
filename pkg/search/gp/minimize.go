package gp

import (
	"slices"

	"gonum.org/v1/gonum/optimize"
)

// Minimize follows a gradient down from a start, so many steps at most, until they gain less than enough.
func Minimize(start []float64, steps int, enough float64, f func(x, gradient []float64) float64) []float64 {
	var at, gradient []float64
	var value float64
	evaluate := func(x []float64) {
		if !slices.Equal(at, x) {
			at, gradient = slices.Clone(x), make([]float64, len(x))
			value = f(x, gradient)
		}
	}
	result, _ := optimize.Minimize(optimize.Problem{
		Func: func(x []float64) float64 { evaluate(x); return value },
		Grad: func(to, x []float64) { evaluate(x); copy(to, gradient) },
	}, start, &optimize.Settings{
		GradientThreshold: enough,
		MajorIterations:   steps,
		FuncEvaluations:   2 * steps,
		Converger:         &optimize.FunctionConverge{Absolute: enough, Iterations: 3},
	}, &optimize.LBFGS{})
	if result == nil || len(result.X) == 0 {
		return start
	}
	return result.X // also where it gave up: it is the best that it saw
}
