package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// workflowFull is the reason of what its workflows have not let go yet.
const workflowFull = "WorkflowFull"

// whyOperation goes through the gates of an operation: what people want of it, its pause, its workflows, its queue.
func (s *Shell) whyOperation(ctx context.Context, c *cluster, r *reasons, op *v1alpha1.Operation) {
	phase, last := op.Status.Phase, lastMessage(progressOf(op))
	waits := meta.FindStatusCondition(op.Status.Conditions, v1alpha1.WaitingCondition)
	if waits != nil && waits.Status != metav1.ConditionFalse {
		waits = nil
	}
	s.wanted(r, op, op.Spec.DesiredState, op.Spec.Approved, op.Annotations[v1alpha1.ApprovedByAnnotation])
	switch {
	case over(op):
		r.Summary = fmt.Sprintf("does not wait: it is over, %s. %s", phase, last)
		return
	case phase.Final():
		r.Summary = "has ended and is about to run again"
		return
	case phase == "":
		r.Summary = "has not been seen by the controller yet: does queueyard-controller run?"
		return
	case phase == v1alpha1.StatusOnSchedule:
		r.Summary = "is held until it is approved"
		return
	case phase == v1alpha1.StatusStopping:
		r.Summary = "is being stopped: " + last
		return
	case phase == v1alpha1.StatusRetrying:
		until := ""
		if op.Status.RetryTime != nil {
			until = " until " + s.clock(op.Status.RetryTime.Time)
		}
		r.closed("pauses%s before the next attempt", until)
		r.Summary = "waits before it is tried again: " + last
		return
	}
	if workflow := op.Labels[v1alpha1.WorkflowLabel]; workflow != "" {
		if waits != nil && waits.Reason == workflowFull {
			r.closed("%s", waits.Message)
			r.Summary = "waits for its workflow"
			return
		}
		if phase != v1alpha1.StatusQueued || waits != nil {
			r.passed("workflow %s has let it go", workflow)
		}
	}
	if agent := agentOf(op); agent != "" {
		s.whyRemote(ctx, c, r, op, agent, waits)
		return
	}
	s.whyQueued(ctx, c, r, op, waits)
}

// wanted are the gates that people open and close.
func (s *Shell) wanted(r *reasons, o client.Object, desired v1alpha1.DesiredState, approved *bool, by string) {
	if desired == v1alpha1.Stopped {
		r.closed("its desiredState is Stopped: qy resume %s lets it go on", title(o))
	}
	if approved == nil {
		return
	}
	if *approved {
		r.passed("approved by %s", cmp.Or(by, "somebody"))
	} else {
		r.closed("nobody has approved it: qy approve %s", title(o))
	}
}

// whyRemote says what the hub knows of what is in another cluster.
func (s *Shell) whyRemote(ctx context.Context, c *cluster, r *reasons, op *v1alpha1.Operation, agent string, waits *metav1.Condition) {
	r.passed("assigned to agent %s, in another cluster", agent)
	if op.Status.Phase == v1alpha1.StatusQueued || op.Status.Phase == v1alpha1.StatusUnschedulable {
		r.Summary = "waits in queue " + op.Status.Queue + " of agent " + agent
		if waits != nil {
			r.closed("%s", waits.Message)
			r.Summary += ": " + waits.Reason
		}
	} else {
		r.Summary = fmt.Sprintf("does not wait: it is %s at agent %s", op.Status.Phase, agent)
	}
	r.Notes = append(r.Notes, fmt.Sprintf("The limits there, and who holds them, say qy why %s -n %s in the cluster of agent %s; qy agents describe %s says how that is.",
		op.Status.Run.Name, c.namespaceAt(ctx, agent, op), agent, agent))
}

// namespaceAt is where an operation runs in the cluster of an agent.
func (c *cluster) namespaceAt(ctx context.Context, agent string, op *v1alpha1.Operation) string {
	a := &v1alpha1.Agent{}
	if err := c.Get(ctx, client.ObjectKey{Name: agent}, a); err == nil && a.Spec.Namespace != "" {
		return a.Spec.Namespace
	}
	return op.Namespace
}

// whyQueued goes through the limits of the queue.
func (s *Shell) whyQueued(ctx context.Context, c *cluster, r *reasons, op *v1alpha1.Operation, waits *metav1.Condition) {
	phase, queue := op.Status.Phase, op.Status.Queue
	said := false
	if run := op.Status.Run; run != nil && run.Kind == "Pod" {
		said = s.explained(ctx, c, r, "/namespaces/"+run.Namespace+"/pods/"+run.Name+"/explanation")
	} else if run != nil {
		said = s.explained(ctx, c, r, "/namespaces/"+run.Namespace+"/operations/"+op.Name+"/explanation", "operationKind", "Operation")
	}
	switch phase {
	case v1alpha1.StatusUnschedulable:
		if !said {
			r.closed("no node fits: %s", lastMessage(progressOf(op)))
		}
		r.Summary = "has room in queue " + queue + " and no node fits it: ask for less, or add nodes"
	case v1alpha1.StatusQueued:
		if said {
			return
		}
		r.Summary = "waits in queue " + queue
		if waits != nil {
			r.closed("%s", waits.Message)
			r.Summary += ": " + waits.Reason
			r.Notes = []string{"It has no pod in the line yet: only operations near its head do."}
		}
	case v1alpha1.StatusWarning:
		r.closed("%s", lastMessage(progressOf(op)))
		r.Summary = "has a node and does not start"
	default:
		r.Summary = fmt.Sprintf("does not wait: it is %s, in queue %s", phase, queue)
	}
}

// waitingChildren are operations of a workflow that wait for the same reason.
type waitingChildren struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
	// Example is one of them, and Message what it says.
	Example string `json:"example"`
	Message string `json:"message,omitempty"`
}

func (s *Shell) whyWorkflow(ctx context.Context, c *cluster, r *reasons, w *v1alpha1.Workflow) error {
	s.wanted(r, w, w.Spec.DesiredState, w.Spec.Approved, w.Annotations[v1alpha1.ApprovedByAnnotation])
	if over(w) {
		r.Summary = fmt.Sprintf("does not wait: it is over, %s. %s", w.Status.Phase, lastMessage(progressOf(w)))
		return nil
	}
	r.Summary = string(w.Status.Phase)
	if w.Status.Phase == "" {
		r.Summary = "has not been seen by the controller yet: does queueyard-controller run?"
		return nil
	}
	r.Summary = "is " + r.Summary
	if w.Status.Progress != "" {
		r.Summary += ", " + w.Status.Progress + " done: " + childCounts(w.Status.Children)
	}
	below, err := c.below(ctx, w)
	if err != nil {
		return err
	}
	if n := w.Spec.Concurrency; n != nil && *n >= 0 {
		flying := 0
		for _, o := range below.operations {
			if inFlight(o) {
				flying++
			}
		}
		text := fmt.Sprintf("workflow %s: %d/%d operations in queues or running", w.Name, flying, *n)
		r.Gates = append(r.Gates, gate{flying < int(*n), text})
	}
	r.Children = groupWaiting(below.operations)
	return nil
}

// inFlight: released to its queue, and not at its end.
func inFlight(o *v1alpha1.Operation) bool {
	switch o.Status.Phase {
	case "", v1alpha1.StatusCreated, v1alpha1.StatusCompiled, v1alpha1.StatusOnSchedule, v1alpha1.StatusRetrying, v1alpha1.StatusResuming:
		return false
	case v1alpha1.StatusQueued:
		c := meta.FindStatusCondition(o.Status.Conditions, v1alpha1.WaitingCondition)
		return c == nil || c.Reason != workflowFull
	}
	return !o.Status.Phase.Final()
}

// groupWaiting counts what waits by reason, the most first.
func groupWaiting(operations []*v1alpha1.Operation) []waitingChildren {
	groups := map[string]*waitingChildren{}
	for _, o := range operations {
		var reason, message string
		switch o.Status.Phase {
		case v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable, v1alpha1.StatusOnSchedule, v1alpha1.StatusRetrying, v1alpha1.StatusWarning:
			if n := len(o.Status.Timeline); n > 0 {
				reason, message = o.Status.Timeline[n-1].Reason, o.Status.Timeline[n-1].Message
			}
			if c := meta.FindStatusCondition(o.Status.Conditions, v1alpha1.WaitingCondition); c != nil && c.Status == metav1.ConditionFalse {
				reason, message = c.Reason, c.Message
			}
		default:
			continue
		}
		if groups[reason] == nil {
			groups[reason] = &waitingChildren{Reason: reason, Example: o.Name, Message: message}
		}
		groups[reason].Count++
	}
	out := make([]waitingChildren, 0, len(groups))
	for _, reason := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, *groups[reason])
	}
	slices.SortStableFunc(out, func(a, b waitingChildren) int { return cmp.Compare(b.Count, a.Count) })
	return out
}
