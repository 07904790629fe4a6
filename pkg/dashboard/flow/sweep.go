package flow

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/timeline"
	"github.com/queueyard/queueyard/pkg/workflow/family"
	"github.com/queueyard/queueyard/pkg/workflow/plan"
)

// Sweep is what the page of a matrix shows.
type Sweep struct {
	Summary
	// Kind of search: grid, bayes, ...
	Kind string `json:"kind"`
	// Search is how far one has come that asks an operation for trials.
	Search string           `json:"search,omitempty"`
	Metric *v1alpha1.Metric `json:"metric,omitempty"`
	// Rules that stop trials, or all of it, early.
	Rules []string `json:"rules,omitempty"`
	// Axes are the params that the search varies.
	Axes []Axis `json:"axes"`
	// Trials by index, each in its last attempt.
	Trials []Trial `json:"trials"`
	// Course is the trials with a result in the order in which they ended.
	Course []Result `json:"course"`
	// Best is the index of the best trial so far; unset: there is none.
	Best *int64 `json:"best,omitempty"`
}

// Axis is a param that a search varies.
type Axis struct {
	Name string `json:"name"`
	// Kind of its distribution; empty: given values.
	Kind  string `json:"kind,omitempty"`
	Scale Scale  `json:"scale"`
	// Low and High bound what is known of its numbers.
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
	// Values of a category, as JSON, in their order.
	Values []string `json:"values,omitempty"`
}

// Scale is how the values of an axis lie.
type Scale string

// The scales.
const (
	Linear   Scale = "linear"
	Log      Scale = "log"
	Category Scale = "category"
)

// Trial is one trial of a matrix.
type Trial struct {
	Index int64 `json:"index"`
	// Name of the operation, or of the workflow if Nested.
	Name   string          `json:"name"`
	Nested bool            `json:"nested,omitempty"`
	Status v1alpha1.Status `json:"status,omitempty"`
	// Reason and Message say why it waits, or what ended it.
	Reason  string          `json:"reason,omitempty"`
	Message string          `json:"message,omitempty"`
	Params  v1alpha1.Values `json:"params,omitempty"`
	// Value of the metric; unset: none yet.
	Value *float64 `json:"value,omitempty"`
	// Continues is the trial that it goes on from.
	Continues string `json:"continues,omitempty"`
	// Waited in its queue and Ran on a node so many milliseconds, until now where it goes on.
	Waited  int64 `json:"waited"`
	Ran     int64 `json:"ran"`
	Attempt int64 `json:"attempt,omitempty"`
}

// Result is a trial that has one, and the best until then.
type Result struct {
	Index int64 `json:"index"`
	// At is when it ended, in milliseconds of Unix time.
	At    int64   `json:"at"`
	Value float64 `json:"value"`
	Best  float64 `json:"best"`
}

// SweepOf makes the page of a matrix.
func SweepOf(f *family.Family, shape *Shape, within []string, now time.Time) *Sweep {
	w, m := f.Root, shape.Matrix
	s := &Sweep{Summary: summaryOf(w, within, now), Search: w.Status.Search, Metric: plan.MetricOf(m), Rules: rulesOf(w, m), Trials: []Trial{}, Course: []Result{}}
	s.Matrix = true
	var distributions map[string]v1alpha1.Distribution
	s.Kind, distributions = searchOf(m)
	names, known := plan.TrialParams(m)
	ends := map[int64]int64{}
	for _, c := range family.Latest(f.Children(w)) {
		if c.Index >= plan.ExitIndex {
			continue
		}
		t, ended := trialOf(c, s.Metric, now)
		if !known {
			names = union(names, t.Params)
		}
		s.Trials = append(s.Trials, t)
		ends[t.Index] = ended
	}
	if !known {
		names = varying(names, s.Trials)
	}
	for i := range s.Trials {
		s.Trials[i].Params = only(s.Trials[i].Params, names)
	}
	for _, name := range names {
		s.Axes = append(s.Axes, axisOf(name, distributions[name], s.Trials))
	}
	if s.Axes == nil {
		s.Axes = []Axis{}
	}
	s.course(ends)
	return s
}

func trialOf(c family.Member, metric *v1alpha1.Metric, now time.Time) (t Trial, ended int64) {
	t = Trial{Index: c.Index, Name: c.GetName()}
	if c.Attempt > 1 {
		t.Attempt = c.Attempt
	}
	var outputs v1alpha1.Values
	switch o := c.Object.(type) {
	case *v1alpha1.Operation:
		t.Params, outputs = o.Spec.Params, o.Status.Outputs
	case *v1alpha1.Workflow:
		t.Nested, t.Params, outputs = true, o.Spec.Params, o.Status.Outputs
	}
	state := stateOf(c.Object)
	last := timeline.Last(state.timeline)
	t.Status, t.Reason, t.Message = state.phase, last.Reason, messageOf(c.Object)
	if state.phase.Final() {
		ended = last.Time.UnixMilli()
	}
	for _, span := range spansOf(state.timeline) {
		took := cmp.Or(span.To, now.UnixMilli()) - span.From
		switch span.Kind {
		case Waiting:
			t.Waited += took
		case Starting, Running:
			t.Ran += took
		}
	}
	if metric != nil && state.phase == v1alpha1.StatusSucceeded {
		t.Value = finite(outputs[metric.Name].Raw)
	}
	var self struct{ Previous *struct{ Name string } }
	if raw, is := t.Params["trial"]; is && json.Unmarshal(raw.Raw, &self) == nil && self.Previous != nil {
		t.Continues = self.Previous.Name
	}
	return t, ended
}

// finite is a number that is one, or nil.
func finite(raw []byte) *float64 {
	var n *float64
	if json.Unmarshal(raw, &n) != nil || n == nil || math.IsInf(*n, 0) || math.IsNaN(*n) {
		return nil
	}
	return n
}

// course goes through the results in the order in which they came.
func (s *Sweep) course(ends map[int64]int64) {
	if s.Metric == nil {
		return
	}
	for _, t := range s.Trials {
		if t.Value != nil {
			s.Course = append(s.Course, Result{Index: t.Index, At: ends[t.Index], Value: *t.Value})
		}
	}
	slices.SortStableFunc(s.Course, func(a, b Result) int { return cmp.Compare(a.At, b.At) })
	best := 0.0
	for i := range s.Course {
		r := &s.Course[i]
		better := r.Value < best
		if s.Metric.Optimization == v1alpha1.Maximize {
			better = r.Value > best
		}
		if i == 0 || better {
			index := r.Index
			best, s.Best = r.Value, &index
		}
		r.Best = best
	}
}

func union(names []string, values v1alpha1.Values) []string {
	for name := range values {
		if at, found := slices.BinarySearch(names, name); !found {
			names = slices.Insert(names, at, name)
		}
	}
	return names
}

// varying are the params that are not the same in all trials: what an expression gives is known by its values alone.
func varying(names []string, trials []Trial) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		return name == "trial" || !slices.ContainsFunc(trials, func(t Trial) bool {
			return string(t.Params[name].Raw) != string(trials[0].Params[name].Raw)
		})
	})
}

func only(values v1alpha1.Values, names []string) v1alpha1.Values {
	out := make(v1alpha1.Values, len(names))
	for _, name := range names {
		if raw, is := values[name]; is {
			out[name] = raw
		}
	}
	return out
}

// searchOf names the search of a matrix, and gives the distributions of its params.
func searchOf(m *v1alpha1.Matrix) (kind string, params map[string]v1alpha1.Distribution) {
	switch {
	case m.Mapping != nil:
		return "mapping", nil
	case m.Grid != nil:
		return "grid", m.Grid.Params
	case m.Random != nil:
		return "random", m.Random.Params
	case m.Hyperband != nil:
		return "hyperband", m.Hyperband.Params
	case m.ASHA != nil:
		return "asha", m.ASHA.Params
	case m.Bayes != nil:
		return "bayes", m.Bayes.Params
	case m.TPE != nil:
		return "tpe", m.TPE.Params
	case m.Hyperopt != nil:
		return "hyperopt", m.Hyperopt.Params
	case m.Iterative != nil:
		return "iterative", m.Iterative.Params
	}
	return "", nil
}

// axisOf is where the values of a param lie: what the search says of them, else what trials have.
func axisOf(name string, d v1alpha1.Distribution, trials []Trial) Axis {
	a := Axis{Name: name, Kind: d.Kind, Scale: Linear}
	numbers := true
	for _, t := range trials {
		raw, is := t.Params[name]
		if !is {
			continue
		}
		n := finite(raw.Raw)
		if n == nil {
			numbers = false
			continue
		}
		a.widen(*n)
	}
	switch {
	case d.Kind == "choice" || d.Kind == "pchoice" || !numbers:
		return Axis{Name: name, Kind: d.Kind, Scale: Category, Values: categories(name, d, trials)}
	case strings.Contains(d.Kind, "log") || d.Kind == "geomspace":
		a.Scale = Log
	}
	var bounds []float64
	if strings.HasSuffix(d.Kind, "uniform") && json.Unmarshal(d.Value.Raw, &bounds) == nil && len(bounds) >= 2 {
		a.widen(bounds[0])
		a.widen(bounds[1])
	}
	if a.Scale == Log && a.Low != nil && *a.Low <= 0 { // a rounded value may be 0
		a.Scale = Linear
	}
	return a
}

func (a *Axis) widen(n float64) {
	if a.Low == nil {
		low, high := n, n
		a.Low, a.High = &low, &high
	}
	*a.Low, *a.High = min(*a.Low, n), max(*a.High, n)
}

// categories are the values that are written, then others that trials have, in the order of the trials.
func categories(name string, d v1alpha1.Distribution, trials []Trial) []string {
	out, seen := []string{}, map[string]bool{}
	add := func(raw []byte) {
		if text := string(raw); len(raw) > 0 && !seen[text] {
			seen[text] = true
			out = append(out, text)
		}
	}
	var written []json.RawMessage
	if json.Unmarshal(d.Value.Raw, &written) == nil {
		for _, raw := range written {
			if d.Kind == "pchoice" {
				var pair []json.RawMessage
				if json.Unmarshal(raw, &pair) != nil || len(pair) == 0 {
					continue
				}
				raw = pair[0]
			}
			add(raw)
		}
	}
	for _, t := range trials {
		add(t.Params[name].Raw)
	}
	return out
}

// rulesOf are what stops trials, or all of it, before its end, in words.
func rulesOf(w *v1alpha1.Workflow, m *v1alpha1.Matrix) []string {
	rules := w.Spec.EarlyStopping
	if rules == nil {
		rules = m.EarlyStopping
	}
	if rules == nil {
		return nil
	}
	var out []string
	for _, p := range rules.Policies {
		text := string(p.Kind)
		if p.Percent > 0 {
			text += fmt.Sprintf(" %d %%", p.Percent)
		}
		metric := p.Metric
		if of := plan.MetricOf(m); metric == "" && of != nil {
			metric = of.Name
		}
		out = append(out, fmt.Sprintf("%s of %s, from step %d, every %d", text, metric, p.MinInterval, max(1, p.EvaluationInterval)))
	}
	for _, p := range rules.Metrics {
		bound := "at most"
		if p.Optimization == v1alpha1.Maximize {
			bound = "at least"
		}
		out = append(out, fmt.Sprintf("all done when %s is %s %g", p.Metric, bound, p.Value))
	}
	if f := rules.Failure; f != nil {
		out = append(out, fmt.Sprintf("failed when more than %d %% fail", f.Percent))
	}
	return out
}
