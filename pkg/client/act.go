package client

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Action is what can be done to an operation or workflow.
type Action string

// The actions.
const (
	// Stop it, at any stage; a workflow with all that it has.
	Stop Action = "stop"
	// Resume what was stopped.
	Resume Action = "resume"
	// Restart what has ended.
	Restart Action = "restart"
	// Approve what is held until somebody does.
	Approve Action = "approve"
)

// controls are what people want of an operation or workflow.
type controls struct {
	desired  *v1alpha1.DesiredState
	restarts *int32
	approved **bool
	// obeyed is the value of restarts that its run obeys.
	obeyed int32
}

func controlsOf(o client.Object) controls {
	switch o := o.(type) {
	case *v1alpha1.Operation:
		return controls{&o.Spec.DesiredState, &o.Spec.Restarts, &o.Spec.Approved, o.Status.Restarts}
	case *v1alpha1.Workflow:
		return controls{&o.Spec.DesiredState, &o.Spec.Restarts, &o.Spec.Approved, o.Status.Restarts}
	}
	return controls{}
}

// Act does something to an operation or workflow and says what it does now: "is being stopped". What is so already is no
// error and changes nothing.
func (c *Client) Act(ctx context.Context, o client.Object, a Action) (says string, err error) {
	if controlsOf(o).desired == nil {
		return c.actPlain(ctx, o, a)
	}
	change, says, err := a.on(o)
	if err != nil {
		return "", fmt.Errorf("%s %w", Title(o), err)
	}
	if change == nil {
		return says, nil
	}
	before := o.DeepCopyObject().(client.Object)
	change(controlsOf(o))
	return says, c.Objects.Patch(ctx, o, client.MergeFrom(before), c.owner())
}

// May says whether an action would change something now; if not, why.
func (a Action) May(o client.Object) error {
	change, says, err := a.on(o)
	if err == nil && change == nil {
		err = fmt.Errorf("%s", says)
	}
	return err
}

// on gives what to change of an object, if anything, and how to say it.
func (a Action) on(o client.Object) (change func(controls), says string, err error) {
	now := controlsOf(o)
	if now.desired == nil {
		return nil, "", fmt.Errorf("is neither operation nor workflow: it can't be told to %s", a)
	}
	is, over := ProgressOf(o).Phase, Over(o)
	switch a {
	case Stop:
		return now.stop(is, over)
	case Resume:
		return now.resume(o, is, over)
	case Restart:
		return now.restart(is, over)
	case Approve:
		return now.approve(is, over)
	}
	return nil, "", fmt.Errorf("can't be told to %q: there are %s, %s, %s and %s", a, Stop, Resume, Restart, Approve)
}

func (c controls) stop(is v1alpha1.Status, over bool) (func(controls), string, error) {
	switch {
	case over:
		return nil, "is over already: " + string(is), nil
	case *c.desired == v1alpha1.Stopped:
		return nil, "is being stopped (as before)", nil
	}
	return func(c controls) { *c.desired = v1alpha1.Stopped }, "is being stopped", nil
}

func (c controls) resume(o client.Object, is v1alpha1.Status, over bool) (func(controls), string, error) {
	switch stopped := *c.desired == v1alpha1.Stopped; {
	case !stopped && is == v1alpha1.StatusStopped && !over:
		return nil, "goes on (as before)", nil
	case !stopped && is != v1alpha1.StatusStopped:
		return nil, "", fmt.Errorf("was not stopped, it is %s: qy restart runs again what has ended", orDash(is))
	case !stopped:
		return nil, "", fmt.Errorf("is stopped though nobody asked for it: qy restart %s runs it again", Title(o))
	}
	return func(c controls) { *c.desired = v1alpha1.Run }, "goes on", nil
}

func (c controls) restart(is v1alpha1.Status, over bool) (func(controls), string, error) {
	switch {
	case is.Final() && !over:
		return nil, "runs again (as before)", nil
	case !over:
		return nil, "", fmt.Errorf("is not over, it is %s: stop it first, or wait for its end", orDash(is))
	}
	return func(c controls) {
		*c.restarts = max(*c.restarts, c.obeyed) + 1
		*c.desired = v1alpha1.Run
	}, "runs again", nil
}

func (c controls) approve(is v1alpha1.Status, over bool) (func(controls), string, error) {
	switch approved := *c.approved; {
	case approved == nil:
		return nil, "", fmt.Errorf("needs no approval, it is %s", orDash(is))
	case *approved:
		return nil, "is approved (as before)", nil
	case over:
		return nil, "", fmt.Errorf("is over, %s: nothing is left to approve", is)
	}
	yes := true
	return func(c controls) { *c.approved = &yes }, "is approved", nil
}

func orDash(s v1alpha1.Status) string {
	if s == "" {
		return "-"
	}
	return string(s)
}
