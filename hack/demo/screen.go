package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// screen shows pictures: each over the one before on a terminal, and what changed as lines elsewhere.
type screen struct {
	out      io.Writer
	terminal bool
	width    int
	drawn    int               // lines of the last picture
	said     map[string]string // state by operation
}

func newScreen(out *os.File) *screen {
	s := &screen{out: out, terminal: term.IsTerminal(int(out.Fd())), said: map[string]string{}}
	if s.terminal {
		s.width, _, _ = term.GetSize(int(out.Fd()))
	}
	return s
}

func (s *screen) show(p picture) {
	if s.terminal {
		s.draw(p)
		return
	}
	for _, o := range p.operations {
		if s.said[o.name] != o.state {
			s.said[o.name] = o.state
			fmt.Fprintf(s.out, "%-10s %-22s %-10s %s\n", o.queue, o.name, o.state, o.detail)
		}
	}
}

func (s *screen) draw(p picture) {
	var text bytes.Buffer
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "QUEUE\tPRIORITY\tRUNNING\tPENDING\t")
	for _, q := range p.queues {
		fmt.Fprintf(t, "%s\t%d\t%s\t%d\t%s\n", q.Name, ptr.Deref(q.Spec.Priority, -1), occupied(q), q.Status.Pending, bar(q))
	}
	fmt.Fprintln(t)
	fmt.Fprintln(t, "QUEUE\tOPERATION\tSTATE\t")
	for _, o := range p.operations {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", o.queue, o.name, o.state, o.detail)
	}
	t.Flush()
	lines := strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
	if s.drawn > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA", s.drawn)
	}
	for _, line := range lines {
		if s.width > 0 && len(line) >= s.width {
			line = line[:s.width-1]
		}
		fmt.Fprintf(s.out, "\x1b[2K%s\n", line)
	}
	fmt.Fprint(s.out, "\x1b[J")
	s.drawn = len(lines)
}

func occupied(q v1alpha1.Queue) string {
	if q.Spec.Concurrency == nil {
		return fmt.Sprint(q.Status.Admitted)
	}
	return fmt.Sprintf("%d/%d", q.Status.Admitted, *q.Spec.Concurrency)
}

func bar(q v1alpha1.Queue) string {
	return strings.Repeat("#", int(q.Status.Admitted)) + strings.Repeat(".", int(q.Status.Pending))
}
