package search

import (
	"math/big"
	"sync"
)

// Logarithms and powers are computed with more digits than a float64 has and rounded once, in integer
// arithmetic. So they are the same on every architecture, which those of package math are not, and as close
// as a float64 can be: geomspace from 1 to 1000 in 4 steps has 10 and 100 in it.

// precision in bits; the last ones absorb the errors of the series and of the squarings in exp.
const precision = 192

func real(x float64) *big.Float { return newReal().SetFloat64(x) }

func ratio(r *big.Rat) *big.Float { return newReal().SetRat(r) }

func newReal() *big.Float { return new(big.Float).SetPrec(precision) }

// nearest is the float64 nearest to a number.
func nearest(x *big.Float) float64 {
	f, _ := x.Float64()
	return f
}

// log is the natural logarithm of a positive number.
func log(x *big.Float) *big.Float {
	// x = m·2^e with m about 1, and log m = 2 artanh((m-1)/(m+1)).
	m := newReal()
	e := x.MantExp(m)
	if m.Cmp(real(0.7)) < 0 {
		m.SetMantExp(m, 1)
		e--
	}
	one := real(1)
	y := newReal().Quo(newReal().Sub(m, one), newReal().Add(m, one))
	sum := artanh(y)
	sum.SetMantExp(sum, 1)
	return sum.Add(sum, newReal().Mul(newReal().SetInt64(int64(e)), ln2()))
}

var ln2 = sync.OnceValue(func() *big.Float {
	third := artanh(newReal().Quo(real(1), real(3)))
	return third.SetMantExp(third, 1)
})

// artanh sums y + y³/3 + y⁵/5 + ... for a small y.
func artanh(y *big.Float) *big.Float {
	sum, power, square := newReal().Set(y), newReal().Set(y), newReal().Mul(y, y)
	if y.Sign() == 0 {
		return sum
	}
	for k := int64(3); ; k += 2 {
		power.Mul(power, square)
		term := newReal().Quo(power, newReal().SetInt64(k))
		if term.MantExp(nil) < sum.MantExp(nil)-precision {
			return sum
		}
		sum.Add(sum, term)
	}
}

// halvings of the argument make the series of exp short.
const halvings = 16

// exp is e to the power of x, for what a float64 can hold.
func exp(x *big.Float) *big.Float {
	// x = k·log 2 + r, and exp r = exp(r/2^16)^(2^16).
	k, _ := newReal().Add(newReal().Quo(x, ln2()), real(0.5)).Int64()
	r := newReal().Sub(x, newReal().Mul(newReal().SetInt64(k), ln2()))
	r.SetMantExp(r, -halvings)
	sum, term := real(1), real(1)
	for n := int64(1); ; n++ {
		term.Mul(term, r)
		term.Quo(term, newReal().SetInt64(n))
		if term.Sign() == 0 || term.MantExp(nil) < -precision {
			break
		}
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum.SetMantExp(sum, int(k))
}
