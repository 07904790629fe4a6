package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// QueueStrategy says what happens behind an operation that has no room.
// +kubebuilder:validation:Enum=BestEffortFIFO;StrictFIFO
type QueueStrategy string

const (
	// BestEffortFIFO passes over operations that do not fit and admits later ones that do.
	BestEffortFIFO QueueStrategy = "BestEffortFIFO"
	// StrictFIFO waits for the head to fit. What can never fit does not block the others.
	StrictFIFO QueueStrategy = "StrictFIFO"
)

// QueuePreemption says whether operations of other queues make way for those of a queue.
// +kubebuilder:validation:Enum=Never;LowerPriority
type QueuePreemption string

const (
	// PreemptNever waits until others have ended.
	PreemptNever QueuePreemption = "Never"
	// PreemptLowerPriority evicts operations of queues of lower priority.
	PreemptLowerPriority QueuePreemption = "LowerPriority"
)

// QueueState says what a queue does with operations.
// +kubebuilder:validation:Enum=Open;Paused;Draining
type QueueState string

const (
	// QueueOpen accepts and admits operations.
	QueueOpen QueueState = "Open"
	// QueuePaused accepts operations and admits none. What runs goes on.
	QueuePaused QueueState = "Paused"
	// QueueDraining accepts no new operations and still admits what waits.
	QueueDraining QueueState = "Draining"
)

// QueueRouting says which of several agents gets an operation.
// +kubebuilder:validation:Enum=InOrder;MostFree
type QueueRouting string

const (
	// RouteInOrder sends to the first agent that has a free seat: the next gets what it has no room for.
	RouteInOrder QueueRouting = "InOrder"
	// RouteMostFree sends to the agent with the most free seats.
	RouteMostFree QueueRouting = "MostFree"
)

// QueueSpec is what a queue should do. Every field may be changed at any time and takes effect at
// once; a lowered limit stops nothing that runs.
// +kubebuilder:validation:XValidation:rule="!has(self.agents) || size(self.agents) == 0 || !has(self.agent) || self.agent == 'default'",message="agent and agents exclude each other: leave agent out, and name it among agents"
// +kubebuilder:validation:XValidation:rule="!has(self.agents) || self.agents.all(a, self.agents.exists_one(b, b == a))",message="agents names an agent twice"
// +kubebuilder:validation:XValidation:rule="!has(self.routing) || has(self.agents) && size(self.agents) > 0",message="routing chooses among agents: name them"
type QueueSpec struct {
	// Agent serves this queue; its concurrency is shared by all queues it serves. It says nothing where agents are named.
	// Default: default.
	// +optional
	// +kubebuilder:default=default
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Agent string `json:"agent,omitempty"`

	// Agents serve this queue together, at most one of them in this cluster: each operation goes to one that has room for it,
	// as routing says. Concurrency and quota hold over all of them together; guaranteed seats are kept at each.
	// Unset: agent serves it alone.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Agents []string `json:"agents,omitempty"`

	// Routing is InOrder (the first of agents that has a free seat; the next gets what overflows) or MostFree (the one with
	// the most free seats). An agent without concurrency has free seats for as long as its nodes take what it gets.
	// Default: InOrder.
	// +optional
	Routing QueueRouting `json:"routing,omitempty"`

	// Priority is the level of this queue among the queues of its agent: larger goes first.
	// Unset or -1 is the highest level, above every number.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	Priority *int32 `json:"priority,omitempty"`

	// Concurrency is how many operations of this queue may be admitted at a time.
	// Unset or -1 is unlimited, 0 admits none.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	Concurrency *int32 `json:"concurrency,omitempty"`

	// Guaranteed is how many of its agent's seats are kept for this queue, whether or not it has
	// operations to use them, so that higher levels never starve it. Default 0. When the guarantees of an
	// agent's queues exceed its concurrency, higher levels come first.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Guaranteed int32 `json:"guaranteed,omitempty"`

	// Quota bounds what the admitted operations of this queue may ask for together.
	// +optional
	Quota *Quota `json:"quota,omitempty"`

	// Strategy is BestEffortFIFO (pass over what does not fit) or StrictFIFO (wait for the head). Default: BestEffortFIFO.
	// +optional
	// +kubebuilder:default=BestEffortFIFO
	Strategy QueueStrategy `json:"strategy,omitempty"`

	// Preemption is Never (wait until others have ended) or LowerPriority: operations that wait because an
	// agent, project or organization has no seat or quota left have it taken from operations of queues with a
	// lower priority, the lowest first, in one priority the youngest first. Those are evicted with grace, as a whole,
	// and not below a guarantee. Room of the queue itself is never taken. Default: Never.
	// +optional
	// +kubebuilder:default=Never
	Preemption QueuePreemption `json:"preemption,omitempty"`

	// State is Open, Paused (accepts operations, admits none) or Draining (accepts none, admits what waits). Default: Open.
	// +optional
	// +kubebuilder:default=Open
	State QueueState `json:"state,omitempty"`
}

// QueueStatus is what the scheduler last saw of a queue, and how many Operations there are. Either is written at most
// once a second.
type QueueStatus struct {
	// ObservedGeneration is the generation of the spec that the counts below were made under.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Pending is how many operations wait for room.
	// +optional
	Pending int32 `json:"pending"`

	// OldestPending is when the oldest pod of the pending operations was created. Unset while none is pending.
	// +optional
	OldestPending *metav1.Time `json:"oldestPending,omitempty"`

	// Admitted is how many operations hold a seat, with or without a node yet.
	// +optional
	Admitted int32 `json:"admitted"`

	// Running is how many operations hold a seat and have a pod on a node.
	// +optional
	Running int32 `json:"running"`

	// Usage is the sum of the admitted pods' requests.
	// +optional
	Usage corev1.ResourceList `json:"usage,omitempty"`

	// CostRate is what the admitted operations cost together per hour.
	// +optional
	CostRate string `json:"costRate,omitempty"`

	// Budget is how much of quota.budget is used.
	// +optional
	Budget *BudgetStatus `json:"budget,omitempty"`

	// Agents is what those of several agents that are in other clusters say of it; the counts above are of all clusters.
	// +optional
	// +listType=map
	// +listMapKey=agent
	Agents []QueueAgentStatus `json:"agents,omitempty"`

	// Enforced is the limits that the scheduler of this cluster goes by, or what runs here where that is more. It is told of
	// queues that clusters share.
	// +optional
	Enforced *EnforcedLimits `json:"enforced,omitempty"`

	// Local is the share of the limits for what runs in this cluster. Unset: they are whole here, or nothing runs here.
	// +optional
	Local *Share `json:"local,omitempty"`

	// Shares are those of the agents in other clusters. All shares together are within the limits.
	// +optional
	// +listType=map
	// +listMapKey=agent
	Shares []AgentShare `json:"shares,omitempty"`

	// Withheld says how much of the limits agents keep that are not heard of, and what to do. Unset: nothing.
	// +optional
	Withheld string `json:"withheld,omitempty"`

	// Operations counts objects of kind Operation, those without a pod included. It is the controller's; unset: none
	// has waited yet.
	// +optional
	Operations *QueueOperations `json:"operations,omitempty"`

	// Conditions: Ready (False names what keeps the queue from admitting), Accepting (False while draining).
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// QueueAgentStatus is what one of several agents says of a queue.
type QueueAgentStatus struct {
	// Agent that says it.
	Agent string `json:"agent"`
	// Pending is how many operations wait for room there.
	// +optional
	Pending int32 `json:"pending"`
	// Admitted is how many operations hold a seat there.
	// +optional
	Admitted int32 `json:"admitted"`
	// Running is how many of these have a pod on a node.
	// +optional
	Running int32 `json:"running"`
	// Usage is the sum of their pods' requests.
	// +optional
	Usage corev1.ResourceList `json:"usage,omitempty"`
}

// QueueOperations counts the Operations of a queue.
type QueueOperations struct {
	// Waiting is how many are queued or unschedulable, with or without a pod; those that their workflow has not released
	// yet are among them.
	// +optional
	Waiting int32 `json:"waiting"`
}

// Queue is a line in which operations wait for room.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=queueyard
// +kubebuilder:printcolumn:name="Priority",type=integer,JSONPath=`.spec.priority`
// +kubebuilder:printcolumn:name="Concurrency",type=integer,JSONPath=`.spec.concurrency`
// +kubebuilder:printcolumn:name="Running",type=integer,JSONPath=`.status.admitted`
// +kubebuilder:printcolumn:name="Pending",type=integer,JSONPath=`.status.pending`
// +kubebuilder:printcolumn:name="Oldest",type=date,JSONPath=`.status.oldestPending`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.spec.state`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Agent",type=string,JSONPath=`.spec.agent`
// +kubebuilder:printcolumn:name="Agents",type=string,JSONPath=`.spec.agents`,priority=1
// +kubebuilder:printcolumn:name="Waiting",type=integer,priority=1,JSONPath=`.status.operations.waiting`
// +kubebuilder:printcolumn:name="Preemption",type=string,priority=1,JSONPath=`.spec.preemption`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="a queue's name is a DNS label: at most 63 characters, no dots, so that it can be a label's value"
type Queue struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Spec QueueSpec `json:"spec,omitempty"`
	// +optional
	Status QueueStatus `json:"status,omitempty"`
}

// QueueList is a list of Queues.
//
// +kubebuilder:object:root=true
type QueueList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Queue `json:"items"`
}
