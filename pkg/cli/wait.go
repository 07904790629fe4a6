package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	queueyard "github.com/queueyard/queueyard/pkg/client"
)

func newWait(s *Shell) *cobra.Command {
	var (
		what    string
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "wait NAME...",
		Short: "Wait until operations and workflows are over, or in a status",
		Long: `Waits until operations and workflows are over, or in a status. The exit code tells what came of them: of several, the worst. It is 4
where the timeout is over first. A status counts when the current attempt has had it, also if it has gone on since.`,
		Example: `  qy wait train-1 train-2 --timeout 2h
  qy wait train-1 --for running
  qy wait wf/sweep --for condition=Ready`,
		Args:              atLeastOne,
		ValidArgsFunction: s.completeNames(false, whatWaits...),
		RunE: func(cmd *cobra.Command, args []string) error {
			goal := queueyard.Goal(what)
			if err := goal.Validate(); err != nil {
				return fmt.Errorf("--for %w", err)
			}
			c, err := s.cluster()
			if err != nil {
				return err
			}
			var awaited []client.Object
			for _, name := range args {
				o, err := c.resolve(cmd.Context(), name, whatWaits...)
				if err != nil {
					return err
				}
				awaited = append(awaited, o)
			}
			return s.waitFor(cmd.Context(), c, awaited, goal, timeout)
		},
	}
	cmd.Flags().StringVar(&what, "for", string(queueyard.Finished), "finished, a status, condition=NAME[=VALUE], or delete")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "how long to wait; 0: as long as it takes")
	complete(cmd, "for", append(queueyard.Goals(), "condition=Ready")...)
	return cmd
}

// waitFor waits for one after the other; the end of the first is no earlier than that of all.
func (s *Shell) waitFor(ctx context.Context, c *cluster, awaited []client.Object, goal queueyard.Goal, timeout time.Duration) error {
	late := errors.New("late")
	waiting := ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeoutCause(ctx, timeout, late)
		defer cancel()
	}
	var worst error
	for _, o := range awaited {
		err := s.await(waiting, c, o, goal)
		var came outcome
		switch {
		case err == nil:
		case errors.As(err, &came):
			worst = worse(worst, came)
		case ctx.Err() == nil && waiting.Err() != nil:
			return outcome{codeUnfinished, fmt.Sprintf("%s is not %s after %s; it is %s", queueyard.Title(o), wanted(goal), timeout, s.now(ctx, c, o))}
		default:
			return err
		}
	}
	return worst
}

func wanted(goal queueyard.Goal) string {
	switch goal {
	case queueyard.Finished:
		return "over"
	case queueyard.Deleted:
		return "deleted"
	}
	return string(goal)
}

// now is the status that something has now.
func (s *Shell) now(ctx context.Context, c *cluster, o client.Object) string {
	if c.Get(ctx, client.ObjectKeyFromObject(o), o) != nil {
		return "unknown how it stands"
	}
	return orDash(string(queueyard.ProgressOf(o).Phase))
}

// worse of two ends: what failed before what was stopped.
func worse(a error, b outcome) error {
	var before outcome
	if errors.As(a, &before) && before.code <= b.code {
		return a
	}
	return b
}

// await waits for one, and says when it has come.
func (s *Shell) await(ctx context.Context, c *cluster, o client.Object, goal queueyard.Goal) error {
	r, err := c.queueyard.Wait(ctx, o, goal)
	if err != nil {
		return err
	}
	if goal == queueyard.Deleted {
		fmt.Fprintf(s.Out, "%s is deleted\n", queueyard.Title(o))
		return nil
	}
	fmt.Fprintf(s.Out, "%s is %s\n", queueyard.Title(o), s.paint(statusColour(r.Phase), string(r.Phase)))
	switch {
	case goal == queueyard.Finished:
		return result(r.Phase)
	case !r.Reached:
		return outcome{max(codeError, exitCode(ctx, result(r.Phase))), fmt.Sprintf("%s is over and was never %s: %s", queueyard.Title(o), goal, r.Message)}
	}
	return nil
}
