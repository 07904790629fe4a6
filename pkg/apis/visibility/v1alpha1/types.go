package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PendingOperationList is a page of what waits in a queue, in the order in which it is admitted.
//
// +kubebuilder:object:root=true
type PendingOperationList struct {
	metav1.TypeMeta `json:",inline"`
	// metadata.continue, where set, asks for the next page. A page may hold fewer operations than asked for.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`

	// queue is the name of the queue.
	Queue string `json:"queue"`
	// waiting is how many pods stand in the queue's line: what positions count.
	Waiting int32 `json:"waiting"`
	// neverFit is how many pods ask more than a limit allows in all. They stand in no line and block
	// nobody; they are listed at the end.
	// +optional
	NeverFit int32 `json:"neverFit,omitempty"`
	// backingOff is how many operations no node had room for. They wait outside the line until they are
	// tried again, and are not listed.
	// +optional
	BackingOff int32 `json:"backingOff,omitempty"`
	// items are the operations.
	// +listType=atomic
	Items []PendingOperation `json:"items"`
}

// PendingOperation is an operation with pods that wait.
type PendingOperation struct {
	// metadata has the namespace, the name, and when the pod that goes first was created.
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// kind is what the operation is: the kind of the pods' owner, PodGroup, or Pod.
	Kind string `json:"kind"`
	// pod is the name of its pod that goes first.
	Pod string `json:"pod"`
	// pods is how many of its pods wait.
	Pods int32 `json:"pods"`
	// position of the pod that goes first, from 1, among the pods that wait in the queue. 0: it asks more
	// than a limit allows in all.
	Position int32 `json:"position"`
	// priority inside the queue.
	Priority int64 `json:"priority"`
	// reason why it waits, as in the condition queueyard.io/Admitted of its pods.
	Reason string `json:"reason"`
	// message says the same with its numbers.
	Message string `json:"message"`
	// blockedBy is the first limit that has no room for it.
	// +optional
	BlockedBy *Check `json:"blockedBy,omitempty"`
}

// Explanation is why an operation stands where it stands.
//
// +kubebuilder:object:root=true
type Explanation struct {
	metav1.TypeMeta `json:",inline"`
	// metadata has the namespace and the name of what was asked for.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// operation is what takes one seat.
	Operation OperationReference `json:"operation"`
	// pod is the one that is explained: of an operation its first that waits, else its first that holds room.
	Pod string `json:"pod"`
	// pods counts the pods of the operation by where they stand.
	Pods PodCounts `json:"pods"`
	// state is where the pod stands.
	State State `json:"state"`
	// reason and message are those of the condition queueyard.io/Admitted.
	Reason  string `json:"reason"`
	Message string `json:"message"`

	// queue, agent, project and organization are whose limits it counts against.
	// +optional
	Queue string `json:"queue,omitempty"`
	// +optional
	Agent string `json:"agent,omitempty"`
	// +optional
	Project string `json:"project,omitempty"`
	// +optional
	Organization string `json:"organization,omitempty"`

	// priority inside the queue.
	// +optional
	Priority int64 `json:"priority,omitempty"`
	// position from 1 among the pods that wait in the queue. Unset: it is not in the queue's line.
	// +optional
	Position int32 `json:"position,omitempty"`
	// waiting is how many pods stand in that line.
	// +optional
	Waiting int32 `json:"waiting,omitempty"`
	// operationsAbove is how many operations wait in queues of the same agent that have a higher priority.
	// +optional
	OperationsAbove int32 `json:"operationsAbove,omitempty"`

	// checks are all limits that concern the pod: of the queue, its agent, the project, its organization.
	// +optional
	// +listType=atomic
	Checks []Check `json:"checks,omitempty"`
	// facts are sentences for what keeps it waiting besides the checks.
	// +optional
	// +listType=atomic
	Facts []string `json:"facts,omitempty"`
	// holders is who has the room of the limit that blocks.
	// +optional
	Holders *Holders `json:"holders,omitempty"`
	// estimatedStart is when it will probably start. Unset: nothing is known to tell that by.
	// +optional
	EstimatedStart *EstimatedStart `json:"estimatedStart,omitempty"`
}

// State is where a pod stands.
// +enum
type State string

// The states of a pod.
const (
	Waiting    State = "Waiting"    // in the line of its queue
	BackingOff State = "BackingOff" // no node fits it; tried again later
	Admitted   State = "Admitted"   // holds room and looks for a node
	Running    State = "Running"    // is on a node
	Refused    State = "Refused"    // may not have the queue it names, or what it names is missing
	Held       State = "Held"       // has scheduling gates, or is being deleted
)

// OperationReference names an operation.
type OperationReference struct {
	// kind of the pods' owner, PodGroup, or Pod.
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// PodCounts counts the pods of an operation.
type PodCounts struct {
	// +optional
	Waiting int32 `json:"waiting,omitempty"`
	// +optional
	BackingOff int32 `json:"backingOff,omitempty"`
	// +optional
	Admitted int32 `json:"admitted,omitempty"`
	// +optional
	Running int32 `json:"running,omitempty"`
}

// LimitReference names a limit.
type LimitReference struct {
	// kind is Queue, Agent, Project, Organization or Workflow.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// resource that is limited. Unset: operations.
	// +optional
	Resource string `json:"resource,omitempty"`
}

// Check is one limit and what is left of it. Cost is in the currency per hour.
type Check struct {
	LimitReference `json:",inline"`

	Limit resource.Quantity `json:"limit"`
	// whole is what the limit is this cluster's share of. Unset: it is whole.
	// +optional
	Whole *resource.Quantity `json:"whole,omitempty"`
	// used by all that hold room; of a pod that holds room itself, with what it needs.
	Used resource.Quantity `json:"used"`
	// need is what the pod, or its whole gang, asks for.
	Need resource.Quantity `json:"need"`
	// held for operations that waited too long.
	// +optional
	Held *resource.Quantity `json:"held,omitempty"`
	// kept is how many seats of the agent are kept for the queues keptFor.
	// +optional
	Kept *resource.Quantity `json:"kept,omitempty"`
	// +optional
	// +listType=atomic
	KeptFor []string `json:"keptFor,omitempty"`
	// ok says whether there is room.
	OK bool `json:"ok"`
}

// Holders is who has the room of a limit.
type Holders struct {
	// limit that blocks.
	Limit LimitReference `json:"limit"`
	// operations that hold it, in all.
	Operations int32 `json:"operations"`
	// items are the first 20 of them, those that end first, then those that hold most. Of operations in
	// other namespaces only those see the names who may get queues/pendingoperations of the holder's queue.
	// +optional
	// +listType=atomic
	Items []Holder `json:"items,omitempty"`
	// hidden is how many hold room in namespaces whose names you may not see.
	// +optional
	Hidden int32 `json:"hidden,omitempty"`
}

// Holder is an operation that holds room.
type Holder struct {
	Namespace          string `json:"namespace"`
	OperationReference `json:",inline"`
	// queue that admitted it.
	Queue string `json:"queue"`
	// amount it holds of the limit.
	Amount resource.Quantity `json:"amount"`
	// pods of it that hold room.
	Pods int32 `json:"pods"`
	// endsBy is when it ends at the latest, where all of its pods declare how long they run.
	// +optional
	EndsBy *metav1.Time `json:"endsBy,omitempty"`
}

// Basis is what an estimate is based on.
// +enum
type Basis string

// The bases of an estimate.
const (
	// DeclaredRuntimes: everything that holds the room, and everything ahead, declares how long it
	// runs at most.
	DeclaredRuntimes Basis = "DeclaredRuntimes"
	// ObservedTurnover: at the pace at which pods of the queue started lately.
	ObservedTurnover Basis = "ObservedTurnover"
)

// EstimatedStart is when an operation will probably start.
type EstimatedStart struct {
	Time  metav1.Time `json:"time"`
	Basis Basis       `json:"basis"`
	// message says what the estimate is based on, with its numbers.
	Message string `json:"message"`
}
