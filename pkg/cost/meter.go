package cost

import (
	"math/big"
	"time"
)

// Meter adds up cost over time without losing what is less than a millionth.
type Meter struct {
	Spent Micros
	rest  int64 // of a millionth, in nanoseconds of an hour
}

// Add runs a rate per hour for a time.
func (m *Meter) Add(rate Micros, d time.Duration) {
	if rate <= 0 || d <= 0 {
		return
	}
	sum := new(big.Int).Mul(big.NewInt(rate), big.NewInt(int64(d)))
	sum.Add(sum, big.NewInt(m.rest))
	whole, rest := sum.QuoRem(sum, big.NewInt(int64(time.Hour)), new(big.Int))
	m.rest = rest.Int64()
	if !whole.IsInt64() || whole.Int64() > Max-m.Spent {
		m.Spent = Max
		return
	}
	m.Spent += whole.Int64()
}
