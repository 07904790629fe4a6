package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/suggest"
)

// Goal is what is waited for: Finished, Deleted, a status, or a condition.
type Goal string

const (
	// Finished: it is over, whatever came of it.
	Finished Goal = "finished"
	// Deleted: it is gone.
	Deleted Goal = "delete"

	condition = "condition="
)

// InStatus is the goal that the current attempt has had a status, also if it has gone on since.
func InStatus(s v1alpha1.Status) Goal { return Goal(s) }

// InCondition is the goal that a condition has a status: True, unless another is given.
func InCondition(name string, status metav1.ConditionStatus) Goal {
	if status == "" {
		status = metav1.ConditionTrue
	}
	return Goal(condition + name + "=" + string(status))
}

// AllStatuses are all that an operation or workflow may have.
var AllStatuses = []v1alpha1.Status{
	v1alpha1.StatusCreated, v1alpha1.StatusOnSchedule, v1alpha1.StatusResuming, v1alpha1.StatusCompiled, v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable,
	v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning, v1alpha1.StatusWarning, v1alpha1.StatusUnknown, v1alpha1.StatusRetrying,
	v1alpha1.StatusStopping, v1alpha1.StatusSucceeded, v1alpha1.StatusFailed, v1alpha1.StatusStopped, v1alpha1.StatusSkipped, v1alpha1.StatusUpstreamFailed,
}

// Goals are the names of those that have one.
func Goals() []string {
	names := []string{string(Finished), string(Deleted)}
	for _, s := range AllStatuses {
		names = append(names, string(s))
	}
	return names
}

// Validate says what is wrong with a goal that somebody wrote.
func (g Goal) Validate() error {
	if strings.HasPrefix(string(g), condition) || slices.Contains(Goals(), string(g)) {
		return nil
	}
	return fmt.Errorf("%q is nothing to wait for%s: write condition=NAME or one of %s", string(g), suggest.DidYouMean(string(g), Goals()), strings.Join(Goals(), ", "))
}

// Result is what came of waiting.
type Result struct {
	// Object as it was last seen.
	Object client.Object
	// Reached: the goal has come. If not, it is over and the goal will not come.
	Reached bool
	// Phase is its status.
	Phase v1alpha1.Status
	// Message is what the status says, with its reason.
	Message string
}

// Err is nil if it succeeded, was skipped, or is not over yet; it says what came of it if that is something else.
func (r *Result) Err() error {
	switch r.Phase {
	case v1alpha1.StatusFailed, v1alpha1.StatusUpstreamFailed, v1alpha1.StatusStopped:
		return fmt.Errorf("%s is %s: %s", Title(r.Object), r.Phase, r.Message)
	}
	return nil
}

// Wait waits until an operation or workflow has come to a goal, or is over without. It waits as long as the context lets it.
func (c *Client) Wait(ctx context.Context, o client.Object, goal Goal) (*Result, error) {
	if err := goal.Validate(); err != nil {
		return nil, err
	}
	r := &Result{Object: o}
	err := c.watchOne(ctx, o, func(seen client.Object) (bool, error) {
		p := ProgressOf(seen)
		r.Object, r.Phase, r.Message, r.Reached = seen, p.Phase, p.LastMessage(), reached(seen, goal)
		return r.Reached || Over(seen) && goal != Deleted, nil
	})
	if goal == Deleted && errors.Is(err, errGone) {
		r.Reached = true
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// reached says whether what is waited for has come.
func reached(o client.Object, goal Goal) bool {
	p := ProgressOf(o)
	switch goal {
	case Finished:
		return Over(o)
	case Deleted:
		return false // who is seen is there
	}
	if name, ok := strings.CutPrefix(string(goal), condition); ok {
		name, value, given := strings.Cut(name, "=")
		if !given {
			value = string(metav1.ConditionTrue)
		}
		return slices.ContainsFunc(p.Conditions, func(c metav1.Condition) bool { return c.Type == name && strings.EqualFold(string(c.Status), value) })
	}
	if p.Phase.Final() && !Over(o) {
		return false // what it had is of the run before
	}
	attempt := int32(0)
	if op, is := o.(*v1alpha1.Operation); is {
		attempt = op.Status.Attempt
	}
	return p.Phase == v1alpha1.Status(goal) || slices.ContainsFunc(p.Timeline, func(e v1alpha1.TimelineEntry) bool {
		return e.Status == v1alpha1.Status(goal) && attempt > 0 && e.Attempt == attempt
	})
}
