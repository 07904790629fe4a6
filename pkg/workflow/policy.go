package workflow

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/curve"
)

// StoppingPolicy stops children that promise little, by the values that they report on the way. Its metric and
// optimization are given.
type StoppingPolicy v1alpha1.StoppingPolicy

// Series is what a child reported on the way.
type Series struct {
	Child  string
	Points []curve.Point
	// Ended: it will report no more, and was not stopped early.
	Ended bool
	// Failed: what it reported counts as worse than everything.
	Failed bool
}

// Validate says all that is wrong with a policy, or nil.
func (p StoppingPolicy) Validate() error {
	var errs []error
	switch p.Kind {
	case v1alpha1.Median:
		if p.Percent != 0 {
			errs = append(errs, fmt.Errorf("percent is %d, but median has none: leave it out", p.Percent))
		}
	case v1alpha1.Truncation, v1alpha1.Diff:
		if p.Percent < 1 || p.Percent > 99 {
			errs = append(errs, fmt.Errorf("percent is %d: write 1 to 99", p.Percent))
		}
	default:
		errs = append(errs, fmt.Errorf("kind is %q: write %s, %s or %s", p.Kind, v1alpha1.Median, v1alpha1.Truncation, v1alpha1.Diff))
	}
	if p.Metric == "" {
		errs = append(errs, errors.New("metric is empty: write the name of what children report"))
	}
	if p.Optimization != v1alpha1.Minimize && p.Optimization != v1alpha1.Maximize {
		errs = append(errs, fmt.Errorf("optimization is %q: write %s (less is better) or %s (more is better)", p.Optimization, v1alpha1.Minimize, v1alpha1.Maximize))
	}
	if p.EvaluationInterval < 0 {
		errs = append(errs, fmt.Errorf("evaluationInterval is %d: write every how many steps children are judged, 1 or more", p.EvaluationInterval))
	}
	if p.MinInterval < 0 {
		errs = append(errs, fmt.Errorf("minInterval is %d: write the first step at which children are judged, 0 or more", p.MinInterval))
	}
	if p.MinSamples < 0 {
		errs = append(errs, fmt.Errorf("minSamples is %d: write how many others must have come as far, 1 or more", p.MinSamples))
	}
	return errors.Join(errs...)
}

// Judge says why a child is to be stopped, or "". It is judged at the last step it came to that is one for
// judging, and others by what they had up to that step: so who began later has no disadvantage. Values that are not
// finite are the worst.
func (p StoppingPolicy) Judge(child Series, others []Series) string {
	step, reported := p.judged(child)
	if child.Ended || !reported {
		return ""
	}
	best := p.best(child, step)
	var theirs []float64 // as losses
	for _, o := range others {
		if o.Child == child.Child || p.Kind == v1alpha1.Median && !o.Ended || !reached(o, step) {
			continue
		}
		if p.Kind == v1alpha1.Median {
			theirs = append(theirs, p.average(o, step))
		} else {
			theirs = append(theirs, p.best(o, step))
		}
	}
	if len(theirs) < max(1, p.MinSamples) {
		return ""
	}
	slices.Sort(theirs)
	says := func(format string, args ...any) string {
		return fmt.Sprintf("%s at step %d is %.6g at best, ", p.Metric, step, p.loss(best)) + fmt.Sprintf(format, args...)
	}
	switch p.Kind {
	case v1alpha1.Median:
		if middle := median(theirs); best > middle {
			return says("worse than %.6g, the median of the running averages of %d ended children: stopped by the policy median", p.loss(middle), len(theirs))
		}
	case v1alpha1.Truncation:
		// Of all with this one so many are stopped; it is among them if fewer than that are worse.
		all := len(theirs) + 1
		stopped := all * p.Percent / 100
		worse := len(theirs) - sort.Search(len(theirs), func(i int) bool { return theirs[i] > best })
		better := sort.SearchFloat64s(theirs, best)
		if worse < stopped && better > 0 {
			return says("worse than that of %d of %d children: stopped by the policy truncation, which stops the worst %d%%", better, len(theirs), p.Percent)
		}
	case v1alpha1.Diff:
		if least := theirs[0]; best-least > float64(math.Abs(least)*float64(p.Percent)/100) {
			return says("and %.6g is the best of %d other children: stopped by the policy diff, which allows a difference of %d%%", p.loss(least), len(theirs), p.Percent)
		}
	}
	return ""
}

// judged is the last step for judging that a child came to.
func (p StoppingPolicy) judged(s Series) (step int64, ok bool) {
	if len(s.Points) == 0 {
		return 0, false
	}
	last := s.Points[len(s.Points)-1].Step
	step = last - last%max(1, p.EvaluationInterval)
	return step, step >= p.MinInterval && s.Points[0].Step <= step
}

// reached says whether a child came to a step.
func reached(s Series, step int64) bool {
	return len(s.Points) > 0 && s.Points[0].Step <= step && s.Points[len(s.Points)-1].Step >= step
}

// upTo are the points that a child had up to a step.
func upTo(s Series, step int64) []curve.Point {
	return s.Points[:sort.Search(len(s.Points), func(i int) bool { return s.Points[i].Step > step })]
}

// loss is a value turned so that less is better, and back.
func (p StoppingPolicy) loss(v float64) float64 {
	if p.Optimization == v1alpha1.Maximize {
		return -v
	}
	return v
}

// best loss that a child had up to a step.
func (p StoppingPolicy) best(s Series, step int64) float64 {
	least := math.Inf(1)
	if s.Failed {
		return least
	}
	for _, point := range upTo(s, step) {
		value := point.Min
		if p.Optimization == v1alpha1.Maximize {
			value = point.Max
		}
		if loss := p.loss(value); loss < least { // not if it is NaN
			least = loss
		}
	}
	return least
}

// average loss that a child had up to a step.
func (p StoppingPolicy) average(s Series, step int64) float64 {
	if s.Failed {
		return math.Inf(1)
	}
	sum, count := 0.0, int64(0)
	for _, point := range upTo(s, step) {
		sum += point.Sum
		count += point.Count
	}
	if average := p.loss(sum / float64(count)); !math.IsNaN(average) && !math.IsInf(average, 0) {
		return average
	}
	return math.Inf(1)
}

// median of sorted values. Of an even number it is the mean of the two in the middle.
func median(sorted []float64) float64 {
	n := len(sorted)
	a, b := sorted[(n-1)/2], sorted[n/2]
	if a == b {
		return a // also where both are infinite
	}
	return a/2 + b/2
}
