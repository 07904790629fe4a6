package client

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	visibility "github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
	"github.com/queueyard/queueyard/pkg/workflow/family"
)

// WaitingChildren are operations of a workflow that wait for the same reason.
type WaitingChildren struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
	// Example is one of them, and Message what it says.
	Example string `json:"example"`
	Message string `json:"message,omitempty"`
}

func (c *Client) explainWorkflow(ctx context.Context, x *Explanation, w *v1alpha1.Workflow) error {
	x.Queue = w.Spec.Queue
	x.people(w, w.Spec.DesiredState, w.Spec.Approved)
	switch {
	case Over(w):
		x.Summary = fmt.Sprintf("does not wait: it is over, %s. %s", w.Status.Phase, ProgressOf(w).LastMessage())
		return nil
	case w.Status.Phase == "":
		x.Summary = notSeen
		return nil
	}
	x.Summary = "is " + string(w.Status.Phase)
	if w.Status.Progress != "" {
		x.Summary += ", " + w.Status.Progress + " done: " + ChildCounts(w.Status.Children)
	}
	below, err := c.Below(ctx, w)
	if err != nil {
		return err
	}
	operations := below.Operations(below.Children(below.Root))
	if n := w.Spec.Concurrency; n != nil && *n >= 0 {
		flying := 0
		for _, o := range operations {
			if InFlight(o) {
				flying++
			}
		}
		x.Gates = append(x.Gates, Gate{
			Kind: WorkflowGate, OK: flying < int(*n),
			Message: fmt.Sprintf("workflow %s: %d/%d operations in queues or running", w.Name, flying, *n),
			Limit: &visibility.Check{
				LimitReference: visibility.LimitReference{Kind: "Workflow", Name: w.Name}, OK: flying < int(*n),
				Limit: *resource.NewQuantity(int64(*n), resource.DecimalSI), Used: *resource.NewQuantity(int64(flying), resource.DecimalSI),
				Need: *resource.NewQuantity(1, resource.DecimalSI),
			},
		})
	}
	x.Children = GroupWaiting(operations)
	x.Reason = x.hindered(below, w)
	if x.Reason != "" {
		x.Summary += ", and does not go on: " + x.Reason
	}
	return nil
}

// hindered adds why the controller cannot lead a workflow on, or those inside it, and gives the first reason.
func (x *Explanation) hindered(f *family.Family, w *v1alpha1.Workflow) (reason string) {
	if c := Hindrance(w); c != nil {
		reason = c.Reason
		x.closed(FactGate, "workflow %s: %s", w.Name, c.Message)
	}
	for _, m := range f.Children(w) {
		if inner, nested := m.Object.(*v1alpha1.Workflow); nested {
			reason = cmp.Or(reason, x.hindered(f, inner))
		}
	}
	return reason
}

// Hindrance is the condition that says why the controller cannot lead a workflow on; nil: it can.
func Hindrance(w *v1alpha1.Workflow) *metav1.Condition {
	if c := meta.FindStatusCondition(w.Status.Conditions, v1alpha1.ProgressingCondition); c != nil && c.Status == metav1.ConditionFalse {
		return c
	}
	return nil
}

// InFlight: released to its queue, and not at its end. That is what the concurrency of workflows bounds.
func InFlight(o *v1alpha1.Operation) bool {
	switch o.Status.Phase {
	case "", v1alpha1.StatusCreated, v1alpha1.StatusCompiled, v1alpha1.StatusOnSchedule, v1alpha1.StatusRetrying, v1alpha1.StatusResuming:
		return false
	case v1alpha1.StatusQueued:
		c := waitingOf(o)
		return c == nil || c.Reason != workflowFull
	}
	return !o.Status.Phase.Final()
}

// GroupWaiting counts those of some operations that wait, by reason, the most first.
func GroupWaiting(operations []*v1alpha1.Operation) []WaitingChildren {
	groups := map[string]*WaitingChildren{}
	for _, o := range operations {
		var reason, message string
		switch o.Status.Phase {
		case v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable, v1alpha1.StatusOnSchedule, v1alpha1.StatusRetrying, v1alpha1.StatusWarning:
			if n := len(o.Status.Timeline); n > 0 {
				reason, message = o.Status.Timeline[n-1].Reason, o.Status.Timeline[n-1].Message
			}
			if c := waitingOf(o); c != nil {
				reason, message = c.Reason, c.Message
			}
		default:
			continue
		}
		if groups[reason] == nil {
			groups[reason] = &WaitingChildren{Reason: reason, Example: o.Name, Message: message}
		}
		groups[reason].Count++
	}
	out := make([]WaitingChildren, 0, len(groups))
	for _, reason := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, *groups[reason])
	}
	slices.SortStableFunc(out, func(a, b WaitingChildren) int { return cmp.Compare(b.Count, a.Count) })
	return out
}
