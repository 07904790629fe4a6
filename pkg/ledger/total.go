package ledger

import (
	"math"
	"math/bits"
)

// total is a sum of amounts. It is wider than an amount: pods that run are charged whatever they
// ask for, and what was charged must come out again exactly.
type total struct{ hi, lo uint64 }

func (t total) plus(o total) total {
	lo, carry := bits.Add64(t.lo, o.lo, 0)
	hi, _ := bits.Add64(t.hi, o.hi, carry)
	return total{hi, lo}
}

func (t total) minus(o total) total {
	lo, borrow := bits.Sub64(t.lo, o.lo, 0)
	hi, _ := bits.Sub64(t.hi, o.hi, borrow)
	return total{hi, lo}
}

// value is the sum, or the largest amount where the sum is larger.
func (t total) value() int64 {
	if t.hi != 0 || t.lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(t.lo)
}

// lessRatio says whether a/b < c/d for non-negative numbers, without overflow.
func lessRatio(a, b, c, d int64) bool {
	ahi, alo := bits.Mul64(uint64(a), uint64(d))
	chi, clo := bits.Mul64(uint64(c), uint64(b))
	return ahi < chi || ahi == chi && alo < clo
}
