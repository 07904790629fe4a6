package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func newAgentsDrain(s *Shell) *cobra.Command {
	return &cobra.Command{
		Use:   "drain NAME",
		Short: "Give an agent of another cluster nothing more; it gives back what has not begun",
		Long: `Gives an agent of another cluster nothing more. What it has and has not begun it gives back, and that waits here again; what runs
goes on to its end. The state is Draining until 'qy agents open'.`,
		Args:              exactly("NAME"),
		ValidArgsFunction: s.completeNames(true, agentKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.setAgentState(cmd.Context(), args[0], v1alpha1.AgentDraining, "is drained",
				"drains: it gets nothing more, and gives back what has not begun; what runs goes on")
		},
	}
}

func newAgentsOpen(s *Shell) *cobra.Command {
	return &cobra.Command{
		Use:   "open NAME",
		Short: "Let an agent get operations again after a drain or an eviction",
		Long: `Lets an agent get operations again. After an eviction it begins as soon as nothing is left of what it had; copies of that, which it
finds in its cluster when it comes back, it deletes.`,
		Args:              exactly("NAME"),
		ValidArgsFunction: s.completeNames(true, agentKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.setAgentState(cmd.Context(), args[0], v1alpha1.AgentOpen, "is drained and opened", "is open: it gets operations")
		},
	}
}

// setAgentState changes the state of an agent and says what that means.
func (s *Shell) setAgentState(ctx context.Context, name string, state v1alpha1.AgentState, may, means string) error {
	c, err := s.cluster()
	if err != nil {
		return err
	}
	a, err := c.remote(ctx, name, may)
	if err != nil {
		return err
	}
	if state == v1alpha1.AgentDraining && a.Spec.State == v1alpha1.AgentEvicted {
		return fmt.Errorf("agent %q is evicted and gets nothing anyway: qy agents open %s ends that", name, name)
	}
	asBefore := ""
	if a.Spec.State == state {
		asBefore = " (as before)"
	}
	if err := edit(ctx, c, a, func() { a.Spec.State = state }); err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "agent %s %s%s\n", name, means, asBefore)
	return nil
}
