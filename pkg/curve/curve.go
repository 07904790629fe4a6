package curve

import (
	"encoding/json"
	"fmt"
	"math"
)

// MaxPoints is how many points a curve has at most.
const MaxPoints = 128

// Point is the values up to a step and after the point before.
type Point struct {
	// Step is the last one of them.
	Step int64
	// Count is how many values there are.
	Count int64
	// Sum of them; NaN if one is not finite. Min and Max are of the finite ones; NaN if there are none.
	Sum, Min, Max float64
}

// At is a point of one value.
func At(step int64, value float64) Point {
	if math.IsInf(value, 0) {
		value = math.NaN()
	}
	return Point{step, 1, value, value, value}
}

// join puts a later point into one.
func (p Point) join(q Point) Point {
	sum := p.Sum + q.Sum
	if math.IsInf(sum, 0) {
		sum = math.NaN()
	}
	return Point{q.Step, p.Count + q.Count, sum, finite(math.Min, p.Min, q.Min), finite(math.Max, p.Max, q.Max)}
}

// finite picks of the two numbers those that are any.
func finite(pick func(a, b float64) float64, a, b float64) float64 {
	switch {
	case math.IsNaN(a):
		return b
	case math.IsNaN(b):
		return a
	}
	return pick(a, b)
}

// Curve is a metric of an operation over its steps, in a bounded number of points: one for each multiple of an interval,
// with all values since the multiple before. Where there are too many the interval is doubled. The same values make the
// same curve, however often they are read.
type Curve struct {
	width  int64
	points []Point
}

// New is an empty curve with a point for each multiple of an interval; 0 is 1.
func New(interval int64) *Curve { return &Curve{width: max(1, interval)} }

// Points are those of the curve, by ascending steps. They are not to be changed.
func (c *Curve) Points() []Point { return c.points }

// Add takes a value. One at a step that is not behind the last is passed over: of several at a step the first counts.
func (c *Curve) Add(step int64, value float64) {
	if n := len(c.points); step < 0 || n > 0 && step <= c.points[n-1].Step {
		return
	}
	c.points = c.append(c.points, At(step, value))
	for len(c.points) > MaxPoints {
		c.width *= 2
		wider := c.points[:0]
		for _, p := range c.points {
			wider = c.append(wider, p)
		}
		c.points = wider
	}
}

func (c *Curve) append(points []Point, p Point) []Point {
	if n := len(points); n > 0 && c.multiple(points[n-1].Step) == c.multiple(p.Step) {
		points[n-1] = points[n-1].join(p)
		return points
	}
	return append(points, p)
}

// multiple is which multiple of the width a step counts to.
func (c *Curve) multiple(step int64) int64 { return step/c.width + min(1, step%c.width) }

// written is a curve as JSON has it: points as [step, value], or [step, count, sum, min, max]; null is NaN.
type written struct {
	Width  int64        `json:"width"`
	Points [][]*float64 `json:"points"`
}

// MarshalJSON implements json.Marshaler.
func (c *Curve) MarshalJSON() ([]byte, error) {
	number := func(v float64) *float64 {
		if math.IsNaN(v) {
			return nil
		}
		return &v
	}
	w := written{c.width, make([][]*float64, len(c.points))}
	for i, p := range c.points {
		w.Points[i] = []*float64{number(float64(p.Step)), number(p.Sum)}
		if p.Count > 1 {
			w.Points[i] = []*float64{number(float64(p.Step)), number(float64(p.Count)), number(p.Sum), number(p.Min), number(p.Max)}
		}
	}
	return json.Marshal(w)
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *Curve) UnmarshalJSON(raw []byte) error {
	var w written
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	if w.Width < 1 || len(w.Points) > MaxPoints {
		return fmt.Errorf("a curve of width %d with %d points: it has a width of 1 or more, and %d points at most", w.Width, len(w.Points), MaxPoints)
	}
	read := Curve{width: w.Width}
	for i, values := range w.Points {
		number := func(i int) float64 {
			if values[i] == nil {
				return math.NaN()
			}
			return *values[i]
		}
		var p Point
		switch len(values) {
		case 2:
			p = At(int64(number(0)), number(1))
		case 5:
			p = Point{int64(number(0)), int64(number(1)), number(2), number(3), number(4)}
		default:
			return fmt.Errorf("point %d of a curve has %d numbers: it has 2 or 5", i, len(values))
		}
		if n := len(read.points); p.Step < 0 || p.Count < 1 || n > 0 && p.Step <= read.points[n-1].Step {
			return fmt.Errorf("point %d of a curve is not behind the one before", i)
		}
		read.points = append(read.points, p)
	}
	*c = read
	return nil
}
