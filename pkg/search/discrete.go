package search

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"

	"github.com/queueyard/queueyard/pkg/search/elementary"
)

// choice is one of some values.
type choice []string

func newChoice(value json.RawMessage) (distribution, error) {
	const remedy = "write a list of values"
	var list []json.RawMessage
	if err := json.Unmarshal(value, &list); err != nil || list == nil {
		return nil, errors.New("value is no list: " + remedy)
	}
	return choiceOf(list, "remove one, or weigh values with pchoice")
}

// choiceOf refuses values that are there twice, with a remedy.
func choiceOf(list []json.RawMessage, remedy string) (choice, error) {
	if len(list) == 0 {
		return nil, errors.New("value is empty: write at least one value")
	}
	out := make(choice, len(list))
	seen := map[string]bool{}
	for i, raw := range list {
		text, same := compact(raw)
		if seen[same] {
			return nil, fmt.Errorf("%s is there twice: %s", clip(text), remedy)
		}
		seen[same] = true
		out[i] = text
	}
	return out, nil
}

// compact is JSON without spaces, and in a form that is the same for equal values.
func compact(raw json.RawMessage) (text, same string) {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return string(raw), string(raw) // cannot be: it was read already
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return b.String(), b.String()
	}
	sorted, err := json.Marshal(v)
	if err != nil {
		return b.String(), b.String()
	}
	return b.String(), string(sorted)
}

func (c choice) shape() shape          { return even }
func (c choice) size() int64           { return int64(len(c)) }
func (c choice) at(i int64) string     { return c[i] }
func (c choice) draw(s *stream) string { return c[s.below(uint64(len(c)))] }

// weighted is one of some values, each with its probability.
type weighted struct {
	choice
	upTo []float64 // probabilities, summed up
}

func newWeighted(value json.RawMessage) (distribution, error) {
	const remedy = "write a list of [value, probability]"
	var list []json.RawMessage
	if err := json.Unmarshal(value, &list); err != nil || list == nil {
		return nil, errors.New("value is no list: " + remedy)
	}
	var values []json.RawMessage
	var w weighted
	total := new(big.Rat)
	for i, raw := range list {
		var pair []json.RawMessage
		if err := json.Unmarshal(raw, &pair); err != nil || len(pair) != 2 {
			return nil, fmt.Errorf("value[%d] is %s: %s", i, clip(string(raw)), remedy)
		}
		p, ok := parseNumber(string(pair[1]))
		if !ok || p.float <= 0 || p.float > 1 {
			return nil, fmt.Errorf("the probability of %s is %s: write a number above 0 and at most 1, or leave the value out", clip(string(pair[0])), clip(string(pair[1])))
		}
		values = append(values, pair[0])
		total.Add(total, p.rat)
		sum, _ := total.Float64()
		w.upTo = append(w.upTo, sum)
	}
	if len(list) > 0 && math.Abs(w.upTo[len(list)-1]-1) > 1e-6 {
		return nil, fmt.Errorf("the probabilities add up to %s: make it 1", strconv.FormatFloat(w.upTo[len(list)-1], 'g', 6, 64))
	}
	var err error
	w.choice, err = choiceOf(values, "merge their probabilities")
	return w, err
}

func (w weighted) shape() shape { return uneven }

func (w weighted) draw(s *stream) string {
	last := len(w.upTo) - 1
	u := float64(s.float() * w.upTo[last])
	for i, upTo := range w.upTo[:last] {
		if u < upTo {
			return w.choice[i]
		}
	}
	return w.choice[last]
}

// steps are the numbers of a range: from start, below stop.
type steps struct {
	lattice
	n int64
}

func newRange(value json.RawMessage) (distribution, error) {
	a, err := arguments(value, "start", "stop", "step")
	if err != nil {
		return nil, err
	}
	start, stop, step := a[0], a[1], a[2]
	direction := step.rat.Sign()
	switch {
	case direction == 0:
		return nil, errors.New("step is 0: write how far its values are apart")
	case direction*start.rat.Cmp(stop.rat) >= 0:
		return nil, fmt.Errorf("there is no value from %s to below %s in steps of %s: start below stop, or step downwards", start.text, stop.text, step.text)
	}
	// The last value is the last before stop: their number is the distance in steps, rounded up.
	count := new(big.Rat).Quo(new(big.Rat).Sub(stop.rat, start.rat), step.rat)
	n := new(big.Int).Add(count.Num(), new(big.Int).Sub(count.Denom(), big.NewInt(1)))
	n.Quo(n, count.Denom())
	if n.Cmp(big.NewInt(MaxTrials)) > 0 {
		return nil, fmt.Errorf("it has more than %d values: make step larger, or use uniform", MaxTrials)
	}
	l, ok := newLattice(start.rat, step.rat)
	end := new(big.Int).Add(big.NewInt(l.start), new(big.Int).Mul(n, big.NewInt(l.step)))
	if !ok || abs(end).Cmp(limit) > 0 {
		return nil, fmt.Errorf("start, stop and step need more than %d digits together: round them", maxScale)
	}
	return steps{l, n.Int64()}, nil
}

func (d steps) shape() shape          { return even }
func (d steps) size() int64           { return d.n }
func (d steps) at(i int64) string     { return d.text(i) }
func (d steps) draw(s *stream) string { return d.at(int64(s.below(uint64(d.n)))) }

// spaced are n numbers from the first to the last, both exact. Those between are the floats nearest to what
// they should be.
type spaced struct {
	n       int64
	value   func(i int64) float64
	index   func(value float64) float64 // about
	integer bool
}

// newSpaced reads num.
func newSpaced(num *number, value func(i, last int64) float64) (spaced, error) {
	if !num.rat.IsInt() || num.float < 1 || num.float > MaxTrials {
		return spaced{}, fmt.Errorf("num is %s: write how many values it has, 1 to %d", num.text, MaxTrials)
	}
	n := int64(num.float)
	d := spaced{n: n, value: func(i int64) float64 { return value(i, max(1, n-1)) }}
	if n > 1 && (d.value(0) == d.value(1) || d.value(n-2) == d.value(n-1)) {
		return spaced{}, fmt.Errorf("start and stop are too near for %d different values: move them apart, or make num smaller", n)
	}
	return d, nil
}

// maxInteger is where floats stop to have all integers.
const maxInteger = 1 << 53

// integers says whether all values are integers. Integers that grow by a factor are few.
func (d spaced) integers() bool {
	for i := range d.n {
		if v := d.value(i); i == 64 || v != math.Trunc(v) || math.Abs(v) > maxInteger {
			return false
		}
	}
	return true
}

func (d spaced) shape() shape { return even }
func (d spaced) size() int64  { return d.n }

func (d spaced) at(i int64) string {
	if d.integer {
		return strconv.FormatInt(int64(d.value(i)), 10)
	}
	return formatFloat(d.value(i))
}

func (d spaced) draw(s *stream) string { return d.at(int64(s.below(uint64(d.n)))) }

// between is start + i/last·(stop-start), exactly.
func between(start, stop *big.Rat, i, last int64) *big.Rat {
	r := new(big.Rat).Sub(stop, start)
	r.Mul(r, big.NewRat(i, last))
	return r.Add(r, start)
}

func newLinspace(value json.RawMessage) (distribution, error) {
	a, err := arguments(value, "start", "stop", "num")
	if err != nil {
		return nil, err
	}
	d, err := newSpaced(a[2], func(i, last int64) float64 {
		f, _ := between(a[0].rat, a[1].rat, i, last).Float64()
		return f
	})
	if err != nil {
		return nil, err
	}
	d.index = func(v float64) float64 { return (v - a[0].float) / (a[1].float - a[0].float) * float64(d.n-1) }
	second := between(a[0].rat, a[1].rat, 1, max(1, d.n-1))
	d.integer = a[0].rat.IsInt() && (d.n == 1 || second.IsInt()) && max(math.Abs(a[0].float), math.Abs(a[1].float)) <= maxInteger
	return d, nil
}

func newLogspace(value json.RawMessage) (distribution, error) {
	a, err := arguments(value, "start", "stop", "num", "[base]")
	if err != nil {
		return nil, err
	}
	base := 10.0
	if a[3] != nil {
		base = a[3].float
	}
	if base <= 0 || base == 1 {
		return nil, fmt.Errorf("base is %s: write a number above 0 other than 1", a[3].text)
	}
	logBase := log(real(base))
	for i, name := range []string{"start", "stop"} {
		if v := a[i].float * nearest(logBase); math.Abs(v) > maxExponent {
			return nil, fmt.Errorf("%s is %s, and the base to the power of that is beyond any float: write exponents, such as -4 for 0.0001", name, a[i].text)
		}
	}
	d, err := newSpaced(a[2], func(i, last int64) float64 {
		return nearest(exp(newReal().Mul(ratio(between(a[0].rat, a[1].rat, i, last)), logBase)))
	})
	if err != nil {
		return nil, err
	}
	perFactor := nearest(logBase)
	d.index = func(v float64) float64 {
		return (elementary.Log(v)/perFactor - a[0].float) / (a[1].float - a[0].float) * float64(d.n-1)
	}
	d.integer = d.integers()
	return d, nil
}

// maxExponent is how far exp goes without leaving the floats.
const maxExponent = 708

func newGeomspace(value json.RawMessage) (distribution, error) {
	a, err := arguments(value, "start", "stop", "num")
	if err != nil {
		return nil, err
	}
	start, stop := a[0].float, a[1].float
	if start == 0 || stop == 0 || (start < 0) != (stop < 0) {
		return nil, fmt.Errorf("start is %s and stop is %s: both must be above 0, or both below", a[0].text, a[1].text)
	}
	sign := 1.0
	if start < 0 {
		sign = -1
	}
	from, to := log(real(math.Abs(start))), log(real(math.Abs(stop)))
	d, err := newSpaced(a[2], func(i, last int64) float64 {
		switch i {
		case 0:
			return start
		case last:
			return stop
		}
		x := newReal().Sub(to, from)
		x.Mul(x, ratio(big.NewRat(i, last)))
		return sign * nearest(exp(x.Add(x, from)))
	})
	if err != nil {
		return nil, err
	}
	first, width := nearest(from), nearest(newReal().Sub(to, from))
	d.index = func(v float64) float64 { return (elementary.Log(math.Abs(v)) - first) / width * float64(d.n-1) }
	d.integer = d.integers()
	return d, nil
}
