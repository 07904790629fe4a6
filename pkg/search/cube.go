package search

import (
	"encoding/json"
	"math"
	"strconv"
)

// axis is how a model sees a parameter: as one of some categories, or as a place from 0 to 1.
type axis struct {
	// weights are the probabilities of categories. Nil: its values are numbers.
	weights []float64
	// deviation of the normal distribution about 0.5 that it is drawn from; 0: evenly.
	deviation float64
	// place of a value. It can be outside 0 to 1, where a distribution has no bounds.
	place func(value float64) float64
	// snap is the nearest place that has a value.
	snap func(place float64) float64
	// cell is what snaps to a place that has a value. Nil: there are values everywhere.
	cell func(place float64) (from, to float64)
	// text is the value at a place, exactly.
	text func(place float64) string
}

// resolution of places where there are values everywhere: finer differences tell a model nothing, and
// rounding errors, which depend on the architecture, do not reach them.
const resolution = 1 << 14

// reach is how many deviations of a normal distribution lie on either side of its middle: models look no further.
const reach = 4

func clamp(u float64) float64 { return max(0, min(1, u)) }

func (c choice) axis() axis {
	weights := make([]float64, len(c))
	for i := range weights {
		weights[i] = 1 / float64(len(c))
	}
	return axis{weights: weights}
}

func (w weighted) axis() axis {
	weights := make([]float64, len(w.upTo))
	before := 0.0
	for i, upTo := range w.upTo {
		weights[i], before = upTo-before, upTo
	}
	return axis{weights: weights}
}

// listed are n values, each of which has an n-th of the axis. The order is theirs.
func listed(n int64, index func(value float64) float64, at func(int64) string) axis {
	number := func(u float64) float64 { return max(0, min(float64(n-1), math.Floor(float64(u*float64(n))))) }
	return axis{
		place: func(v float64) float64 {
			i := index(v)
			if !(i > 0) { // also where there is but one value
				i = 0
			}
			return (min(math.Round(i), float64(n-1)) + 0.5) / float64(n)
		},
		snap: func(u float64) float64 { return (number(u) + 0.5) / float64(n) },
		cell: func(u float64) (float64, float64) { return number(u) / float64(n), (number(u) + 1) / float64(n) },
		text: func(u float64) string { return at(int64(number(u))) },
	}
}

func (d steps) axis() axis {
	pow := math.Pow10(d.scale)
	return listed(d.n, func(v float64) float64 { return (float64(v*pow) - float64(d.start)) / float64(d.step) }, d.at)
}

func (d spaced) axis() axis { return listed(d.n, d.index, d.at) }

// standard is the standard variable at a place, and standardPlace the place of one.
func (s scale) standard(u float64) float64 {
	if s.gaussian {
		return float64((2*u - 1) * reach)
	}
	return u
}

func (s scale) standardPlace(x float64) float64 {
	if s.gaussian {
		return (x/reach + 1) / 2
	}
	return x
}

func (s scale) axis() axis {
	a := axis{
		place: func(v float64) float64 { return s.standardPlace(s.place(v)) },
		snap:  func(u float64) float64 { return math.Round(float64(clamp(u)*resolution)) / resolution },
		text:  func(u float64) string { return formatFloat(s.value(s.standard(u))) },
	}
	if s.gaussian {
		a.deviation = 1.0 / (2 * reach)
	}
	return a
}

func (d quantised) axis() axis {
	a := d.scale.axis()
	multiple := func(u float64) float64 { return float64(d.round(d.rough(d.standard(clamp(u))))) }
	placeOf := func(k float64) float64 {
		u := a.place(float64(k * d.q))
		if math.IsNaN(u) || u < 0 {
			return 0 // lognormal has a multiple at 0, and no logarithm of it
		}
		return min(1, u)
	}
	a.snap = func(u float64) float64 { return placeOf(multiple(u)) }
	a.cell = func(u float64) (float64, float64) {
		k := multiple(u)
		return placeOf(k - 0.5), placeOf(k + 0.5)
	}
	a.text = func(u float64) string { return d.multiple.text(d.round(d.value(d.standard(clamp(u))))) }
	return a
}

// cube is a space as models see it: a point has a number for each parameter, its place from 0 to 1, or which
// category it is.
type cube struct {
	params     []param
	axes       []axis
	categories []map[string]int // by JSON
}

func newCube(params []param) cube {
	c := cube{params: params, axes: make([]axis, len(params)), categories: make([]map[string]int, len(params))}
	for i, p := range params {
		c.axes[i] = p.axis()
		if n := len(c.axes[i].weights); n > 0 {
			c.categories[i] = make(map[string]int, n)
			for k := range n {
				_, same := compact(json.RawMessage(p.at(int64(k))))
				c.categories[i][same] = k
			}
		}
	}
	return c
}

// encode is the point of some parameters, if they are of this space.
func (c cube) encode(params map[string]json.RawMessage) ([]float64, bool) {
	x := make([]float64, len(c.params))
	for i, p := range c.params {
		raw, is := params[p.name]
		if !is {
			return nil, false
		}
		if c.categories[i] != nil {
			_, same := compact(raw)
			k, known := c.categories[i][same]
			if !known {
				return nil, false
			}
			x[i] = float64(k)
			continue
		}
		v, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return nil, false
		}
		u := c.axes[i].place(v)
		if math.IsNaN(u) {
			u = 0
		}
		x[i] = clamp(u)
	}
	return x, true
}

// decode are the parameters at a point.
func (c cube) decode(x []float64) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(x))
	for i, p := range c.params {
		if c.categories[i] != nil {
			out[p.name] = json.RawMessage(p.at(int64(x[i])))
		} else {
			out[p.name] = json.RawMessage(c.axes[i].text(x[i]))
		}
	}
	return out
}
