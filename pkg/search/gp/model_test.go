package gp

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var kernels = map[string]Kernel{"matern 1/2": Matern12, "matern 3/2": Matern32, "matern 5/2": Matern52, "rbf": RBF}

// The kernels at distance 1, from their definitions, and their slopes against differences.
func TestKernels(t *testing.T) {
	for name, want := range map[string]float64{
		"matern 1/2": math.Exp(-1),
		"matern 3/2": (1 + math.Sqrt(3)) * math.Exp(-math.Sqrt(3)),
		"matern 5/2": (1 + math.Sqrt(5) + 5.0/3) * math.Exp(-math.Sqrt(5)),
		"rbf":        math.Exp(-0.5),
	} {
		k := kernels[name]
		like, _ := k(0)
		require.Equal(t, 1.0, like, name)
		like, _ = k(1)
		require.InDelta(t, want, like, 1e-15, name)
		for _, r := range []float64{0.1, 1, 3} {
			const h = 1e-5
			near, _ := k(math.Sqrt(r*r - h))
			far, _ := k(math.Sqrt(r*r + h))
			_, slope := k(r)
			require.InEpsilon(t, (near-far)/h, slope, 1e-5, name)
		}
	}
}

func points(t *rapid.T, n int) (x [][]float64, y []float64) {
	for range n {
		p := []float64{rapid.Float64Range(0, 1).Draw(t, "x"), rapid.Float64Range(0, 1).Draw(t, "x"), float64(rapid.IntRange(0, 2).Draw(t, "category"))}
		x = append(x, p)
		y = append(y, math.Sin(5*p[0])+p[1]*p[1]+p[2])
	}
	return x, y
}

var withCategory = []bool{false, false, true}

func TestGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := points(t, rapid.IntRange(3, 12).Draw(t, "n"))
		for name, k := range kernels {
			m := Fit(x, y, Options{Kernel: k, Categories: withCategory})
			logs := make([]float64, 4)
			for i := range logs {
				logs[i] = rapid.Float64Range(-2, 1).Draw(t, "log")
			}
			gradient := make([]float64, len(logs))
			f := m.misfit(logs, gradient)
			require.InDelta(t, m.misfit(logs, nil), f, 1e-9)
			for i := range logs {
				const h = 1e-5
				before, after := append([]float64(nil), logs...), append([]float64(nil), logs...)
				before[i] -= h
				after[i] += h
				require.InDelta(t, (m.misfit(after, nil)-m.misfit(before, nil))/(2*h), gradient[i], 1e-4*(1+math.Abs(gradient[i])), "%s, parameter %d", name, i)
			}
			at := []float64{rapid.Float64Range(0, 1).Draw(t, "x"), rapid.Float64Range(0, 1).Draw(t, "x"), 1}
			mean, deviation, byMean, byDeviation := m.Gradient(at)
			a, b := m.Predict(at)
			require.Equal(t, []float64{a, b}, []float64{mean, deviation})
			if deviation < 1e-3 || name == "matern 1/2" {
				continue // it has a corner at a known point
			}
			for i := range 2 {
				const h = 1e-6
				lower, upper := append([]float64(nil), at...), append([]float64(nil), at...)
				lower[i] -= h
				upper[i] += h
				m1, d1 := m.Predict(lower)
				m2, d2 := m.Predict(upper)
				require.InDelta(t, (m2-m1)/(2*h), byMean[i], 1e-3*(1+math.Abs(byMean[i])), name)
				require.InDelta(t, (d2-d1)/(2*h), byDeviation[i], 1e-2*(1+math.Abs(byDeviation[i])), name)
			}
			require.Zero(t, byMean[2])
			require.Zero(t, byDeviation[2])
		}
	})
}

// What is known is predicted, nearly without doubt; far away, the mean is, with all doubt there is.
func TestPredict(t *testing.T) {
	x := [][]float64{{0.1}, {0.4}, {0.5}, {0.9}}
	y := []float64{3, 1, 2, 5}
	for name, k := range kernels {
		m := Fit(x, y, Options{Kernel: k, Categories: []bool{false}, Scale: 0.1})
		for i := range x {
			mean, deviation := m.Predict(x[i])
			require.InDelta(t, m.Standard(y[i]), mean, 0.01, name)
			require.Less(t, deviation, 0.1, name)
		}
		mean, deviation := m.Predict([]float64{50})
		require.InDelta(t, 0, mean, 1e-9, name)
		require.InDelta(t, math.Sqrt(m.variance), deviation, 1e-9, name)
		more := m.With([][]float64{{0.7}}, []float64{1.5})
		mean, _ = more.Predict([]float64{0.7})
		require.InDelta(t, 1.5, mean, 0.01, name)
	}
}

// Points that are there twice, and values that are all the same, are no accident.
func TestDegenerate(t *testing.T) {
	for _, y := range [][]float64{{1, 1, 1}, {1, 2, 3}, {1e300, -1e300, 0}, {5e-324, 0, 0}} {
		m := Fit([][]float64{{0.5}, {0.5}, {0.5}}, y, Options{Kernel: Matern52, Categories: []bool{false}})
		mean, deviation := m.Predict([]float64{0.5})
		require.False(t, math.IsNaN(mean) || math.IsNaN(deviation), y)
	}
}

// A function that changes along one axis only is found to: the other's length scale is longer.
func TestScales(t *testing.T) {
	var x [][]float64
	var y []float64
	for i := range 30 {
		p := []float64{math.Mod(float64(i)*0.618, 1), math.Mod(float64(i)*0.414, 1)}
		x, y = append(x, p), append(y, math.Sin(9*p[0]))
	}
	m := Fit(x, y, Options{Kernel: Matern52, Categories: []bool{false, false}})
	require.Greater(t, m.inverseScales[0], 10*m.inverseScales[1])
}
