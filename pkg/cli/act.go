package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	queueyard "github.com/queueyard/queueyard/pkg/client"
)

// act is a command that does something to operations and workflows.
func (s *Shell) act(what queueyard.Action, short, long string) *cobra.Command {
	return &cobra.Command{
		Use:               string(what) + " NAME...",
		Short:             short,
		Long:              long,
		Args:              atLeastOne,
		ValidArgsFunction: s.completeNames(false, whatWaits...),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.cluster()
			if err != nil {
				return err
			}
			for _, name := range args {
				o, err := c.resolve(cmd.Context(), name, whatWaits...)
				if err != nil {
					return err
				}
				if err := s.do(cmd.Context(), c, o, what); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (s *Shell) do(ctx context.Context, c *cluster, o client.Object, what queueyard.Action) error {
	says, err := c.queueyard.Act(ctx, o, what)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%s %s\n", queueyard.Title(o), says)
	return nil
}

func newStop(s *Shell) *cobra.Command {
	return s.act(queueyard.Stop, "Stop operations and workflows, at any stage",
		"Stops operations and workflows, at any stage; a workflow with all that it has. It keeps its seat until its pods are gone. A Job is suspended, and a pod is deleted. 'qy resume' lets it go on.")
}

func newResume(s *Shell) *cobra.Command {
	return s.act(queueyard.Resume, "Let go on what was stopped",
		"Lets go on what was stopped: an operation with a new attempt, a workflow with what it has not done.")
}

func newRestart(s *Shell) *cobra.Command {
	return s.act(queueyard.Restart, "Run again what has ended",
		"Runs again what has ended, and keeps its history: an operation anew; of a workflow what failed or was stopped and what depended on it, or all of it if it succeeded.")
}

func newApprove(s *Shell) *cobra.Command {
	return s.act(queueyard.Approve, "Let go on what is held until somebody approves it",
		"Lets go on what is held until somebody approves it. Who did is written down.")
}
