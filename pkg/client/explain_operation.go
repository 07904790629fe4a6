package client

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// workflowFull is the reason of what its workflows have not let go yet.
const workflowFull = "WorkflowFull"

// notSeen is the summary of what has no status.
const notSeen = "has not been seen by the controller yet: does queueyard-controller run?"

// explainOperation goes through the gates of an operation: what people want of it, its pause, its workflows, its queue.
func (c *Client) explainOperation(ctx context.Context, x *Explanation, op *v1alpha1.Operation) {
	phase, last := op.Status.Phase, ProgressOf(op).LastMessage()
	waits := waitingOf(op)
	x.Queue = cmp.Or(op.Status.Queue, op.Spec.Queue)
	x.people(op, op.Spec.DesiredState, op.Spec.Approved)
	switch {
	case Over(op):
		x.Summary = fmt.Sprintf("does not wait: it is over, %s", phase)
		if !strings.EqualFold(last, string(phase)) { // it says more than that
			x.Summary += ". " + last
		}
		return
	case phase.Final():
		x.Summary = "has ended and is about to run again"
		return
	case phase == "":
		x.Summary = notSeen
		return
	case phase == v1alpha1.StatusOnSchedule:
		x.Summary = "is held until it is approved"
		return
	case phase == v1alpha1.StatusStopping:
		x.Summary = "is being stopped: " + last
		c.stopping(ctx, x, op)
		return
	case phase == v1alpha1.StatusRetrying:
		x.closed(PauseGate, "pauses before the next attempt")
		if until := op.Status.RetryTime; until != nil {
			x.Gates[len(x.Gates)-1].Until = &metav1.Time{Time: until.Time}
		}
		x.Summary = "waits before it is tried again: " + last
		return
	}
	if workflow := op.Labels[v1alpha1.WorkflowLabel]; workflow != "" {
		if waits != nil && waits.Reason == workflowFull {
			x.closed(WorkflowGate, "%s", waits.Message)
			x.Reason, x.Summary = waits.Reason, "waits for its workflow"
			return
		}
		if phase != v1alpha1.StatusQueued || waits != nil {
			x.passed(WorkflowGate, "workflow %s has let it go", workflow)
		}
	}
	if agent := AgentOf(op); agent != "" {
		c.explainRemote(ctx, x, op, agent, waits)
		return
	}
	c.explainQueued(ctx, x, op, waits)
}

// stopping adds what of an operation is not at its end.
func (c *Client) stopping(ctx context.Context, x *Explanation, op *v1alpha1.Operation) {
	pods, err := c.Pods(ctx, op)
	if err != nil {
		return
	}
	for i := range pods {
		pod := &pods[i]
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		x.closed(NodeGate, "pod %s has not ended yet, on node %s", pod.Name, cmp.Or(pod.Spec.NodeName, "none"))
		x.deleted(pod)
	}
}

// waitingOf is the condition that says why an operation waits; nil if it does not.
func waitingOf(op *v1alpha1.Operation) *metav1.Condition {
	c := meta.FindStatusCondition(op.Status.Conditions, v1alpha1.WaitingCondition)
	if c != nil && c.Status != metav1.ConditionFalse {
		return nil
	}
	return c
}

// people adds the gates that people open and close.
func (x *Explanation) people(o client.Object, desired v1alpha1.DesiredState, approved *bool) {
	if desired == v1alpha1.Stopped {
		x.closed(DesiredGate, "its desiredState is Stopped: qy resume %s lets it go on", Title(o))
	}
	switch {
	case approved == nil:
	case *approved:
		x.passed(ApprovalGate, "approved by %s", cmp.Or(o.GetAnnotations()[v1alpha1.ApprovedByAnnotation], "somebody"))
	default:
		x.closed(ApprovalGate, "nobody has approved it: qy approve %s", Title(o))
	}
}

// explainRemote says what the hub knows of what is in another cluster.
func (c *Client) explainRemote(ctx context.Context, x *Explanation, op *v1alpha1.Operation, agent string, waits *metav1.Condition) {
	x.Agent = agent
	x.passed(AgentGate, "assigned to agent %s, in another cluster", agent)
	if op.Status.Phase == v1alpha1.StatusQueued || op.Status.Phase == v1alpha1.StatusUnschedulable {
		x.Summary = "waits in queue " + op.Status.Queue + " of agent " + agent
		x.waits(waits)
	} else {
		x.Summary = fmt.Sprintf("does not wait: it is %s at agent %s", op.Status.Phase, agent)
	}
	x.Notes = append(x.Notes, fmt.Sprintf("The limits there, and who holds them, say qy why %s -n %s in the cluster of agent %s; qy agents describe %s says how that is.",
		op.Status.Run.Name, c.NamespaceAt(ctx, agent, op), agent, agent))
}

// waits adds what the condition says, where nothing says more.
func (x *Explanation) waits(why *metav1.Condition) {
	if why == nil {
		return
	}
	kind := QueueGate
	if refused(why.Reason) {
		kind = FactGate
	}
	x.closed(kind, "%s", why.Message)
	x.Reason = why.Reason
	x.Summary += ": " + why.Reason
}

// refused says of a reason that the API server does not take what something is to run as.
func refused(reason string) bool {
	switch reason {
	case v1alpha1.ReasonResourceQuotaExceeded, v1alpha1.ReasonNamespaceTerminating, v1alpha1.ReasonFailedCreate:
		return true
	}
	return false
}

// NamespaceAt is where an operation runs in the cluster of an agent.
func (c *Client) NamespaceAt(ctx context.Context, agent string, op *v1alpha1.Operation) string {
	a := &v1alpha1.Agent{}
	if err := c.Objects.Get(ctx, client.ObjectKey{Name: agent}, a); err == nil && a.Spec.Namespace != "" {
		return a.Spec.Namespace
	}
	return op.Namespace
}

// explainQueued goes through the limits of the queue.
func (c *Client) explainQueued(ctx context.Context, x *Explanation, op *v1alpha1.Operation, waits *metav1.Condition) {
	phase, queue := op.Status.Phase, op.Status.Queue
	said := false
	if run := op.Status.Run; run != nil && run.Kind == "Pod" {
		said = c.explainLine(ctx, x, "/namespaces/"+run.Namespace+"/pods/"+run.Name+"/explanation")
	} else if run != nil {
		said = c.explainLine(ctx, x, "/namespaces/"+run.Namespace+"/operations/"+run.Name+"/explanation", "operationKind", run.Kind)
	}
	switch phase {
	case v1alpha1.StatusUnschedulable:
		if !said {
			x.closed(NodeGate, "%s", ProgressOf(op).LastMessage())
		}
		x.Summary = noNode(queue)
	case v1alpha1.StatusQueued:
		if said {
			return
		}
		x.Summary = "waits in queue " + queue
		x.waits(waits)
		switch {
		case waits != nil && refused(waits.Reason):
			x.Notes, x.Unanswered = nil, nil
		case waits != nil && x.Unanswered == nil:
			x.Notes = []string{"It has no pod in the line yet: only operations near its head do."}
		}
	case v1alpha1.StatusUnknown:
		x.closed(NodeGate, "%s", ProgressOf(op).LastMessage())
		x.Summary = "has a node and is not heard of"
	case v1alpha1.StatusWarning:
		x.closed(NodeGate, "%s", ProgressOf(op).LastMessage())
		x.Summary = "has a node and does not start"
	default:
		x.Summary = fmt.Sprintf("does not wait: it is %s, in queue %s", phase, queue)
	}
}
