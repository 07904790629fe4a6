package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// What components, operations and workflows have in common.

// RunTemplate says what an operation runs: exactly one of its fields. Every string in it may hold
// {{ expressions }} over params and globals; one that is a single expression keeps its type.
// +kubebuilder:validation:XValidation:rule="[has(self.pod), has(self.job), has(self.object)].filter(x, x).size() == 1",message="a template has exactly one of pod, job and object"
type RunTemplate struct {
	// Pod is a pod's metadata (labels and annotations) and spec.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Pod *runtime.RawExtension `json:"pod,omitempty"`

	// Job is a batch/v1 Job's metadata (labels and annotations) and spec.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Job *runtime.RawExtension `json:"job,omitempty"`

	// Object is any other object whose controller makes pods.
	// +optional
	Object *ObjectTemplate `json:"object,omitempty"`
}

// ObjectTemplate is an object of any kind and how to tell its end.
type ObjectTemplate struct {
	// Manifest is the object, with apiVersion, kind and spec. Its pod templates, wherever they are,
	// get the operation's queue and scheduler. The controller's role must allow the kind (label a ClusterRole
	// queueyard.io/aggregate-to-controller=true), and whoever creates the operation must be allowed to create it.
	// +kubebuilder:pruning:PreserveUnknownFields
	Manifest runtime.RawExtension `json:"manifest"`

	// SuccessCondition is a CEL expression over the variable object: the operation succeeds when it is true.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	SuccessCondition string `json:"successCondition"`

	// FailureCondition is a CEL expression over the variable object: the operation fails when it is true.
	// Unset, the object never fails by itself.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	FailureCondition string `json:"failureCondition,omitempty"`
}

// Termination says when and how an operation ends, and how often it is tried.
type Termination struct {
	// MaxRetries is how often a run that failed by itself is tried again. Runs lost to eviction,
	// preemption or the loss of a node are repeated without counting; what is wrongly configured is not
	// repeated. Default 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MaxRetries *int32 `json:"maxRetries,omitempty"`

	// Backoff is the pause before a retry. An operation in its pause holds no seat.
	// +optional
	Backoff *Backoff `json:"backoff,omitempty"`

	// Timeout is how long the operation may take from when it first ran, retries included. Default: none.
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// QueueTimeout is how long an attempt may wait for its first pod to get a node. Default: none.
	// +optional
	QueueTimeout *metav1.Duration `json:"queueTimeout,omitempty"`

	// StartTimeout is how long a pod that cannot start (no such image, no such secret) is given to start
	// after all. Default 5m.
	// +optional
	StartTimeout *metav1.Duration `json:"startTimeout,omitempty"`

	// TTL is how long the operation is kept after its end, with all it made. Default: for ever.
	// +optional
	TTL *metav1.Duration `json:"ttl,omitempty"`
}

// Environment is what pods get where their templates say nothing else. It adds to what a template says:
// where both name the same key or variable, the template wins.
type Environment struct {
	// Labels of the pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Labels map[string]string `json:"labels,omitempty"`

	// Annotations of the pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Annotations map[string]string `json:"annotations,omitempty"`

	// NodeSelector of the pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// Tolerations of the pods.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// ServiceAccountName of the pods.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServiceAccountName string `json:"serviceAccountName,omitempty"`

	// ImagePullSecrets of the pods.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// Env are variables of all containers.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Env []corev1.EnvVar `json:"env,omitempty"`
}

// Backoff is a pause that doubles.
type Backoff struct {
	// Initial is the first pause. Default 10s.
	// +optional
	Initial *metav1.Duration `json:"initial,omitempty"`

	// Max is the longest pause. Default 5m.
	// +optional
	Max *metav1.Duration `json:"max,omitempty"`
}

// DesiredState is what the user wants of an operation.
// +kubebuilder:validation:Enum=Run;Stopped
type DesiredState string

const (
	// Run lets it go its way.
	Run DesiredState = "Run"
	// Stopped ends it, at any stage; setting it back to Run resumes it with a new attempt.
	Stopped DesiredState = "Stopped"
)

// Status is where an operation stands.
type Status string

// The statuses of an operation. The last five are final.
const (
	// StatusCreated: it was seen by the controller.
	StatusCreated Status = "created"
	// StatusOnSchedule: it is held until it is approved.
	StatusOnSchedule Status = "on_schedule"
	// StatusResuming: it begins again after it was stopped, or anew after its end.
	StatusResuming Status = "resuming"
	// StatusCompiled: its template and params make a manifest.
	StatusCompiled Status = "compiled"
	// StatusQueued: it waits in its queue.
	StatusQueued Status = "queued"
	// StatusUnschedulable: its queue has room for it and no node has.
	StatusUnschedulable Status = "unschedulable"
	// StatusScheduled: a pod of it has a node.
	StatusScheduled Status = "scheduled"
	// StatusStarting: its node prepares it: volumes, images, init containers.
	StatusStarting Status = "starting"
	// StatusRunning: it runs.
	StatusRunning Status = "running"
	// StatusWarning: something keeps it from starting that does not look as if it would mend itself.
	StatusWarning Status = "warning"
	// StatusUnknown: its node does not answer.
	StatusUnknown Status = "unknown"
	// StatusRetrying: an attempt ended and another one follows after a pause.
	StatusRetrying Status = "retrying"
	// StatusStopping: it is being stopped; it keeps its seat until its pods are gone.
	StatusStopping Status = "stopping"
	// StatusSucceeded: it did what it should.
	StatusSucceeded Status = "succeeded"
	// StatusFailed: it did not, and is not tried again.
	StatusFailed Status = "failed"
	// StatusStopped: it was stopped.
	StatusStopped Status = "stopped"
	// StatusSkipped: its workflow's condition was false.
	StatusSkipped Status = "skipped"
	// StatusUpstreamFailed: its workflow's trigger was not met.
	StatusUpstreamFailed Status = "upstream_failed"
)

// Final says whether a status is an end.
func (s Status) Final() bool {
	switch s {
	case StatusSucceeded, StatusFailed, StatusStopped, StatusSkipped, StatusUpstreamFailed:
		return true
	}
	return false
}

// FailureClass says what kind of thing ended an attempt, and so what follows.
// +kubebuilder:validation:Enum=Application;Configuration;Infrastructure;Deadline
type FailureClass string

const (
	// FailureApplication: the program failed; it is tried again while retries are left.
	FailureApplication FailureClass = "Application"
	// FailureConfiguration: what was asked for cannot be; trying again changes nothing.
	FailureConfiguration FailureClass = "Configuration"
	// FailureInfrastructure: the cluster took the run away; it is repeated, and the user's retries are not used for it.
	FailureInfrastructure FailureClass = "Infrastructure"
	// FailureDeadline: its time is over.
	FailureDeadline FailureClass = "Deadline"
)

// TimelineEntry is one status that an operation had.
type TimelineEntry struct {
	// Status is what it became.
	Status Status `json:"status"`
	// Time is when.
	Time metav1.MicroTime `json:"time"`
	// Reason is why, in one word of CamelCase.
	Reason string `json:"reason"`
	// Message is why, in a sentence with the numbers.
	// +optional
	Message string `json:"message,omitempty"`
	// Attempt is the attempt that the entry speaks of, from 1.
	// +optional
	Attempt int32 `json:"attempt,omitempty"`
}

// Values are named JSON values.
// +kubebuilder:validation:MaxProperties=200
type Values map[string]apiextensionsv1.JSON
