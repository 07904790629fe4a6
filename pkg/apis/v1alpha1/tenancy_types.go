package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OrganizationSpec is what an organization's projects share.
type OrganizationSpec struct {
	// DefaultQueue is the queue of operations that name none and whose project sets none.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	DefaultQueue string `json:"defaultQueue,omitempty"`

	// Concurrency is how many operations of all its projects may be admitted at a time.
	// Unset or -1 is unlimited, 0 admits none.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	Concurrency *int32 `json:"concurrency,omitempty"`

	// Quota bounds what the admitted operations of all its projects may ask for together.
	// +optional
	Quota *Quota `json:"quota,omitempty"`
}

// TenantStatus is what was last seen of an organization or a project. What is counted is counted in this cluster, and
// written at most once a second.
type TenantStatus struct {
	// ObservedGeneration is the generation of the spec that the conditions speak of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Admitted is how many operations hold a seat.
	// +optional
	Admitted int32 `json:"admitted,omitempty"`

	// Usage is what the admitted operations ask for together.
	// +optional
	Usage corev1.ResourceList `json:"usage,omitempty"`

	// CostRate is what the admitted operations cost per hour.
	// +optional
	CostRate string `json:"costRate,omitempty"`

	// Demand is what operations hold and wait for: of those that wait, each pod counts as one.
	// +optional
	Demand *Share `json:"demand,omitempty"`

	// Enforced is the limits that the scheduler went by when it counted.
	// +optional
	Enforced *EnforcedLimits `json:"enforced,omitempty"`

	// Budget is how much of quota.budget is used.
	// +optional
	Budget *BudgetStatus `json:"budget,omitempty"`

	// Local is the share of the limits for the queues that this cluster itself serves. Unset: they are whole here,
	// because no agent is in another cluster.
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

	// Conditions: Ready (False names the reference that leads nowhere).
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Organization groups projects under common defaults and limits.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=org;orgs,categories=queueyard
// +kubebuilder:printcolumn:name="Default Queue",type=string,JSONPath=`.spec.defaultQueue`
// +kubebuilder:printcolumn:name="Concurrency",type=integer,JSONPath=`.spec.concurrency`
// +kubebuilder:printcolumn:name="Running",type=integer,JSONPath=`.status.admitted`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="an organization's name is a DNS label: at most 63 characters, no dots"
type Organization struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Spec OrganizationSpec `json:"spec,omitempty"`
	// +optional
	Status TenantStatus `json:"status,omitempty"`
}

// OrganizationList is a list of Organizations.
//
// +kubebuilder:object:root=true
type OrganizationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Organization `json:"items"`
}

// ProjectNamespaces says which namespaces may claim a project: those named and those selected.
type ProjectNamespaces struct {
	// Names of namespaces.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MaxLength=63
	Names []string `json:"names,omitempty"`

	// Selector over the labels of namespaces. An empty selector selects every namespace.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// ProjectSpec says whose operations these are, which queues they may use and what bounds them.
type ProjectSpec struct {
	// Organization this project belongs to.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Organization string `json:"organization,omitempty"`

	// DefaultQueue is the queue of operations that name none.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	DefaultQueue string `json:"defaultQueue,omitempty"`

	// AllowedQueues are names or globs ("gpu-*") of the queues the project may use. Empty allows all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	AllowedQueues []string `json:"allowedQueues,omitempty"`

	// Namespaces whose operations may belong to the project. This list, not a user's label, is what
	// is trusted: a label names one of the projects that claim its namespace, never another.
	// +optional
	Namespaces ProjectNamespaces `json:"namespaces,omitempty"`

	// Concurrency is how many operations of the project may be admitted at a time, over all queues.
	// Unset or -1 is unlimited, 0 admits none.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	Concurrency *int32 `json:"concurrency,omitempty"`

	// Quota bounds what the project's admitted operations may ask for together, over all queues.
	// +optional
	Quota *Quota `json:"quota,omitempty"`
}

// Project owns operations of some namespaces.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=queueyard
// +kubebuilder:printcolumn:name="Organization",type=string,JSONPath=`.spec.organization`
// +kubebuilder:printcolumn:name="Default Queue",type=string,JSONPath=`.spec.defaultQueue`
// +kubebuilder:printcolumn:name="Concurrency",type=integer,JSONPath=`.spec.concurrency`
// +kubebuilder:printcolumn:name="Running",type=integer,JSONPath=`.status.admitted`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="a project's name is a DNS label: at most 63 characters, no dots, so that it can be a label's value"
type Project struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	// +kubebuilder:default={}
	Spec ProjectSpec `json:"spec,omitempty"`
	// +optional
	Status TenantStatus `json:"status,omitempty"`
}

// ProjectList is a list of Projects.
//
// +kubebuilder:object:root=true
type ProjectList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Project `json:"items"`
}
