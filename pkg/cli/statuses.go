package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func newStatuses(s *Shell) *cobra.Command {
	out := s.newOutput()
	var watch bool
	cmd := &cobra.Command{
		Use:   "statuses NAME",
		Short: "Show every status that an operation or workflow has had: when, for how long, and why",
		Long: `Shows every status that an operation or workflow has had: when, for how long, and why. With --watch it goes on until the end. The exit code
tells what came of it, if it is over: 0 succeeded or skipped, 2 failed, 3 stopped.`,
		Args:              exactly("NAME"),
		ValidArgsFunction: s.completeNames(true, whatRuns...),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.cluster()
			if err != nil {
				return err
			}
			o, err := c.resolve(cmd.Context(), args[0], whatRuns...)
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
				if err := s.writeStatuses(s.Out, o, !out.noHeaders); err != nil {
					return err
				}
			}
			if over(o) {
				return result(progressOf(o).phase)
			}
			return nil
		},
	}
	out.addTo(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on until the end")
	return cmd
}

// writeStatuses writes the timeline of an operation or workflow, with a line above that says how it stands.
func (s *Shell) writeStatuses(to io.Writer, o client.Object, headers bool) error {
	if headers {
		fmt.Fprintln(to, s.standing(o))
	}
	p := progressOf(o)
	t := &table{columns: columns("STATUS", "SINCE", "FOR", "REASON", "MESSAGE")}
	for i, e := range p.timeline {
		if i > 0 && p.dropped > 0 && i == keptFirst {
			t.add("…", "", "", "", fmt.Sprintf("%d more are no longer kept", p.dropped))
		}
		t.add(statusCell(e.Status), s.clock(e.Time.Time), s.lasted(p, i), e.Reason, oneLine(e.Message))
	}
	if len(t.rows) == 0 {
		fmt.Fprintln(to, "It has no status yet: the controller has not seen it.")
		return nil
	}
	return t.write(s, to, false, headers)
}

// keptFirst is how many entries of a long timeline stand before the gap in its middle.
const keptFirst = 8

// lasted is how long an entry of a timeline was the last one. The end lasts for ever.
func (s *Shell) lasted(p progress, i int) string {
	begin, end := p.timeline[i].Time.Time, s.Now()
	switch {
	case i < len(p.timeline)-1:
		end = p.timeline[i+1].Time.Time
	case p.timeline[i].Status.Final():
		return ""
	}
	return lasting(end.Sub(begin))
}

// lasting is a duration for people; below ten seconds with a digit behind the point.
func lasting(d time.Duration) string {
	if d = max(0, d); d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return duration.HumanDuration(d)
}

// standing is how something stands, in a line.
func (s *Shell) standing(o client.Object) string {
	p := progressOf(o)
	status := p.phase
	if status == "" {
		status = "not seen yet"
	}
	text := fmt.Sprintf("%s %s in namespace %s: %s", kindOf(o).singular, o.GetName(), o.GetNamespace(), s.paint(statusColour(p.phase), string(status)))
	switch o := o.(type) {
	case *v1alpha1.Operation:
		if o.Status.Queue != "" {
			text += ", queue " + o.Status.Queue
		}
		if o.Status.Attempt > 1 {
			text += fmt.Sprintf(", attempt %d", o.Status.Attempt)
		}
	case *v1alpha1.Workflow:
		if o.Status.Progress != "" {
			text += ", " + o.Status.Progress + " done"
		}
	}
	if spent := spentOf(o, s.Now()); spent != "" {
		text += "; " + spent
	}
	return text
}

// spentOf is how long something waited in its queue and ran.
func spentOf(o client.Object, now time.Time) string {
	p := progressOf(o)
	var queued, running time.Duration
	for i, e := range p.timeline {
		end := now
		if i < len(p.timeline)-1 {
			end = p.timeline[i+1].Time.Time
		}
		switch e.Status {
		case v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable:
			queued += end.Sub(e.Time.Time)
		case v1alpha1.StatusRunning, v1alpha1.StatusUnknown, v1alpha1.StatusStopping:
			running += end.Sub(e.Time.Time)
		}
	}
	var parts []string
	if _, is := o.(*v1alpha1.Operation); is && queued > 0 {
		parts = append(parts, "waited "+lasting(queued))
	}
	if running > 0 {
		parts = append(parts, "ran "+lasting(running))
	}
	return strings.Join(parts, ", ")
}

// oneLine keeps a message from breaking a table.
func oneLine(message string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(message, "\n", " ")), " ")
}

// followStatuses shows a timeline that grows until the end: on a terminal as a table that is drawn again, elsewhere as lines.
func (s *Shell) followStatuses(ctx context.Context, c *cluster, o client.Object) error {
	if s.Size != nil {
		return s.drawStatuses(ctx, c, o)
	}
	said := 0
	var last client.Object
	err := c.watchOne(ctx, o, func(now client.Object) (bool, error) {
		last = now
		said = s.sayStatuses(now, said)
		return over(now), nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(s.Out, s.standing(last))
	return result(progressOf(last).phase)
}

// sayStatuses writes the entries of a timeline that are new, each as a line.
func (s *Shell) sayStatuses(o client.Object, said int) int {
	p := progressOf(o)
	total := len(p.timeline) + int(p.dropped)
	for i := range p.timeline {
		if place := total - len(p.timeline) + i; place < said {
			continue
		}
		e := &p.timeline[i]
		line := fmt.Sprintf("%s  %s  %-14s  %s", s.clock(e.Time.Time), s.paint(statusColour(e.Status), fmt.Sprintf("%-15s", e.Status)), e.Reason, oneLine(e.Message))
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
		ended <- c.watchOne(ctx, o, func(now client.Object) (bool, error) {
			select {
			case versions <- now:
			case <-ctx.Done():
			}
			return over(now), nil
		})
	}()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	picture := &screen{shell: s}
	draw := func() error {
		var text strings.Builder
		if err := s.writeStatuses(&text, o, true); err != nil {
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
		case <-ticker.C:
		case err := <-ended:
			if err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			return result(progressOf(o).phase)
		}
	}
}
