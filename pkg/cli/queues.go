package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

func newQueues(s *Shell) *cobra.Command {
	k := &collection[*v1alpha1.Queue]{
		kind: queueKind, new: func() *v1alpha1.Queue { return &v1alpha1.Queue{} },
		columns: append(columns("NAME", "PRIORITY", "RUNNING", "PENDING", "OLDEST", "STATE", "READY", "AGENT", "AGE"),
			wide("WAITING", "GUARANTEED", "STRATEGY", "PREEMPTION", "QUOTA", "COST/H")...),
		row:       s.queueRow,
		describes: "Show a queue: its limits, what it holds, and the head of its line", describe: s.describeQueue,
	}
	return k.command(s, "The lines: list, describe, create, edit-limits, pause, drain, open, delete", []string{"queue"},
		newQueuesCreate(s), newQueuesEditLimits(s), newQueuesDelete(s),
		newQueuesState(s, v1alpha1.QueuePaused, "pause", "Admit nothing more; what comes is kept, what runs goes on", "is paused: it accepts operations and admits none; what runs goes on"),
		newQueuesState(s, v1alpha1.QueueDraining, "drain", "Accept nothing more; what waits is still admitted", "drains: it accepts no new operations and still admits what waits"),
		newQueuesState(s, v1alpha1.QueueOpen, "open", "Accept and admit operations", "is open: it accepts and admits operations"))
}

func (s *Shell) queueRow(q *v1alpha1.Queue) []cell {
	oldest, waiting, quota := "", "", ""
	if q.Status.OldestPending != nil {
		oldest = s.since(q.Status.OldestPending.Time)
	}
	if q.Status.Operations != nil {
		waiting = fmt.Sprint(q.Status.Operations.Waiting)
	}
	if q.Spec.Quota != nil {
		quota = resources(q.Spec.Quota.Resources)
	}
	return row(q.Name, level(q.Spec.Priority), of(q.Status.Admitted, q.Spec.Concurrency), fmt.Sprint(q.Status.Pending), oldest, queueState(q),
		condition(q.Status.Conditions, v1alpha1.ReadyCondition), strings.Join(tenancy.InfoOf(q).Agents, ","), s.since(q.CreationTimestamp.Time),
		waiting, fmt.Sprint(q.Spec.Guaranteed), string(q.Spec.Strategy), string(q.Spec.Preemption), quota, q.Status.CostRate)
}

func queueState(q *v1alpha1.Queue) cell {
	switch {
	case q.DeletionTimestamp != nil:
		return cell{"Deleting", yellow}
	case q.Spec.State == "", q.Spec.State == v1alpha1.QueueOpen:
		return cell{string(v1alpha1.QueueOpen), plain}
	}
	return cell{string(q.Spec.State), yellow}
}

func (s *Shell) describeQueue(ctx context.Context, c *cluster, q *v1alpha1.Queue) error {
	var f facts
	state := queueState(q)
	f.add("Queue", q.Name)
	addAgents(&f, q)
	f.add("State", s.paint(state.colour, state.text))
	f.add("Ready", s.conditionText(q.Status.Conditions, v1alpha1.ReadyCondition))
	f.add("Priority", level(q.Spec.Priority))
	f.add("Concurrency", limit(q.Spec.Concurrency))
	if q.Spec.Guaranteed > 0 {
		f.add("Guaranteed", count(int(q.Spec.Guaranteed), "seat", "seats"))
	}
	f.add("Strategy", string(q.Spec.Strategy))
	f.add("Preemption", string(q.Spec.Preemption))
	f.add("Operations", fmt.Sprintf("%d admitted, of which %d on nodes; %d pending", q.Status.Admitted, q.Status.Running, q.Status.Pending))
	if q.Status.Operations != nil {
		f.add("Waiting", fmt.Sprintf("%d of kind Operation, with or without a pod", q.Status.Operations.Waiting))
	}
	f.write(s)
	if err := s.usage(q.Status.Usage, q.Status.CostRate, q.Spec.Quota, q.Status.Budget); err != nil {
		return err
	}
	if q.Status.Withheld != "" {
		fmt.Fprintf(s.Out, "\nOf its limits %s.\n", q.Status.Withheld)
	}
	return s.line(ctx, c, q.Name)
}

// addAgents tells who serves a queue; of several, in which order, and what each has of it.
func addAgents(f *facts, q *v1alpha1.Queue) {
	if !tenancy.Several(q) {
		f.add("Agent", tenancy.InfoOf(q).Agent)
		return
	}
	order := "the first that has a free seat"
	if q.Spec.Routing == v1alpha1.RouteMostFree {
		order = "the one with the most free seats"
	}
	f.add("Agents", strings.Join(q.Spec.Agents, ", ")+" ("+order+")")
	for i := range q.Status.Agents {
		a := &q.Status.Agents[i]
		f.add("  "+a.Agent, fmt.Sprintf("%d admitted, of which %d on nodes; %d pending", a.Admitted, a.Running, a.Pending))
	}
	share := func(name string, is *v1alpha1.Share) {
		if is.Concurrency != nil {
			f.add("  share", fmt.Sprintf("%s: %s", name, count(int(*is.Concurrency), "operation", "operations")))
		}
	}
	if q.Status.Local != nil {
		share("this cluster", q.Status.Local)
	}
	for i := range q.Status.Shares {
		share("agent "+q.Status.Shares[i].Agent, &q.Status.Shares[i].Share)
	}
}

// headOfLine is how many operations of a line are shown.
const headOfLine = 10

// line shows who is next in a queue.
func (s *Shell) line(ctx context.Context, c *cluster, queue string) error {
	page, err := c.queueyard.Line(ctx, queue, headOfLine, "")
	switch {
	case errors.Is(err, queueyard.ErrNoLeader):
		fmt.Fprintln(s.Out, "\nWho is next can't be told: no scheduler of Queueyard leads.")
		return nil
	case err != nil:
		fmt.Fprintf(s.Out, "\nWho is next can't be told: %s\n", s.explain(err))
		return nil
	case len(page.Items) == 0:
		fmt.Fprintln(s.Out, "\nNothing waits in its line.")
		return nil
	}
	fmt.Fprintf(s.Out, "\nNext of %s in its line:\n", count(int(page.Waiting), "pod", "pods"))
	t := &table{columns: columns("POSITION", "NAMESPACE", "KIND", "NAME", "PODS", "PRIORITY", "AGE", "WHY")}
	for i := range page.Items {
		o := &page.Items[i]
		position := fmt.Sprint(o.Position)
		if o.Position == 0 {
			position = "never"
		}
		t.add(position, o.Namespace, o.Kind, o.Name, fmt.Sprint(o.Pods), fmt.Sprint(o.Priority), s.since(o.CreationTimestamp.Time), o.Message)
	}
	return t.indented(s, s.Out)
}
