package workflow

import (
	"errors"
	"fmt"
	"math"
)

// EarlyStopping says when the rest of a workflow's children need not run.
type EarlyStopping struct {
	// Failure ends it with failure.
	Failure *FailurePolicy `json:"failure,omitempty"`

	// Metrics end it with success. One of them is enough.
	Metrics []MetricPolicy `json:"metrics,omitempty"`
}

// FailurePolicy ends a workflow with failure when too many of its children failed.
type FailurePolicy struct {
	// Percent of all planned children, from 1 to 99: one more failed child than that is too many.
	Percent int `json:"percent"`
}

// Optimization says which values of a metric are better.
type Optimization string

// The directions of a metric.
const (
	Minimize Optimization = "minimize"
	Maximize Optimization = "maximize"
)

// MetricPolicy ends a workflow with success when a child's metric is good enough.
type MetricPolicy struct {
	// Metric is its name among the outputs of the children.
	Metric string `json:"metric"`

	// Value that is good enough.
	Value float64 `json:"value"`

	// Optimization: maximize (Value or more is good enough) or minimize (Value or less).
	Optimization Optimization `json:"optimization"`
}

// Measurement is a value that a child reported.
type Measurement struct {
	Child  string
	Metric string
	Value  float64
}

// Stop ends a workflow early: what runs or waits of its children is stopped.
type Stop struct {
	// Outcome of the workflow: Succeeded or Failed.
	Outcome Status
	// Message says which rule and which numbers.
	Message string
}

// Validate says all that is wrong with the policies, or nil.
func (e EarlyStopping) Validate() error {
	var errs []error
	if f := e.Failure; f != nil && (f.Percent < 1 || f.Percent > 99) {
		errs = append(errs, fmt.Errorf("failure.percent is %d: write 1 to 99, the share of failed children that is still good", f.Percent))
	}
	for i, m := range e.Metrics {
		if m.Metric == "" {
			errs = append(errs, fmt.Errorf("metrics[%d].metric is empty: write the name of an output of the children", i))
		}
		if m.Optimization != Minimize && m.Optimization != Maximize {
			errs = append(errs, fmt.Errorf("metrics[%d].optimization is %q: write %s (stop at value or less) or %s (stop at value or more)", i, m.Optimization, Minimize, Maximize))
		}
		if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
			errs = append(errs, fmt.Errorf("metrics[%d].value is %v: write a finite number", i, m.Value))
		}
	}
	return errors.Join(errs...)
}

// Decide says whether to stop now, or nil. Planned is how many children there will be in all; where that is
// not known yet, how many there are. A goal that is reached goes before failures that are too many.
func (e EarlyStopping) Decide(planned int, children Counts, measured []Measurement) *Stop {
	for _, m := range e.Metrics {
		if stop := m.Decide(measured); stop != nil {
			return stop
		}
	}
	if e.Failure != nil {
		return e.Failure.Decide(planned, children)
	}
	return nil
}

// Decide says whether too many children failed, or nil. The share is of all planned children, not of those
// that are done: so an early failure alone stops nothing that could still end within the limit, and once
// there are too many there always will be. Children that are upstream_failed ran into another's failure and
// do not count again.
func (f FailurePolicy) Decide(planned int, children Counts) *Stop {
	planned = max(planned, children.Total())
	failed := children[Failed]
	if int64(failed)*100 <= int64(f.Percent)*int64(planned) {
		return nil
	}
	return &Stop{Failed, fmt.Sprintf("%d of %d children failed, more than earlyStopping.failure.percent allows (%d%%): the rest is stopped", failed, planned, f.Percent)}
}

// Decide says whether a child is good enough, or nil. Of several it names the best, of equals the first.
// Values that are not finite are no results.
func (m MetricPolicy) Decide(measured []Measurement) *Stop {
	var best *Measurement
	for i := range measured {
		v := &measured[i]
		if v.Metric != m.Metric || math.IsNaN(v.Value) || math.IsInf(v.Value, 0) || m.better(m.Value, v.Value) {
			continue
		}
		if best == nil || m.better(v.Value, best.Value) {
			best = v
		}
	}
	if best == nil {
		return nil
	}
	bound := "at least"
	if m.Optimization == Minimize {
		bound = "at most"
	}
	return &Stop{Succeeded, fmt.Sprintf("%s of %q is %v, and earlyStopping.metrics asks for %s %v: the rest is stopped", m.Metric, best.Child, best.Value, bound, m.Value)}
}

// better says whether a is strictly better than b.
func (m MetricPolicy) better(a, b float64) bool {
	if m.Optimization == Minimize {
		return a < b
	}
	return a > b
}
