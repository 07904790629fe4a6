package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// OperationSpec is one run: what, with which params, in which queue, and how it ends.
// +kubebuilder:validation:XValidation:rule="has(self.component) != has(self.template)",message="an operation has either a component or a template"
type OperationSpec struct {
	// Project is whose limits it counts against; it must claim the namespace. Unset: the only project
	// that does.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Project string `json:"project,omitempty"`

	// Queue is "NAME" or "AGENT/NAME". Unset: the component's, else the project's, the organization's or
	// the scheduler's default. It may be changed while the operation waits.
	// +optional
	// +kubebuilder:validation:MaxLength=127
	Queue string `json:"queue,omitempty"`

	// Priority inside the queue: larger goes first. Default 0. It may be changed while the operation waits.
	// +optional
	Priority *int32 `json:"priority,omitempty"`

	// Cost per hour, such as "2.50", in place of the agent's prices.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Cost string `json:"cost,omitempty"`

	// Params are the values that the template's expressions see as params.NAME.
	// +optional
	Params Values `json:"params,omitempty"`

	// Component names the recipe, in the same namespace.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Component string `json:"component,omitempty"`

	// Template is what it runs, where there is no component.
	// +optional
	Template *RunTemplate `json:"template,omitempty"`

	// Termination says when it ends and how often it is tried.
	// +optional
	Termination *Termination `json:"termination,omitempty"`

	// Environment of its pods.
	// +optional
	Environment *Environment `json:"environment,omitempty"`

	// Approved: false holds the operation before it queues until somebody sets it to true.
	// +optional
	Approved *bool `json:"approved,omitempty"`

	// DesiredState is Run or Stopped. Default: Run.
	// +optional
	// +kubebuilder:default=Run
	DesiredState DesiredState `json:"desiredState,omitempty"`

	// Restarts is raised to run an operation again after its end. Its history is kept.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Restarts int32 `json:"restarts,omitempty"`
}

// OperationStatus is where an operation stands and how it came there.
type OperationStatus struct {
	// ObservedGeneration is the generation of the spec that was last acted upon.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Phase is the last status of the timeline.
	// +optional
	Phase Status `json:"phase,omitempty"`

	// Timeline is every status it had, oldest first. Of a long one the first and the last are kept.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Timeline []TimelineEntry `json:"timeline,omitempty"`

	// Dropped is how many entries of the timeline were left out of its middle.
	// +optional
	Dropped int32 `json:"dropped,omitempty"`

	// Attempt is the number of the attempt that runs or ran last, from 1, over all restarts.
	// +optional
	Attempt int32 `json:"attempt,omitempty"`

	// Retries is how many of termination.maxRetries are used.
	// +optional
	Retries int32 `json:"retries,omitempty"`

	// Lost is how many attempts in a row were lost to the cluster: eviction, preemption, the end of a node.
	// +optional
	Lost int32 `json:"lost,omitempty"`

	// Restarts is the value of spec.restarts that this run obeys.
	// +optional
	Restarts int32 `json:"restarts,omitempty"`

	// Queue, Project and Organization are where it counts.
	// +optional
	Queue string `json:"queue,omitempty"`
	// +optional
	Project string `json:"project,omitempty"`
	// +optional
	Organization string `json:"organization,omitempty"`

	// Priority is that inside its queue.
	// +optional
	Priority int32 `json:"priority,omitempty"`

	// Cost is what was declared per hour.
	// +optional
	Cost string `json:"cost,omitempty"`

	// Component is the recipe it was compiled from.
	// +optional
	Component *ComponentReference `json:"component,omitempty"`

	// Agent in another cluster that the current attempt is assigned to. Unset: it runs in this one.
	// +optional
	Agent string `json:"agent,omitempty"`

	// Run is the object that the current attempt runs as.
	// +optional
	Run *RunReference `json:"run,omitempty"`

	// Requests are what its pods ask for together, as far as the template tells.
	// +optional
	Requests corev1.ResourceList `json:"requests,omitempty"`

	// QueuedTime is when this run first queued; it keeps its place in the line by it when it is retried.
	// +optional
	QueuedTime *metav1.MicroTime `json:"queuedTime,omitempty"`

	// StartTime is when this run first ran.
	// +optional
	StartTime *metav1.MicroTime `json:"startTime,omitempty"`

	// FinishTime is when it ended.
	// +optional
	FinishTime *metav1.MicroTime `json:"finishTime,omitempty"`

	// RetryTime is when the pause before the next attempt ends.
	// +optional
	RetryTime *metav1.MicroTime `json:"retryTime,omitempty"`

	// ExitCode of the main container, where it has ended.
	// +optional
	ExitCode *int32 `json:"exitCode,omitempty"`

	// FailureClass says what ended the last attempt, if that did not succeed. Unset while an attempt is under way.
	// +optional
	FailureClass FailureClass `json:"failureClass,omitempty"`

	// Outputs are what its main container wrote as a JSON object to its termination message.
	// +optional
	Outputs Values `json:"outputs,omitempty"`

	// Conditions: Finished (True at the end, whatever it is), Ready (True when it succeeded), Stalled
	// (True when it failed).
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ComponentReference is a version of a component.
type ComponentReference struct {
	Name       string    `json:"name"`
	UID        types.UID `json:"uid"`
	Generation int64     `json:"generation"`
}

// RunReference is the object that an attempt runs as.
type RunReference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
}

// Operation is one run, from its creation to its end.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=op;ops,categories=queueyard
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Queue",type=string,JSONPath=`.status.queue`
// +kubebuilder:printcolumn:name="Project",type=string,JSONPath=`.status.project`
// +kubebuilder:printcolumn:name="Attempt",type=integer,JSONPath=`.status.attempt`
// +kubebuilder:printcolumn:name="Priority",type=integer,JSONPath=`.status.priority`,priority=1
// +kubebuilder:printcolumn:name="Agent",type=string,JSONPath=`.status.agent`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Finished")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="an operation's name is a DNS label: at most 63 characters, no dots, so that it can be a label's value"
type Operation struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec OperationSpec `json:"spec"`
	// +optional
	Status OperationStatus `json:"status,omitempty"`
}

// OperationList is a list of Operations.
//
// +kubebuilder:object:root=true
type OperationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Operation `json:"items"`
}
