package search

import "math"

// Optimization is the direction of a metric.
type Optimization string

// The directions of a metric.
const (
	Minimize Optimization = "minimize"
	Maximize Optimization = "maximize"
)

// Metric is what a search makes as small or as large as it can.
type Metric struct {
	// Name among the outputs of the trials.
	Name string `json:"name"`

	// Optimization: minimize or maximize.
	Optimization Optimization `json:"optimization"`
}

func (m Metric) check(errs *problems) {
	if m.Name == "" {
		errs.add("metric.name is empty: write the name of an output of the trials")
	}
	if m.Optimization != Minimize && m.Optimization != Maximize {
		errs.add("metric.optimization is %q: write %s (less is better) or %s (more is better)", clip(string(m.Optimization)), Minimize, Maximize)
	}
}

// hasResult says whether a trial has a value. One that is no finite number is none.
func hasResult(o Observation) bool {
	return o.State == Succeeded && !math.IsNaN(o.Value) && !math.IsInf(o.Value, 0)
}

// loss is what came of a trial, so that less is better. One without a result has none: it counts as worse than
// every other.
func (m Metric) loss(o Observation) (float64, bool) {
	switch {
	case !hasResult(o):
		return 0, false
	case m.Optimization == Maximize:
		return -o.Value, true
	}
	return o.Value, true
}
