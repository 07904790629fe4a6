// Package gp has Gaussian processes: what is known of a function, and how well, from its values at some points.
//
// The function is thought to be a draw from a process with one length scale for each axis, fitted to the values with a
// prior on the logarithms. Values are standardised; the variance of the process follows from the rest. Linear
// algebra and the optimizer are gonum's, whose last digits depend on the architecture: so what was fitted
// is moved to the best point of a coarse lattice, which they do not reach.
package gp

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"

	"github.com/queueyard/queueyard/pkg/search/elementary"
)

// Options of a process.
type Options struct {
	Kernel Kernel
	// Categories says of each axis whether it has categories, which are alike or not, instead of places.
	Categories []bool
	// Scale is the length scale of every axis; 0: fitted.
	Scale float64
}

// Model is a process that knows some values.
type Model struct {
	options       Options
	points        [][]float64
	values        []float64 // standardised
	inverseScales []float64 // squared
	noise         float64   // variance of the values, relative to that of the process
	variance      float64   // of the process
	mean, unit    float64   // of the values as they were given

	upper   blas64.Triangular // the Cholesky factor of the covariance
	weights []float64         // covariance⁻¹·values
}

// Fit learns from the values of a function at some points, at least two.
func Fit(points [][]float64, values []float64, o Options) *Model {
	m := &Model{options: o, points: points}
	m.mean, m.unit = moments(values)
	m.values = make([]float64, len(values))
	for i, v := range values {
		m.values[i] = (v - m.mean) / m.unit
	}
	m.set(m.fit())
	return m
}

func moments(values []float64) (mean, deviation float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		deviation += float64((v-mean)*(v-mean)) / float64(len(values))
	}
	if deviation = math.Sqrt(deviation); deviation < 1e-12 {
		deviation = 1
	}
	return mean, deviation
}

// Standard is a value in the units in which the model predicts.
func (m *Model) Standard(value float64) float64 { return (value - m.mean) / m.unit }

// What is fitted are logarithms: of the length scales, unless they are given, and of the noise. They are
// normally distributed before anything is known.
const (
	scaleMean, scaleDeviation = -1.2, 0.5 // a third of the cube
	noiseMean, noiseDeviation = -14.0, 4.0
	leastNoise                = 1e-8
	leastVariance             = leastNoise / 10 // relative, of what is known
	fitSteps, fitEnough       = 30, 1e-3
	// step of the lattice that what was fitted is moved to.
	step = 1.0 / 8
)

// unpack makes parameters of logarithms.
func (m *Model) unpack(logs []float64) (inverseScales []float64, noise float64) {
	inverseScales = make([]float64, len(m.options.Categories))
	for k := range inverseScales {
		if m.options.Scale > 0 {
			inverseScales[k] = 1 / float64(m.options.Scale*m.options.Scale)
		} else {
			inverseScales[k] = elementary.Exp(-2 * bound(logs[k]))
		}
	}
	return inverseScales, leastNoise + elementary.Exp(bound(logs[len(logs)-1]))
}

// bound keeps an optimizer's long steps within what can be computed.
func bound(log float64) float64 { return max(-20, min(5, log)) }

// covariance of the points, relative to the variance of the process, in the upper triangle, and if wanted
// its slopes.
func (m *Model) covariance(inverseScales []float64, noise float64, slopes []float64) blas64.Symmetric {
	n := len(m.points)
	c := blas64.Symmetric{Uplo: blas.Upper, N: n, Stride: n, Data: make([]float64, n*n)}
	for i, p := range m.points {
		row := c.Data[i*n : (i+1)*n]
		row[i] = 1 + noise
		for j := i + 1; j < n; j++ {
			like, slope := m.options.Kernel(distance(p, m.points[j], inverseScales, m.options.Categories))
			row[j] = like
			if slopes != nil {
				slopes[i*n+j] = slope
			}
		}
	}
	return c
}

// unlikely is what logarithms get that make the covariance singular.
const unlikely = 1e10

// misfit is minus the logarithm of how likely the values and the parameters are, and its gradient if wanted.
func (m *Model) misfit(logs, gradient []float64) float64 {
	n := len(m.points)
	inverseScales, noise := m.unpack(logs)
	var slopes []float64
	if gradient != nil {
		slopes = make([]float64, n*n)
		clear(gradient)
	}
	upper, ok := lapack64.Potrf(m.covariance(inverseScales, noise, slopes))
	if !ok {
		return unlikely
	}
	weights := slices.Clone(m.values)
	blas64.Trsv(blas.Trans, upper, vector(weights))
	variance := max(blas64.Dot(vector(weights), vector(weights))/float64(n), 1e-12)
	sum := float64(float64(n) / 2 * elementary.Log(variance))
	for i := range n {
		sum += elementary.Log(upper.Data[i*n+i])
	}
	last := len(logs) - 1
	for k, log := range logs {
		mean, deviation := scaleMean, scaleDeviation
		if k == last {
			mean, deviation = noiseMean, noiseDeviation
		}
		z := (log - mean) / deviation
		sum += float64(z*z) / 2
		if gradient != nil {
			gradient[k] = z / deviation
		}
	}
	if gradient == nil {
		return sum
	}
	blas64.Trsv(blas.NoTrans, upper, vector(weights))
	lapack64.Potri(upper)
	inverse := upper.Data
	for i, p := range m.points {
		pull := inverse[i*n+i] - float64(weights[i]*weights[i])/variance
		gradient[last] += float64(pull * (noise - leastNoise) / 2)
		if m.options.Scale > 0 {
			continue
		}
		for j := i + 1; j < n; j++ {
			pull := float64((inverse[i*n+j] - float64(weights[i]*weights[j])/variance) * slopes[i*n+j])
			q := m.points[j]
			for k, s := range inverseScales {
				gradient[k] += float64(pull * float64(apart(p[k], q[k], m.options.Categories[k])*s))
			}
		}
	}
	return sum
}

// fit finds the likeliest logarithms, as points of the lattice.
func (m *Model) fit() []float64 {
	size := 1
	if m.options.Scale == 0 {
		size += len(m.options.Categories)
	}
	var best []float64
	least := math.Inf(1)
	for _, scale := range []float64{scaleMean, scaleMean - 1.2} {
		start := make([]float64, size)
		for k := range start {
			start[k] = scale
		}
		start[size-1] = noiseMean
		found := Minimize(start, fitSteps, fitEnough, m.misfit)
		for k := range found {
			found[k] = float64(math.Round(bound(found[k])/step) * step)
		}
		if f := m.misfit(found, nil); f < least || best == nil {
			least, best = f, found
		}
		if size == 1 {
			break
		}
	}
	m.settle(best, least)
	return best
}

// settle walks to the best of the neighbours on the lattice until none is better.
func (m *Model) settle(logs []float64, f float64) {
	const rounds, better = 20, 1e-4
	for range rounds {
		moved := false
		for k := range logs {
			for _, by := range []float64{-step, step} {
				logs[k] += by
				if g := m.misfit(logs, nil); g < f-better {
					f, moved = g, true
				} else {
					logs[k] -= by
				}
			}
		}
		if !moved {
			break
		}
	}
}

// set takes parameters and learns the values with them.
func (m *Model) set(logs []float64) {
	m.inverseScales, m.noise = m.unpack(logs)
	m.learn()
	m.variance = max(blas64.Dot(vector(m.values), vector(m.weights))/float64(len(m.values)), 1e-12)
}

// learn factorizes the covariance, with more noise where it is singular.
func (m *Model) learn() {
	for ok := false; !ok; {
		if m.upper, ok = lapack64.Potrf(m.covariance(m.inverseScales, m.noise, nil)); !ok {
			m.noise *= 10
		}
	}
	m.weights = slices.Clone(m.values)
	blas64.Trsv(blas.Trans, m.upper, vector(m.weights))
	blas64.Trsv(blas.NoTrans, m.upper, vector(m.weights))
}

func vector(data []float64) blas64.Vector { return blas64.Vector{N: len(data), Inc: 1, Data: data} }

// With is the model that knows more standardised values, too. What was fitted stays.
func (m *Model) With(points [][]float64, values []float64) *Model {
	more := *m
	more.points, more.values = slices.Concat(m.points, points), slices.Concat(m.values, values)
	more.learn()
	return &more
}

// likeness of a point to those that are known, and its slopes.
func (m *Model) likeness(x []float64) (like, slopes []float64) {
	like, slopes = make([]float64, len(m.points)), make([]float64, len(m.points))
	for i, p := range m.points {
		like[i], slopes[i] = m.options.Kernel(distance(x, p, m.inverseScales, m.options.Categories))
	}
	return like, slopes
}

// Predict says what the function is at a point, and how sure that is: its mean and standard deviation in
// standardised units.
func (m *Model) Predict(x []float64) (mean, deviation float64) {
	like, _ := m.likeness(x)
	mean = blas64.Dot(vector(like), vector(m.weights))
	blas64.Trsv(blas.Trans, m.upper, vector(like))
	rest := 1 - blas64.Dot(vector(like), vector(like))
	return mean, math.Sqrt(float64(m.variance * max(rest, leastVariance)))
}

// Gradient is Predict with the gradients of both. Along categories they are 0.
func (m *Model) Gradient(x []float64) (mean, deviation float64, byMean, byDeviation []float64) {
	like, slopes := m.likeness(x)
	mean = blas64.Dot(vector(like), vector(m.weights))
	blas64.Trsv(blas.Trans, m.upper, vector(like))
	rest := max(1-blas64.Dot(vector(like), vector(like)), leastVariance)
	blas64.Trsv(blas.NoTrans, m.upper, vector(like))
	deviation = math.Sqrt(float64(m.variance * rest))
	byMean, byDeviation = make([]float64, len(x)), make([]float64, len(x))
	for k, s := range m.inverseScales {
		if m.options.Categories[k] {
			continue
		}
		for i, p := range m.points {
			by := float64(slopes[i] * float64((p[k]-x[k])*s))
			byMean[k] += float64(by * m.weights[i])
			byDeviation[k] -= float64(by * like[i])
		}
		byDeviation[k] *= m.variance / deviation
	}
	return mean, deviation, byMean, byDeviation
}
