package flow

import (
	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Span is a time in which something was in one way.
type Span struct {
	Kind SpanKind `json:"kind"`
	// From and To in milliseconds of Unix time; To is 0 while it goes on.
	From int64 `json:"from"`
	To   int64 `json:"to,omitempty"`
}

// SpanKind is in which way.
type SpanKind string

// The kinds of spans.
const (
	// Held: somebody must approve it.
	Held SpanKind = "held"
	// Waiting: in its queue, or about to be.
	Waiting SpanKind = "waiting"
	// Starting: it has a node, and is prepared there.
	Starting SpanKind = "starting"
	// Running: it runs, or is being stopped.
	Running SpanKind = "running"
	// Pausing: between two attempts.
	Pausing SpanKind = "pausing"
)

func spanKind(s v1alpha1.Status) SpanKind {
	switch s {
	case v1alpha1.StatusOnSchedule:
		return Held
	case v1alpha1.StatusCreated, v1alpha1.StatusCompiled, v1alpha1.StatusResuming, v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable:
		return Waiting
	case v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusWarning:
		return Starting
	case v1alpha1.StatusRunning, v1alpha1.StatusUnknown, v1alpha1.StatusStopping:
		return Running
	case v1alpha1.StatusRetrying:
		return Pausing
	}
	return "" // an end
}

// spansOf joins the entries of a timeline that are of one kind.
func spansOf(line []v1alpha1.TimelineEntry) []Span {
	var out []Span
	open := false
	for _, e := range line {
		at, kind := e.Time.UnixMilli(), spanKind(e.Status)
		if open {
			last := &out[len(out)-1]
			if last.Kind == kind {
				continue
			}
			if last.To = at; last.From == at {
				out = out[:len(out)-1]
			}
		}
		if open = kind != ""; open {
			out = append(out, Span{Kind: kind, From: at})
		}
	}
	return out
}
