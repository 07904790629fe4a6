package search

import (
	"encoding/json"
	"math"
	"strconv"
)

// has says whether a parameter of the space can have a value. A number counts as one that differs from it by no more
// than rounding does. Normal distributions have every number, lognormal ones every number above 0.
func (c cube) has(i int, raw json.RawMessage) bool {
	if c.categories[i] != nil {
		_, same := compact(raw)
		_, known := c.categories[i][same]
		return known
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return false
	}
	a := c.axes[i]
	u := a.place(v)
	if math.IsNaN(u) || math.IsInf(u, 0) {
		return v == 0 && a.deviation > 0 && a.cell != nil // lognormal has a multiple at 0, and no logarithm of it
	}
	if a.deviation > 0 {
		return true
	}
	number := func(place float64) float64 {
		at, err := strconv.ParseFloat(a.text(place), 64)
		if err != nil {
			return math.NaN() // cannot be: it is a number
		}
		return at
	}
	const rounding = 1e-9
	near := math.Max(math.Abs(v), math.Max(math.Abs(number(0)), math.Abs(number(1))))
	return math.Abs(number(clamp(u))-v) <= rounding*near
}
