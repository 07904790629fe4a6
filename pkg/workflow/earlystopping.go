package workflow

import (
	"fmt"
	"math"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

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

// StopEarly says whether to stop now, or nil. Planned is how many children there will be in all; where that is
// not known yet, how many there are. A goal that is reached goes before failures that are too many.
func StopEarly(e *v1alpha1.EarlyStopping, planned int, children Counts, measured []Measurement) *Stop {
	if e == nil {
		return nil
	}
	for _, m := range e.Metrics {
		if stop := goalReached(m, measured); stop != nil {
			return stop
		}
	}
	if e.Failure != nil {
		return tooManyFailed(*e.Failure, planned, children)
	}
	return nil
}

// tooManyFailed says whether too many children failed, or nil. The share is of all planned children, not of those
// that are done: so an early failure alone stops nothing that could still end within the limit, and once
// there are too many there always will be. Children that are upstream_failed ran into another's failure and
// do not count again.
func tooManyFailed(f v1alpha1.FailurePolicy, planned int, children Counts) *Stop {
	planned = max(planned, children.Total())
	failed := children[Failed]
	if int64(failed)*100 <= int64(f.Percent)*int64(planned) {
		return nil
	}
	return &Stop{Failed, fmt.Sprintf("%d of %d children failed, more than earlyStopping.failure.percent allows (%d%%): the rest is stopped", failed, planned, f.Percent)}
}

// goalReached says whether a child is good enough, or nil. Of several it names the best, of equals the first.
// Values that are not finite are no results.
func goalReached(m v1alpha1.MetricPolicy, measured []Measurement) *Stop {
	var best *Measurement
	for i := range measured {
		v := &measured[i]
		if v.Metric != m.Metric || math.IsNaN(v.Value) || math.IsInf(v.Value, 0) || Better(m.Optimization, m.Value, v.Value) {
			continue
		}
		if best == nil || Better(m.Optimization, v.Value, best.Value) {
			best = v
		}
	}
	if best == nil {
		return nil
	}
	bound := "at least"
	if m.Optimization == v1alpha1.Minimize {
		bound = "at most"
	}
	return &Stop{Succeeded, fmt.Sprintf("%s of %q is %v, and earlyStopping.metrics asks for %s %v: the rest is stopped", m.Metric, best.Child, best.Value, bound, m.Value)}
}

// Better says whether a is strictly better than b.
func Better(o v1alpha1.Optimization, a, b float64) bool {
	if o == v1alpha1.Minimize {
		return a < b
	}
	return a > b
}
