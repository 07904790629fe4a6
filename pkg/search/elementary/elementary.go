// Package elementary has functions that give the same bits on every architecture. Those of package math do
// not: some are assembly, and the compiler may fuse products with sums. Here every product is rounded before
// it is added to something. Results are good to about 13 digits.
package elementary

import "math"

// The natural logarithm of 2 in two parts: the first has 32 bits, so that its multiples are exact.
const (
	ln2High = 2977044471.0 / (1 << 32)
	ln2Low  = 1.9082149292705877e-10
)

// inverseFactorials are the coefficients of Exp; so many suffice below ln 2 / 2.
var inverseFactorials = func() (c [14]float64) {
	factorial := 1.0 // exact
	for n := range c {
		if n > 0 {
			factorial *= float64(n)
		}
		c[n] = 1 / factorial
	}
	return c
}()

// Exp is e to the power of x.
func Exp(x float64) float64 {
	switch {
	case math.IsNaN(x):
		return x
	case x > 709.78:
		return math.Inf(1)
	case x < -745.2:
		return 0
	}
	k := math.Round(x / math.Ln2)
	r := float64(x-float64(k*ln2High)) - float64(k*ln2Low)
	sum := 0.0
	for n := len(inverseFactorials) - 1; n >= 0; n-- {
		sum = inverseFactorials[n] + float64(r*sum)
	}
	if k > -1022 && k < 1024 {
		return float64(sum * math.Float64frombits(uint64(int64(k)+1023)<<52)) // faster than Ldexp
	}
	return math.Ldexp(sum, int(k))
}

// Log is the natural logarithm of x.
func Log(x float64) float64 {
	switch {
	case math.IsNaN(x) || x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	case math.IsInf(x, 1):
		return x
	}
	fraction, e := math.Frexp(x)
	if fraction < math.Sqrt2/2 {
		fraction, e = 2*fraction, e-1
	}
	// log f = 2 artanh((f-1)/(f+1)), whose argument is below 0.172.
	s := (fraction - 1) / (fraction + 1)
	square := float64(s * s)
	sum := 0.0
	for n := 21.0; n >= 1; n -= 2 {
		sum = float64(sum*square) + 1/n
	}
	k := float64(e)
	return float64(k*ln2High) + (float64(k*ln2Low) + float64(2*s*sum))
}

// far is where the series for the normal distribution gives way to a continued fraction.
const far = 3.5

// NormalCDF is the share of a standard normal distribution below x.
func NormalCDF(x float64) float64 {
	if x < -far {
		return float64(Density(x) * Mills(-x))
	}
	if x > far {
		return 1 - float64(Density(x)*Mills(x))
	}
	// 1/2 + φ(x)·(x + x³/3 + x⁵/(3·5) + ...), whose terms have one sign.
	square := float64(x * x)
	sum, term := x, x
	for n := 3.0; math.Abs(term) > 1e-17; n += 2 {
		term = float64(term * float64(square/n))
		sum += term
	}
	return 0.5 + float64(Density(x)*sum)
}

// Density is that of the standard normal distribution.
func Density(x float64) float64 { return float64(Exp(-float64(x*x)/2) / sqrt2Pi) }

const sqrt2Pi = 2.50662827463100050241576528481104525

// millsTerms of the continued fraction suffice beyond far.
const millsTerms = 80

// Mills is the share of a standard normal distribution above x, divided by its density at x.
func Mills(x float64) float64 {
	if x <= far {
		return NormalCDF(-x) / Density(x)
	}
	// 1/(x + 1/(x + 2/(x + 3/(x + ...))))
	tail := x
	for n := float64(millsTerms); n >= 1; n-- {
		tail = x + n/tail
	}
	return 1 / tail
}
