package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/suggest"
)

const (
	forFinished  = "finished"
	forDelete    = "delete"
	forCondition = "condition="
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
		ValidArgsFunction: s.completeNames(false, whatRuns...),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := validFor(what); err != nil {
				return err
			}
			c, err := s.cluster()
			if err != nil {
				return err
			}
			var awaited []client.Object
			for _, name := range args {
				o, err := c.resolve(cmd.Context(), name, whatRuns...)
				if err != nil {
					return err
				}
				awaited = append(awaited, o)
			}
			return s.waitFor(cmd.Context(), c, awaited, what, timeout)
		},
	}
	cmd.Flags().StringVar(&what, "for", forFinished, "finished, a status, condition=NAME[=VALUE], or delete")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "how long to wait; 0: as long as it takes")
	complete(cmd, "for", append([]string{forFinished, forDelete, "condition=Ready"}, statusNames()...)...)
	return cmd
}

func validFor(what string) error {
	known := append([]string{forFinished, forDelete}, statusNames()...)
	if strings.HasPrefix(what, forCondition) || slices.Contains(known, what) {
		return nil
	}
	return fmt.Errorf("--for %q is nothing to wait for%s: write condition=NAME or one of %s", what, suggest.DidYouMean(what, known), strings.Join(known, ", "))
}

// waitFor waits for one after the other; the end of the first is no earlier than that of all.
func (s *Shell) waitFor(ctx context.Context, c *cluster, awaited []client.Object, what string, timeout time.Duration) error {
	late := errors.New("late")
	waiting := ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeoutCause(ctx, timeout, late)
		defer cancel()
	}
	var worst error
	for _, o := range awaited {
		err := s.await(waiting, c, o, what)
		var came outcome
		switch {
		case err == nil:
		case errors.As(err, &came):
			worst = worse(worst, came)
		case ctx.Err() == nil && waiting.Err() != nil:
			return outcome{codeUnfinished, fmt.Sprintf("%s is not %s after %s; it is %s", title(o), wanted(what), timeout, s.now(ctx, c, o))}
		default:
			return err
		}
	}
	return worst
}

func wanted(what string) string {
	switch what {
	case forFinished:
		return "over"
	case forDelete:
		return "deleted"
	}
	return what
}

// now is the status that something has now.
func (s *Shell) now(ctx context.Context, c *cluster, o client.Object) string {
	if c.Get(ctx, client.ObjectKeyFromObject(o), o) != nil {
		return "unknown how it stands"
	}
	return orDash(string(progressOf(o).phase))
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
func (s *Shell) await(ctx context.Context, c *cluster, o client.Object, what string) error {
	if what == forDelete {
		return s.awaitDeletion(ctx, c, o)
	}
	var end error
	err := c.watchOne(ctx, o, func(seen client.Object) (bool, error) {
		p := progressOf(seen)
		met := reached(seen, what)
		if !met && !over(seen) {
			return false, nil
		}
		fmt.Fprintf(s.Out, "%s is %s\n", title(seen), s.paint(statusColour(p.phase), string(p.phase)))
		switch {
		case what == forFinished:
			end = result(p.phase)
		case !met:
			end = outcome{max(codeError, exitCode(ctx, result(p.phase))), fmt.Sprintf("%s is over and was never %s: %s", title(seen), what, lastMessage(p))}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return end
}

func (s *Shell) awaitDeletion(ctx context.Context, c *cluster, o client.Object) error {
	err := poll(ctx, 0, func() (bool, error) {
		now := kindOf(o).new()
		err := c.Get(ctx, client.ObjectKeyFromObject(o), now)
		if apierrors.IsNotFound(err) || err == nil && now.GetUID() != o.GetUID() {
			return true, nil
		}
		return false, err
	}, nil)
	if err == nil {
		fmt.Fprintf(s.Out, "%s is deleted\n", title(o))
	}
	return err
}

// reached says whether what is waited for has come.
func reached(o client.Object, what string) bool {
	p := progressOf(o)
	if what == forFinished {
		return over(o)
	}
	if name, ok := strings.CutPrefix(what, forCondition); ok {
		name, value, given := strings.Cut(name, "=")
		if !given {
			value = string(metav1.ConditionTrue)
		}
		return slices.ContainsFunc(p.conditions, func(c metav1.Condition) bool { return c.Type == name && strings.EqualFold(string(c.Status), value) })
	}
	if p.phase.Final() && !over(o) {
		return false // what it had is of the run before
	}
	attempt := int32(0)
	if op, is := o.(*v1alpha1.Operation); is {
		attempt = op.Status.Attempt
	}
	return p.phase == v1alpha1.Status(what) || slices.ContainsFunc(p.timeline, func(e v1alpha1.TimelineEntry) bool {
		return e.Status == v1alpha1.Status(what) && attempt > 0 && e.Attempt == attempt
	})
}
