package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// AssignmentSpec is one attempt of an operation, which an agent in another cluster is to run. Only the hub writes it.
type AssignmentSpec struct {
	// Origin is the operation that this is an attempt of.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an assignment is of one operation for ever"
	Origin OperationReference `json:"origin"`

	// Namespace is where it runs in the agent's cluster. It must exist there, and be managed.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`

	// Operation is what is to run, complete: queue, project and priority are those that the hub found, and there is a
	// template and no component. It is tried once; retries are the hub's.
	Operation OperationSpec `json:"operation"`

	// QueuedTime is since when the operation is in its line.
	// +optional
	QueuedTime *metav1.MicroTime `json:"queuedTime,omitempty"`

	// Withdrawn asks the agent to give it back if it has not begun; if it has, it goes on where it is. It is not taken back.
	// +optional
	Withdrawn bool `json:"withdrawn,omitempty"`
}

// OperationReference is an operation of the hub.
type OperationReference struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       types.UID `json:"uid"`
}

// AssignmentStatus is what became of it. Only the agent writes it.
type AssignmentStatus struct {
	// Operation is the status of the operation in the agent's cluster. Unset: there was none yet. A final one stays as it
	// is; of a failure, failureClass says whether it is to be repeated. Stopped for the reason Withdrawn: it has not begun.
	// +optional
	Operation *OperationStatus `json:"operation,omitempty"`

	// Returned says that it runs nowhere, will never run there, and did not begin. The agent's finalizer stays until the
	// hub has deleted the assignment.
	// +optional
	Returned bool `json:"returned,omitempty"`

	// Lost says that it was in the agent's cluster and is there no longer, though nobody saw its end.
	// +optional
	Lost bool `json:"lost,omitempty"`

	// Message says why it cannot be made in the agent's cluster, or why it was returned.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Message string `json:"message,omitempty"`
}

// Assignment is an attempt of an operation in another cluster. It is in the namespace of its agent. While it has the
// agent's finalizer (queueyard.io/agent) it is the agent's: it may run there and nowhere else. Without the finalizer it
// is the hub's, and runs nowhere.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=queueyard
// +kubebuilder:printcolumn:name="Operation",type=string,JSONPath=`.spec.origin.name`
// +kubebuilder:printcolumn:name="From",type=string,JSONPath=`.spec.origin.namespace`
// +kubebuilder:printcolumn:name="Queue",type=string,JSONPath=`.spec.operation.queue`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.operation.phase`
// +kubebuilder:printcolumn:name="Withdrawn",type=boolean,JSONPath=`.spec.withdrawn`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Assignment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec AssignmentSpec `json:"spec"`
	// +optional
	Status AssignmentStatus `json:"status,omitempty"`
}

// AssignmentList is a list of Assignments.
//
// +kubebuilder:object:root=true
type AssignmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Assignment `json:"items"`
}
