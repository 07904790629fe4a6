package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MirrorSpec is an object of the hub as the cluster of an agent is to have it: exactly one of the four, of the name
// that Name says. Limits of tenants, and of queues of several agents, are the agent's share of them. Only the hub writes it.
// +kubebuilder:validation:XValidation:rule="[has(self.agent), has(self.queue), has(self.project), has(self.organization)].exists_one(x, x)",message="a mirror is of one agent, queue, project or organization"
type MirrorSpec struct {
	// Name of the object, at the hub and in the agent's cluster.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// +optional
	Agent *AgentSpec `json:"agent,omitempty"`
	// +optional
	Queue *QueueSpec `json:"queue,omitempty"`
	// +optional
	Project *ProjectSpec `json:"project,omitempty"`
	// +optional
	Organization *OrganizationSpec `json:"organization,omitempty"`

	// Whole is what the limits of a project, an organization or a queue here are the agent's share of. Unset: they are whole.
	// +optional
	Whole *Share `json:"whole,omitempty"`
	// Revision of that share.
	// +optional
	Revision int64 `json:"revision,omitempty"`
}

// MirrorStatus is what the agent made of it. Only the agent writes it.
type MirrorStatus struct {
	// ObservedGeneration is the generation of the spec that is in force in the agent's cluster.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Held is the share of the limits that the agent's cluster holds: what is in force there, or what runs there where
	// that is more. A share that was taken back is free for others as soon as it is no longer held.
	// +optional
	Held *Share `json:"held,omitempty"`

	// Demand is what its operations use there and wait for.
	// +optional
	Demand *Share `json:"demand,omitempty"`

	// Queue is the status of the queue in the agent's cluster.
	// +optional
	Queue *QueueStatus `json:"queue,omitempty"`

	// Agent is the agent's account of itself.
	// +optional
	Agent *AgentReport `json:"agent,omitempty"`

	// Message says why it is not in force.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Message string `json:"message,omitempty"`
}

// AgentReport is what an agent says of its cluster.
type AgentReport struct {
	// Version of the agent.
	// +optional
	Version string `json:"version,omitempty"`
	// KubernetesVersion of its cluster.
	// +optional
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// Nodes that are ready.
	// +optional
	Nodes int32 `json:"nodes,omitempty"`
	// Allocatable is what these nodes have together.
	// +optional
	Allocatable corev1.ResourceList `json:"allocatable,omitempty"`
	// Pending, Admitted and Levels are as the scheduler of its cluster counts.
	// +optional
	Pending int32 `json:"pending,omitempty"`
	// +optional
	Admitted int32 `json:"admitted,omitempty"`
	// +optional
	// +listType=atomic
	Levels []LevelStatus `json:"levels,omitempty"`
}

// Mirror is what an agent in another cluster is to know of an agent, queue, project or organization of the hub. It is
// in the namespace of the agent and named KIND.NAME, in lower case.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=queueyard
// +kubebuilder:printcolumn:name="Of",type=string,JSONPath=`.spec.name`
// +kubebuilder:printcolumn:name="Held",type=integer,JSONPath=`.status.held.concurrency`
// +kubebuilder:printcolumn:name="Demand",type=integer,JSONPath=`.status.demand.concurrency`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Mirror struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec MirrorSpec `json:"spec"`
	// +optional
	Status MirrorStatus `json:"status,omitempty"`
}

// MirrorList is a list of Mirrors.
//
// +kubebuilder:object:root=true
type MirrorList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Mirror `json:"items"`
}
