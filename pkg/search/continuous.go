package search

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"

	"github.com/queueyard/queueyard/pkg/search/elementary"
)

// scale turns a standard variable, uniform from 0 to 1 or normal, into the values of a distribution.
type scale struct {
	gaussian bool
	value    func(standard float64) float64
	// place is the standard variable of a value, and rough the value without the last digits: both are fast.
	place, rough func(float64) float64
}

func (s scale) draw(from *stream) float64 {
	if s.gaussian {
		return s.value(from.normal())
	}
	return s.value(from.float())
}

// drawn is a distribution of numbers that have no list.
type drawn struct {
	scale
}

func (d drawn) shape() shape          { return continuous }
func (d drawn) size() int64           { return 0 }
func (d drawn) at(int64) string       { panic("a continuous distribution has no list") }
func (d drawn) draw(s *stream) string { return formatFloat(d.scale.draw(s)) }

// quantised rounds another distribution to multiples of q. Its values are written exactly.
type quantised struct {
	scale
	q        float64
	multiple lattice
	// from and to are the multiples that lie within the bounds, or within what can be written.
	from, to int64
	bounded  bool
}

func (d quantised) shape() shape { return uneven }

func (d quantised) size() int64 {
	if !d.bounded {
		return 0
	}
	return d.to - d.from + 1
}

func (d quantised) at(i int64) string { return d.multiple.text(d.from + i) }

func (d quantised) draw(s *stream) string { return d.multiple.text(d.round(d.scale.draw(s))) }

// round is which multiple is nearest to a value, of those that there are.
func (d quantised) round(value float64) int64 {
	k := math.Round(value / d.q)
	switch {
	case k <= float64(d.from):
		return d.from
	case k >= float64(d.to):
		return d.to
	}
	return int64(k)
}

// maxMultiple keeps multiples exact as floats.
const maxMultiple = 1 << 53

// quantise rounds values to multiples of q, within bounds if there are any.
func quantise(of scale, q, low, high *number) (distribution, error) {
	if q.rat.Sign() <= 0 {
		return nil, fmt.Errorf("q is %s: write the step, above 0, that values are rounded to", q.text)
	}
	l, ok := newLattice(new(big.Rat), q.rat)
	if !ok {
		return nil, fmt.Errorf("q is %s, which needs more than %d digits: round it", q.text, maxScale)
	}
	reach := min(maxMultiple, limit.Int64()/l.step)
	d := quantised{scale: of, q: q.float, multiple: l, from: -reach, to: reach}
	if low == nil {
		return d, nil
	}
	from, to := new(big.Rat).Quo(low.rat, q.rat), new(big.Rat).Quo(high.rat, q.rat)
	first, last := ceil(from), floor(to)
	if first.Cmp(last) > 0 {
		return nil, fmt.Errorf("no multiple of q %s lies from %s to %s: make q smaller, or move the bounds", q.text, low.text, high.text)
	}
	if abs(first).Cmp(big.NewInt(reach)) > 0 || abs(last).Cmp(big.NewInt(reach)) > 0 {
		return nil, fmt.Errorf("q %s is too small for bounds of %s and %s: make it larger", q.text, low.text, high.text)
	}
	d.from, d.to, d.bounded = first.Int64(), last.Int64(), true
	return d, nil
}

func floor(r *big.Rat) *big.Int { return new(big.Int).Div(r.Num(), r.Denom()) } // Div rounds down: denominators are positive

func ceil(r *big.Rat) *big.Int {
	n := floor(new(big.Rat).Neg(r))
	return n.Neg(n)
}

// bounds reads low, high and whatever else.
func bounds(value json.RawMessage, more ...string) ([]*number, error) {
	a, err := arguments(value, append([]string{"low", "high"}, more...)...)
	if err != nil {
		return nil, err
	}
	if a[0].float >= a[1].float {
		return nil, fmt.Errorf("low is %s and high is %s: low must be below high", a[0].text, a[1].text)
	}
	return a, nil
}

func uniform(low, high *number) (scale, error) {
	a, b := low.float, high.float
	width := b - a
	if math.IsInf(width, 0) {
		return scale{}, fmt.Errorf("low is %s and high is %s, further apart than any float: narrow them", low.text, high.text)
	}
	value := func(u float64) float64 {
		v := a + float64(u*width)
		if v >= b { // by rounding
			return math.Nextafter(b, a)
		}
		return v
	}
	return scale{value: value, rough: value, place: func(v float64) float64 { return (v - a) / width }}, nil
}

func logUniform(low, high *number) (scale, error) {
	if low.float <= 0 {
		return scale{}, fmt.Errorf("low is %s: it must be above 0; write the bounds themselves, such as 0.0001 and 0.1, not their logarithms", low.text)
	}
	from, to := log(real(low.float)), log(real(high.float))
	width := newReal().Sub(to, from)
	a, w := nearest(from), nearest(width)
	within := func(v float64) float64 {
		return max(low.float, min(v, math.Nextafter(high.float, low.float)))
	}
	return scale{
		value: func(u float64) float64 {
			x := newReal().Mul(width, real(u))
			return within(nearest(exp(x.Add(x, from))))
		},
		rough: func(u float64) float64 { return within(elementary.Exp(a + float64(u*w))) },
		place: func(v float64) float64 { return (elementary.Log(v) - a) / w },
	}, nil
}

// moments reads loc, scale and whatever else.
func moments(value json.RawMessage, more ...string) ([]*number, error) {
	a, err := arguments(value, append([]string{"loc", "scale"}, more...)...)
	if err != nil {
		return nil, err
	}
	if a[1].float <= 0 {
		return nil, fmt.Errorf("scale is %s: write the standard deviation, above 0", a[1].text)
	}
	return a, nil
}

func normal(loc, deviation *number) (scale, error) {
	mean, width := loc.float, deviation.float
	if math.IsInf(math.Abs(mean)+float64(maxNormal*width), 0) {
		return scale{}, fmt.Errorf("loc is %s and scale is %s, whose values are beyond any float: make them smaller", loc.text, deviation.text)
	}
	value := func(z float64) float64 { return mean + float64(width*z) }
	return scale{gaussian: true, value: value, rough: value, place: func(v float64) float64 { return (v - mean) / width }}, nil
}

func logNormal(loc, deviation *number) (scale, error) {
	n, err := normal(loc, deviation)
	if err != nil || math.Abs(loc.float)+float64(maxNormal*deviation.float) > maxExponent {
		return scale{}, fmt.Errorf("loc is %s and scale is %s, and e to the power of that is beyond any float: write mean and deviation of the logarithm", loc.text, deviation.text)
	}
	return scale{
		gaussian: true,
		value:    func(z float64) float64 { return nearest(exp(real(n.value(z)))) },
		rough:    func(z float64) float64 { return elementary.Exp(n.value(z)) },
		place:    func(v float64) float64 { return n.place(elementary.Log(v)) },
	}, nil
}

func newUniform(value json.RawMessage) (distribution, error) {
	return plain(value, bounds, uniform)
}

func newLogUniform(value json.RawMessage) (distribution, error) {
	return plain(value, bounds, logUniform)
}

func newNormal(value json.RawMessage) (distribution, error) {
	return plain(value, moments, normal)
}

func newLogNormal(value json.RawMessage) (distribution, error) {
	return plain(value, moments, logNormal)
}

type reader func(json.RawMessage, ...string) ([]*number, error)

type drawer func(a, b *number) (scale, error)

func plain(value json.RawMessage, read reader, drawing drawer) (distribution, error) {
	a, err := read(value)
	if err != nil {
		return nil, err
	}
	f, err := drawing(a[0], a[1])
	if err != nil {
		return nil, err
	}
	return drawn{f}, nil
}

func newQUniform(value json.RawMessage) (distribution, error) {
	return rounded(value, bounds, uniform, true)
}

func newQLogUniform(value json.RawMessage) (distribution, error) {
	return rounded(value, bounds, logUniform, true)
}

func newQNormal(value json.RawMessage) (distribution, error) {
	return rounded(value, moments, normal, false)
}

func newQLogNormal(value json.RawMessage) (distribution, error) {
	return rounded(value, moments, logNormal, false)
}

func rounded(value json.RawMessage, read reader, drawing drawer, bounded bool) (distribution, error) {
	a, err := read(value, "q")
	if err != nil {
		return nil, err
	}
	f, err := drawing(a[0], a[1])
	switch {
	case err != nil:
		return nil, err
	case bounded:
		return quantise(f, a[2], a[0], a[1])
	default:
		return quantise(f, a[2], nil, nil)
	}
}
