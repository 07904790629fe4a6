package v1alpha1

// Labels on pods and Jobs. An annotation of the same key is accepted in a label's place; both
// together must agree.
const (
	// QueueLabel names the queue: "NAME", or "AGENT.NAME" (as an annotation also "AGENT/NAME").
	QueueLabel = "queueyard.io/queue"
	// ProjectLabel names the project; only a project that claims the namespace is accepted.
	ProjectLabel = "queueyard.io/project"
	// CostLabel declares what a pod costs per hour ("2.50"), in place of its agent's prices.
	CostLabel = "queueyard.io/cost"
	// PriorityAnnotation is a pod's priority inside its queue, in place of its priority class.
	PriorityAnnotation = "queueyard.io/priority"
	// OperationLabel on what an operation runs as names the operation.
	OperationLabel = "queueyard.io/operation"
	// OperationUIDLabel holds the UID of that operation.
	OperationUIDLabel = "queueyard.io/operation-uid"
	// AttemptLabel holds which attempt of the operation it is.
	AttemptLabel = "queueyard.io/attempt"
	// OriginAnnotation on what an operation runs as holds the namespace of the operation: its project
	// is looked for there. Only the controller may set it.
	OriginAnnotation = "queueyard.io/origin"
	// QueuedTimeAnnotation holds since when a pod's operation is in its line, in RFC 3339: a repeated run keeps its
	// place, and children of a workflow keep their order. Only the controller may set it.
	QueuedTimeAnnotation = "queueyard.io/queued-time"
	// WorkflowLabel on an operation or workflow names the workflow that it is a child of; pods carry it, too.
	WorkflowLabel = "queueyard.io/workflow"
	// WorkflowUIDLabel holds the UID of that workflow.
	WorkflowUIDLabel = "queueyard.io/workflow-uid"
	// IndexLabel holds the place of a child among those of its workflow, from 0.
	IndexLabel = "queueyard.io/index"
	// IterationLabel on an operation that suggests trials of its workflow holds the iteration, from 0. It has no index.
	IterationLabel = "queueyard.io/iteration"
	// StepLabel names the step of a dag that a child is.
	StepLabel = "queueyard.io/step"
	// WorkflowAttemptLabel holds the attempt of the workflow that made the child.
	WorkflowAttemptLabel = "queueyard.io/workflow-attempt"
	// OutcomeAnnotation on a child that never runs holds its status: skipped, upstream_failed or failed.
	OutcomeAnnotation = "queueyard.io/outcome"
	// OutcomeMessageAnnotation says why.
	OutcomeMessageAnnotation = "queueyard.io/outcome-message"
	// StopReasonAnnotation on a child that is stopped by a rule of its workflow holds the reason that its timeline
	// gives: StoppedByPolicy or StoppedEarly. It counts once: what has gone on since is stopped for another reason.
	StopReasonAnnotation = "queueyard.io/stop-reason"
	// StopMessageAnnotation says which rule, and with what numbers.
	StopMessageAnnotation = "queueyard.io/stop-message"
	// ReportedAnnotation on a trial that is over holds the curves of the metrics that it printed, so that others are
	// judged by them when its log is gone.
	ReportedAnnotation = "queueyard.io/reported"
	// TrialKeyAnnotation on a trial names the trial that it goes back to: of those that were promoted, the first.
	TrialKeyAnnotation = "queueyard.io/trial-key"
	// ApprovedByAnnotation on an operation names who approved it. Only the webhook sets it.
	ApprovedByAnnotation = "queueyard.io/approved-by"
	// AssignmentAnnotation on an operation in an agent's cluster names the Assignment at the hub that it was made for.
	// Only the controller may set it.
	AssignmentAnnotation = "queueyard.io/assignment"
	// AssignmentUIDAnnotation holds the UID of that Assignment.
	AssignmentUIDAnnotation = "queueyard.io/assignment-uid"
	// WithdrawnAnnotation on such an operation says that the hub wants it back: it ends if it has not begun.
	WithdrawnAnnotation = "queueyard.io/withdrawn"
	// OriginNamespaceLabel and OriginNameLabel on it name the operation of the hub, so that people find it.
	OriginNamespaceLabel = "queueyard.io/origin-namespace"
	OriginNameLabel      = "queueyard.io/origin-name"
	// ClusterAnnotation on an Assignment holds which cluster has claimed it: the UID of its namespace kube-system. The agent
	// writes it together with its finalizer.
	ClusterAnnotation = "queueyard.io/cluster"
	// MirroredLabel on an agent, queue, project or organization in an agent's cluster says that the agent of that name
	// keeps it as the hub has it.
	MirroredLabel = "queueyard.io/mirrored"
	// ShareOfAnnotation on a project or an organization in an agent's cluster says, as a Share in JSON, what its limits are
	// this cluster's share of.
	ShareOfAnnotation = "queueyard.io/share-of"
	// KueueLabel is Kueue's, which suspends what carries it.
	KueueLabel = "kueue.x-k8s.io/queue-name"
	// ManagedLabel on a Namespace, with the value "true", puts the namespace under admission.
	ManagedLabel = "queueyard.io/managed"
)

const (
	// SchedulerName is the profile that serves queues.
	SchedulerName = "queueyard-scheduler"
	// DefaultName is the queue and the agent that serve what names none.
	DefaultName = "default"
	// QueueFinalizer keeps a deleted Queue until nothing waits or runs in it.
	QueueFinalizer = "queueyard.io/queue"
	// OperationFinalizer keeps what an operation runs as until its end is recorded, and an operation
	// whose pods are in another namespace until they are gone.
	OperationFinalizer = "queueyard.io/operation"
	// AgentFinalizer on an Assignment says that it is the agent's: it may run in its cluster.
	AgentFinalizer = "queueyard.io/agent"
	// RemoteAgentFinalizer keeps a deleted remote Agent until it has given back all that it had: its assignments, and its shares of
	// limits.
	RemoteAgentFinalizer = "queueyard.io/remote-agent"
	// AgentNamespacePrefix begins the name of the namespace at the hub that belongs to an agent in another cluster.
	AgentNamespacePrefix = "queueyard-agent-"
	// AgentLease in that namespace is renewed by the agent.
	AgentLease = "agent"
	// FencedAnnotation on that Lease says that the hub holds it: the agent was evicted and does nothing until it is gone.
	FencedAnnotation = "queueyard.io/fenced"
	// WorkflowGate is the scheduling gate of pods whose workflow has no room for them yet.
	WorkflowGate = "queueyard.io/workflow"
	// AdmittedCondition on a pod says whether its queue has admitted it, and why not.
	AdmittedCondition = "queueyard.io/Admitted"
)

// Conditions of the objects of this package.
const (
	// ReadyCondition is True when the object does its work, and says what is missing when not.
	ReadyCondition = "Ready"
	// AcceptingCondition on a Queue is False while it takes no new operations; it turned False
	// when draining began, so what was created before is still served.
	AcceptingCondition = "Accepting"
	// FinishedCondition on an operation is True at its end, whatever it is.
	FinishedCondition = "Finished"
	// WaitingCondition on an operation that waits is False and says why; it goes when the operation has a node.
	WaitingCondition = "Admitted"
	// StalledCondition on an operation is True when it failed.
	StalledCondition = "Stalled"
	// ProgressingCondition on a workflow is False while the controller cannot lead it on, and says why; it goes when that is over.
	ProgressingCondition = "Progressing"
)

// Reasons of what waits for the API server to take what it is to run as. ReasonFailedCreate is what Kubernetes' controllers call all
// that is neither of the others.
const (
	ReasonResourceQuotaExceeded = "ResourceQuotaExceeded"
	ReasonNamespaceTerminating  = "NamespaceTerminating"
	ReasonFailedCreate          = "FailedCreate"
)

// ReasonUnreachable is that of what nobody can tell of, because an agent in another cluster does not answer.
const ReasonUnreachable = "AgentUnreachable"

// ReasonNotJoined is that of an agent in another cluster which has not joined, or has left.
const ReasonNotJoined = "NotJoined"

// Unlimited is the written form of "no limit"; an unset limit means the same.
const Unlimited = -1

// AgentNamespace is the namespace at the hub that belongs to an agent in another cluster.
func AgentNamespace(agent string) string { return AgentNamespacePrefix + agent }
