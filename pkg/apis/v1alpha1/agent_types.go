package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AgentState says whether an agent gets operations.
// +kubebuilder:validation:Enum=Open;Draining;Evicted
type AgentState string

const (
	// AgentOpen gets operations.
	AgentOpen AgentState = "Open"
	// AgentDraining gets none, and gives back what has not begun. What runs goes on.
	AgentDraining AgentState = "Draining"
	// AgentEvicted is gone for good: nothing runs in its cluster, somebody says so. What it had runs again elsewhere.
	AgentEvicted AgentState = "Evicted"
)

// AgentSpec is where the queues of an agent are served, and what bounds them together.
// +kubebuilder:validation:XValidation:rule="!has(self.state) || self.state == 'Open' || (has(self.remote) && self.remote)",message="only an agent of another cluster is drained or evicted: pause the queues of this one"
type AgentSpec struct {
	// Concurrency is how many operations of all queues of this agent may be admitted at a time.
	// Unset or -1 is unlimited, 0 admits none. The seats are divided among the queues' priority
	// levels from the top, and inside a level in proportion to the queues' concurrency.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	Concurrency *int32 `json:"concurrency,omitempty"`

	// Remote: an agent process in another cluster serves its queues. Default: the controller of this one does.
	// +optional
	Remote bool `json:"remote,omitempty"`

	// State is Open, Draining (gets no operations and gives back what has not begun) or Evicted (its cluster is gone: what
	// it had runs again elsewhere; say so only when nothing can run there any more). Only of a remote agent. Default: Open.
	// +optional
	// +kubebuilder:default=Open
	State AgentState `json:"state,omitempty"`

	// Namespace is where the pods of operations run that its queues serve. Unset: in the operation's own.
	// It is one that the queues manage. What runs stays where it runs when it changes.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// Prices are per hour: of a cpu, of a GiB of memory or ephemeral-storage, of one unit of any other
	// resource. They make the cost of a pod that does not declare its own (annotation
	// queueyard.io/cost, per hour). A resource without a price costs nothing.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(r, type(self[r]) == int ? self[r] >= 0 : sign(quantity(self[r])) >= 0)",message="a price must be 0 or more"
	// +kubebuilder:validation:XValidation:rule="self.all(r, r.contains('/') || r.startsWith('hugepages-') || r in ['cpu', 'memory', 'ephemeral-storage', 'pods'])",message="no pod can ask for such a resource: write cpu, memory, ephemeral-storage, pods, hugepages-SIZE, or a name with its domain, such as nvidia.com/gpu"
	Prices map[corev1.ResourceName]resource.Quantity `json:"prices,omitempty"`
}

// AgentStatus is what the scheduler last saw of an agent. It is written at most once a second.
type AgentStatus struct {
	// ObservedGeneration is the generation of the spec that the counts below were made under.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Queues is how many queues name this agent.
	// +optional
	Queues int32 `json:"queues"`

	// Pending is how many operations wait in its queues.
	// +optional
	Pending int32 `json:"pending"`

	// Admitted is how many operations of its queues hold a seat.
	// +optional
	Admitted int32 `json:"admitted"`

	// Levels divides the agent's seats among the priority levels of its queues, from the top.
	// +optional
	// +listType=atomic
	Levels []LevelStatus `json:"levels,omitempty"`

	// LastContact is when a remote agent was last heard of.
	// +optional
	LastContact *metav1.MicroTime `json:"lastContact,omitempty"`

	// Fenced: the agent was evicted, and the hub holds its lease.
	// +optional
	Fenced bool `json:"fenced,omitempty"`

	// Report is a remote agent's account of its cluster.
	// +optional
	Report *AgentReport `json:"report,omitempty"`

	// Conditions: Ready (False while a remote agent is not heard of).
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// LevelStatus is the seats of one priority level of an agent.
type LevelStatus struct {
	// Priority of the queues of this level; -1 is the highest, of the queues that set none.
	Priority int32 `json:"priority"`

	// Seats is how many operations of this level the agent's concurrency has room for now: what the
	// level demands, as far as higher levels and the guarantees of lower ones leave room.
	Seats int32 `json:"seats"`

	// Demand is how many seats the level holds and waits for, as far as the concurrency, state and
	// budget of its own queues let it.
	Demand int32 `json:"demand"`

	// Used is how many operations of this level hold a seat. It is above seats while what runs ends
	// to make room for higher levels.
	Used int32 `json:"used"`
}

// Agent is where queues are served.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=queueyard
// +kubebuilder:printcolumn:name="Concurrency",type=integer,JSONPath=`.spec.concurrency`
// +kubebuilder:printcolumn:name="Queues",type=integer,JSONPath=`.status.queues`
// +kubebuilder:printcolumn:name="Running",type=integer,JSONPath=`.status.admitted`
// +kubebuilder:printcolumn:name="Pending",type=integer,JSONPath=`.status.pending`
// +kubebuilder:printcolumn:name="Remote",type=boolean,JSONPath=`.spec.remote`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Contact",type=date,JSONPath=`.status.lastContact`,priority=1
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.spec.state`,priority=1
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.report.version`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="an agent's name is a DNS label: at most 63 characters, no dots"
type Agent struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Spec AgentSpec `json:"spec,omitempty"`
	// +optional
	Status AgentStatus `json:"status,omitempty"`
}

// AgentList is a list of Agents.
//
// +kubebuilder:object:root=true
type AgentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Agent `json:"items"`
}
