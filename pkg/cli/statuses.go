package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	queueyard "github.com/queueyard/queueyard/pkg/client"
)

func newStatuses(s *Shell) *cobra.Command {
	out := s.newOutput()
	var watch bool
	cmd := &cobra.Command{
		Use:   "statuses NAME",
		Short: "Show every status that an operation or workflow has had: when, for how long, and why",
		Long: `Shows every status that an operation or workflow has had: when, for how long, and why. With --watch it goes on until the end. The exit code
tells what came of it, if it is over: 0 succeeded or skipped, 2 failed, 3 stopped.

Pods and Jobs in queues are written pod/NAME and job/NAME where an operation has the name, too. Since when a Job runs its pods tell.`,
		Args:              exactly("NAME"),
		ValidArgsFunction: s.completeNames(true, whatWaits...),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.cluster()
			if err != nil {
				return err
			}
			o, err := c.resolve(cmd.Context(), args[0], whatWaits...)
			if err != nil {
				return err
			}
			switch _, own := out.own(); {
			case !own:
				if err := out.object(o); err != nil {
					return err
				}
			case watch:
				return s.followStatuses(cmd.Context(), c, o)
			default:
				if err := s.writeStatuses(s.Out, queueyard.TimelineOf(o, s.Now(), c.queueyard.JobPods(cmd.Context(), o)...), !out.noHeaders); err != nil {
					return err
				}
			}
			if queueyard.Over(o) {
				return result(queueyard.ProgressOf(o).Phase)
			}
			return nil
		},
	}
	out.addTo(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on until the end")
	return cmd
}

// writeStatuses writes a timeline, with a line above that says how it stands.
func (s *Shell) writeStatuses(to io.Writer, line *queueyard.Timeline, headers bool) error {
	if headers {
		fmt.Fprintln(to, s.standing(line))
	}
	t := &table{columns: columns("STATUS", "SINCE", "FOR", "REASON", "MESSAGE")}
	for i, e := range line.Entries {
		if line.Dropped > 0 && i == line.Gap {
			t.add("…", "", "", "", fmt.Sprintf("%d more are no longer kept", line.Dropped))
		}
		lasted := ""
		if i < len(line.Entries)-1 || !e.Status.Final() {
			lasted = lasting(time.Duration(e.For))
		}
		t.add(statusCell(e.Status), s.clock(e.Time.Time), lasted, e.Reason, queueyard.OneLine(e.Message))
	}
	if len(t.rows) == 0 {
		fmt.Fprintln(to, "It has no status yet: the controller has not seen it.")
		return nil
	}
	return t.write(s, to, false, headers)
}

// lasting is a duration for people; below ten seconds with a digit behind the point.
func lasting(d time.Duration) string {
	if d = max(0, d); d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return duration.HumanDuration(d)
}

// standing is how something stands, in a line.
func (s *Shell) standing(t *queueyard.Timeline) string {
	status := t.Phase
	if status == "" {
		status = "not seen yet"
	}
	text := fmt.Sprintf("%s %s in namespace %s: %s", t.Kind, t.Name, t.Namespace, s.paint(statusColour(t.Phase), string(status)))
	if t.Kind == operationKind.singular && t.Queue != "" {
		text += ", queue " + t.Queue
	}
	if t.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", t.Attempt)
	}
	if t.Progress != "" {
		text += ", " + t.Progress + " done"
	}
	if spent := spent(t.Queued, t.Running); spent != "" {
		text += "; " + spent
	}
	return text
}

// spent is how long something waited in its queue and ran.
func spent(queued, running queueyard.Seconds) string {
	var parts []string
	if queued > 0 {
		parts = append(parts, "waited "+lasting(time.Duration(queued)))
	}
	if running > 0 {
		parts = append(parts, "ran "+lasting(time.Duration(running)))
	}
	return strings.Join(parts, ", ")
}

// followStatuses shows a timeline that grows until the end: on a terminal as a table that is drawn again, elsewhere as lines.
func (s *Shell) followStatuses(ctx context.Context, c *cluster, o client.Object) error {
	if s.Size != nil {
		return s.drawStatuses(ctx, c, o)
	}
	said := 0
	var pods []*corev1.Pod
	for now, err := range c.queueyard.Versions(ctx, o) {
		if err != nil {
			return err
		}
		o, pods = now, c.queueyard.JobPods(ctx, now)
		said = s.sayStatuses(queueyard.ProgressOf(o, pods...), said)
	}
	fmt.Fprintln(s.Out, s.standing(queueyard.TimelineOf(o, s.Now(), pods...)))
	return result(queueyard.ProgressOf(o).Phase)
}

// sayStatuses writes the entries of a timeline that are new, each as a line.
func (s *Shell) sayStatuses(p queueyard.Progress, said int) int {
	total := len(p.Timeline) + int(p.Dropped)
	for i := range p.Timeline {
		if place := total - len(p.Timeline) + i; place < said {
			continue
		}
		e := &p.Timeline[i]
		line := fmt.Sprintf("%s  %s  %-14s  %s", s.clock(e.Time.Time), s.paint(statusColour(e.Status), fmt.Sprintf("%-15s", e.Status)), e.Reason, queueyard.OneLine(e.Message))
		fmt.Fprintln(s.Out, strings.TrimRight(line, " "))
	}
	return max(said, total)
}

// drawStatuses draws the timeline at each change, and each second as its last entry grows older.
func (s *Shell) drawStatuses(ctx context.Context, c *cluster, o client.Object) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	versions, ended := make(chan client.Object), make(chan error, 1)
	go func() {
		for now, err := range c.queueyard.Versions(ctx, o) {
			if err != nil {
				ended <- err
				return
			}
			select {
			case versions <- now:
			case <-ctx.Done():
			}
		}
		ended <- nil
	}()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	picture, pods := &screen{shell: s}, c.queueyard.JobPods(ctx, o)
	draw := func() error {
		var text strings.Builder
		if err := s.writeStatuses(&text, queueyard.TimelineOf(o, s.Now(), pods...), true); err != nil {
			return err
		}
		picture.draw(text.String())
		return nil
	}
	for {
		if err := draw(); err != nil {
			return err
		}
		select {
		case o = <-versions:
			pods = c.queueyard.JobPods(ctx, o)
		case <-ticker.C:
		case err := <-ended:
			if err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			return result(queueyard.ProgressOf(o).Phase)
		}
	}
}
