package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	visibility "github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
)

// Explanation is why something stands where it stands.
type Explanation struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Summary says it in words that follow the name: "waits in queue gpu, position 3 of 7: QueueFull".
	Summary string `json:"summary"`
	// Reason of the wait, as in the condition; empty: it does not wait for a limit.
	Reason string `json:"reason,omitempty"`
	// State is where its pod stands, where the scheduler said so.
	State visibility.State `json:"state,omitempty"`
	Queue string           `json:"queue,omitempty"`
	Agent string           `json:"agent,omitempty"`
	// Gates in the order in which they are passed.
	Gates []Gate `json:"gates,omitempty"`
	// Position from 1 among Waiting pods in the queue's line.
	Position int32 `json:"position,omitempty"`
	Waiting  int32 `json:"waiting,omitempty"`
	// OperationsAbove wait in queues of higher priority of the agent.
	OperationsAbove int32 `json:"operationsAbove,omitempty"`
	// Holders of the room of the limit that blocks.
	Holders        *visibility.Holders        `json:"holders,omitempty"`
	EstimatedStart *visibility.EstimatedStart `json:"estimatedStart,omitempty"`
	// Children of a workflow that wait, by reason.
	Children []WaitingChildren `json:"children,omitempty"`
	// Notes say what else there is to know.
	Notes []string `json:"notes,omitempty"`
	// Unanswered is why the limits can't be told; ErrNoLeader, say.
	Unanswered error `json:"-"`
}

// GateKind is what stands before something.
type GateKind string

// The kinds of gates.
const (
	// DesiredGate is closed while somebody wants it stopped, ApprovalGate until somebody approves it.
	DesiredGate  GateKind = "Desired"
	ApprovalGate GateKind = "Approval"
	// PauseGate is closed until the pause before the next attempt is over.
	PauseGate GateKind = "Pause"
	// SuspendGate is spec.suspend of a Job, SchedulingGate one on a pod.
	SuspendGate    GateKind = "Suspend"
	SchedulingGate GateKind = "SchedulingGate"
	// WorkflowGate is closed while the workflows around it do not let it go.
	WorkflowGate GateKind = "Workflow"
	// AgentGate: it has been handed to an agent of another cluster.
	AgentGate GateKind = "Agent"
	// QueueGate is closed while it may not have the queue that it names, or while the queue says why only in a sentence.
	QueueGate GateKind = "Queue"
	// LimitGate is a limit with numbers.
	LimitGate GateKind = "Limit"
	// FactGate is what besides limits keeps it waiting: a queue that is paused, a budget that is used up.
	FactGate GateKind = "Fact"
	// NodeGate is closed while no node fits, or while it does not start on its node.
	NodeGate GateKind = "Node"
)

// Gate is something that has to be passed.
type Gate struct {
	Kind GateKind `json:"kind"`
	OK   bool     `json:"ok"`
	// Message says it with its numbers.
	Message string `json:"message"`
	// Limit has the numbers of a LimitGate, and of a WorkflowGate of a workflow.
	Limit *visibility.Check `json:"limit,omitempty"`
	// Until a PauseGate is closed; the message leaves it out.
	Until *metav1.Time `json:"until,omitempty"`
}

// Text is the message, with times as the reader's clock writes them.
func (g Gate) Text(clock func(time.Time) string) string {
	if g.Until == nil {
		return g.Message
	}
	return fmt.Sprintf("pauses until %s before the next attempt", clock(g.Until.Time))
}

func (x *Explanation) passed(kind GateKind, format string, args ...any) {
	x.Gates = append(x.Gates, Gate{Kind: kind, OK: true, Message: fmt.Sprintf(format, args...)})
}

func (x *Explanation) closed(kind GateKind, format string, args ...any) {
	x.Gates = append(x.Gates, Gate{Kind: kind, Message: fmt.Sprintf(format, args...)})
}

// Blocking are the gates that are closed.
func (x *Explanation) Blocking() []Gate {
	var closed []Gate
	for _, g := range x.Gates {
		if !g.OK {
			closed = append(closed, g)
		}
	}
	return closed
}

// Explain goes through every gate before an operation, workflow, Job or pod, as it is at hand.
func (c *Client) Explain(ctx context.Context, o client.Object) (*Explanation, error) {
	x := &Explanation{Kind: KindOf(o), Namespace: o.GetNamespace(), Name: o.GetName()}
	switch o := o.(type) {
	case *v1alpha1.Operation:
		c.explainOperation(ctx, x, o)
	case *v1alpha1.Workflow:
		return x, c.explainWorkflow(ctx, x, o)
	case *batchv1.Job:
		c.explainJob(ctx, x, o)
	case *corev1.Pod:
		c.explainPod(ctx, x, o)
	default:
		return nil, fmt.Errorf("%T %s stands in no queue: operations, workflows, Jobs and pods do", o, o.GetName())
	}
	x.deleted(o)
	return x, nil
}

// deleted notes who keeps something that is being deleted.
func (x *Explanation) deleted(o client.Object) {
	if o.GetDeletionTimestamp() != nil && len(o.GetFinalizers()) > 0 {
		x.Notes = append(x.Notes, fmt.Sprintf("%s is being deleted, and stays until its finalizers are taken off by whom they are of: %s.", Title(o), strings.Join(o.GetFinalizers(), ", ")))
	}
}

// starting adds what keeps the pods of something from starting on their nodes.
func (x *Explanation) starting(pods []corev1.Pod) {
	if x.State != visibility.Running {
		return
	}
	for i := range pods {
		for _, s := range slices.Concat(pods[i].Status.InitContainerStatuses, pods[i].Status.ContainerStatuses) {
			if w := s.State.Waiting; w != nil && w.Message != "" {
				x.Reason, x.Summary = w.Reason, "has a node and does not start: "+w.Reason
				x.closed(NodeGate, "container %s of pod %s: %s", s.Name, pods[i].Name, OneLine(w.Message))
				return
			}
		}
	}
}

func (c *Client) explainJob(ctx context.Context, x *Explanation, job *batchv1.Job) {
	if p := ProgressOf(job); p.Phase.Final() {
		x.Summary = "is over: " + string(p.Phase)
		return
	}
	suspended := ptr.Deref(job.Spec.Suspend, false)
	if suspended {
		x.closed(SuspendGate, "spec.suspend of the Job is true, so it has no pods")
		if queue := job.Labels[v1alpha1.KueueLabel]; queue != "" {
			x.Notes = append(x.Notes, fmt.Sprintf("Its label %s=%s has Kueue suspend it, until Kueue's own queue admits it; here it can stand in line only after that.", v1alpha1.KueueLabel, queue))
		}
	}
	seen := c.explainLine(ctx, x, "/namespaces/"+job.Namespace+"/operations/"+job.Name+"/explanation", "operationKind", "Job")
	if pods, err := c.Pods(ctx, job); err == nil {
		x.starting(pods)
	}
	if why := c.refusedPods(ctx, job); why != "" && !seen {
		x.closed(FactGate, "its pods are refused: %s", OneLine(why))
		x.Reason, x.Summary = v1alpha1.ReasonFailedCreate, "has no pods: "+v1alpha1.ReasonFailedCreate
		x.Notes = nil
		return
	}
	if by := job.Spec.Template.Spec.SchedulerName; !seen && x.Unanswered == nil && !suspended && by != v1alpha1.SchedulerName {
		x.Notes = append(x.Notes, fmt.Sprintf("Its pod template leaves the pods to scheduler %s: create it anew in a namespace that is labelled %s=true, or with schedulerName: %s in the template.",
			cmp.Or(by, corev1.DefaultSchedulerName), v1alpha1.ManagedLabel, v1alpha1.SchedulerName))
	}
}

// refusedPods is what the API server last said to the Job controller, if it has taken no pod since; empty too where the reader may not
// see events.
func (c *Client) refusedPods(ctx context.Context, job *batchv1.Job) string {
	events := &corev1.EventList{}
	if c.Objects.List(ctx, events, client.InNamespace(job.Namespace), client.MatchingFields{"involvedObject.uid": string(job.UID)}) != nil {
		return ""
	}
	var last *corev1.Event
	for i := range events.Items {
		if e := &events.Items[i]; last == nil || last.LastTimestamp.Before(&e.LastTimestamp) {
			last = e
		}
	}
	if last == nil || last.Reason != v1alpha1.ReasonFailedCreate {
		return ""
	}
	return last.Message
}

func (c *Client) explainPod(ctx context.Context, x *Explanation, pod *corev1.Pod) {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		x.Summary = "is over: " + strings.ToLower(string(pod.Status.Phase))
		return
	}
	for _, g := range pod.Spec.SchedulingGates {
		x.closed(SchedulingGate, "scheduling gate %s is on the pod", g.Name)
	}
	c.explainLine(ctx, x, "/namespaces/"+pod.Namespace+"/pods/"+pod.Name+"/explanation")
	x.starting([]corev1.Pod{*pod})
}

// explainLine adds what the scheduler says. It reports whether it said anything.
func (c *Client) explainLine(ctx context.Context, x *Explanation, path string, query ...string) bool {
	said, err := ask[visibility.Explanation](ctx, c, path, query...)
	switch {
	case errors.Is(err, ErrNoLeader):
		x.Unanswered = ErrNoLeader
	case apierrors.IsNotFound(err):
		x.Notes = append(x.Notes, sentence(err.Error()))
	case err != nil:
		x.Unanswered = err
	default:
		x.add(said)
		c.withheld(ctx, x, said.Checks)
		return true
	}
	if x.Summary == "" {
		x.Summary = "stands in no line"
	}
	return false
}

// withheld notes where agents that are not heard of keep a part of a limit that leaves no room.
func (c *Client) withheld(ctx context.Context, x *Explanation, checks []visibility.Check) {
	noted := map[string]bool{}
	for i := range checks {
		k := &checks[i]
		what := strings.ToLower(k.Kind) + " " + k.Name
		if k.OK || noted[what] {
			continue
		}
		noted[what] = true
		key, says := client.ObjectKey{Name: k.Name}, ""
		switch k.Kind {
		case "Queue":
			q := &v1alpha1.Queue{}
			if c.Objects.Get(ctx, key, q) == nil {
				says = q.Status.Withheld
			}
		case "Project":
			p := &v1alpha1.Project{}
			if c.Objects.Get(ctx, key, p) == nil {
				says = p.Status.Withheld
			}
		case "Organization":
			o := &v1alpha1.Organization{}
			if c.Objects.Get(ctx, key, o) == nil {
				says = o.Status.Withheld
			}
		}
		if says != "" {
			x.Notes = append(x.Notes, "Of the limits of "+what+" "+says+".")
		}
	}
}

func sentence(text string) string {
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func noNode(queue string) string {
	return "has room in queue " + queue + ", and no node takes it"
}

// add takes over what the scheduler says.
func (x *Explanation) add(said *visibility.Explanation) {
	for i := range said.Checks {
		k := &said.Checks[i]
		x.Gates = append(x.Gates, Gate{Kind: LimitGate, OK: k.OK, Message: LimitText(k), Limit: k})
	}
	for _, fact := range said.Facts {
		x.closed(FactGate, "%s", fact)
	}
	x.State, x.Queue, x.Agent = said.State, said.Queue, said.Agent
	x.Position, x.Waiting, x.OperationsAbove = said.Position, said.Waiting, said.OperationsAbove
	x.Holders, x.EstimatedStart = said.Holders, said.EstimatedStart
	switch said.State {
	case visibility.Waiting:
		x.Reason = said.Reason
		x.Summary = "waits in queue " + said.Queue
		if said.Position > 0 {
			x.Summary += fmt.Sprintf(", position %d of %d", said.Position, said.Waiting)
		}
		if said.Reason != "" {
			x.Summary += ": " + said.Reason
		}
	case visibility.BackingOff:
		x.Reason = said.Reason
		if said.Reason != corev1.PodReasonUnschedulable {
			x.closed(FactGate, "%s", OneLine(said.Message))
			x.Summary = "stands in no line of queue " + said.Queue + " for now: " + said.Reason
			break
		}
		x.closed(NodeGate, "%s", OneLine(said.Message))
		x.Summary = "has found no node and is tried again in queue " + said.Queue
	case visibility.Admitted:
		if said.Reason == corev1.PodReasonUnschedulable {
			x.Reason = said.Reason
			x.closed(NodeGate, "%s", OneLine(said.Message))
			x.Summary = noNode(said.Queue)
			break
		}
		x.Summary = "is admitted by queue " + said.Queue + " and looks for a node"
	case visibility.Running:
		x.Summary = "does not wait: it is on a node, in queue " + said.Queue
	case visibility.Refused:
		x.Reason = said.Reason
		x.closed(QueueGate, "%s", said.Message)
		x.Summary = "may not have the queue that it names"
	case visibility.Held:
		x.Reason = said.Reason
		x.Summary = "is held: " + said.Message
	}
}
