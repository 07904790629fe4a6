package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
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

// deed is what is done to an operation or workflow: an error, or what to change and how to say it.
type deed func(o client.Object, is v1alpha1.Status, over bool) (change func(controls), says string, err error)

// act is a command that does something to operations and workflows.
func (s *Shell) act(use, short, long string, do deed) *cobra.Command {
	return &cobra.Command{
		Use:               use + " NAME...",
		Short:             short,
		Long:              long,
		Args:              atLeastOne,
		ValidArgsFunction: s.completeNames(false, whatRuns...),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.cluster()
			if err != nil {
				return err
			}
			for _, name := range args {
				o, err := c.resolve(cmd.Context(), name, whatRuns...)
				if err != nil {
					return err
				}
				if err := s.do(cmd.Context(), c, o, do); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (s *Shell) do(ctx context.Context, c *cluster, o client.Object, do deed) error {
	change, says, err := do(o, progressOf(o).phase, over(o))
	if err != nil {
		return fmt.Errorf("%s %s", title(o), err)
	}
	if change != nil {
		if err := edit(ctx, c, o, func() { change(controlsOf(o)) }); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.Out, "%s %s\n", title(o), says)
	return nil
}

func newStop(s *Shell) *cobra.Command {
	return s.act("stop", "Stop operations and workflows, at any stage",
		"Stops operations and workflows, at any stage; a workflow with all that it has. It keeps its seat until its pods are gone. 'qy resume' lets it go on.",
		func(o client.Object, is v1alpha1.Status, over bool) (func(controls), string, error) {
			switch {
			case over:
				return nil, "is over already: " + string(is), nil
			case *controlsOf(o).desired == v1alpha1.Stopped:
				return nil, "is being stopped (as before)", nil
			}
			return func(c controls) { *c.desired = v1alpha1.Stopped }, "is being stopped", nil
		})
}

func newResume(s *Shell) *cobra.Command {
	return s.act("resume", "Let go on what was stopped",
		"Lets go on what was stopped: an operation with a new attempt, a workflow with what it has not done.",
		func(o client.Object, is v1alpha1.Status, over bool) (func(controls), string, error) {
			switch {
			case *controlsOf(o).desired != v1alpha1.Stopped && is == v1alpha1.StatusStopped && !over:
				return nil, "goes on (as before)", nil
			case *controlsOf(o).desired != v1alpha1.Stopped && is != v1alpha1.StatusStopped:
				return nil, "", fmt.Errorf("was not stopped, it is %s: qy restart runs again what has ended", orDash(string(is)))
			case *controlsOf(o).desired != v1alpha1.Stopped:
				return nil, "", fmt.Errorf("is stopped though nobody asked for it: qy restart %s runs it again", title(o))
			}
			return func(c controls) { *c.desired = v1alpha1.Run }, "goes on", nil
		})
}

func newRestart(s *Shell) *cobra.Command {
	return s.act("restart", "Run again what has ended",
		"Runs again what has ended, and keeps its history: an operation anew; of a workflow what failed or was stopped and what depended on it, or all of it if it succeeded.",
		func(o client.Object, is v1alpha1.Status, over bool) (func(controls), string, error) {
			switch {
			case is.Final() && !over:
				return nil, "runs again (as before)", nil
			case !over:
				return nil, "", fmt.Errorf("is not over, it is %s: stop it first, or wait for its end", orDash(string(is)))
			}
			return func(c controls) {
				*c.restarts = max(*c.restarts, c.obeyed) + 1
				*c.desired = v1alpha1.Run
			}, "runs again", nil
		})
}

func newApprove(s *Shell) *cobra.Command {
	return s.act("approve", "Let go on what is held until somebody approves it",
		"Lets go on what is held until somebody approves it. Who did is written down.",
		func(o client.Object, is v1alpha1.Status, over bool) (func(controls), string, error) {
			switch approved := *controlsOf(o).approved; {
			case approved == nil:
				return nil, "", fmt.Errorf("needs no approval, it is %s", orDash(string(is)))
			case *approved:
				return nil, "is approved (as before)", nil
			case over:
				return nil, "", fmt.Errorf("is over, %s: nothing is left to approve", is)
			}
			yes := true
			return func(c controls) { *c.approved = &yes }, "is approved", nil
		})
}
