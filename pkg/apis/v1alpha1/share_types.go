package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Share is a part of the limits of a project, an organization or a queue of several agents. As a limit, what it does not name is unlimited; as an
// account of what is used or wanted, it is nothing.
type Share struct {
	// Concurrency is a number of operations.
	// +optional
	Concurrency *int32 `json:"concurrency,omitempty"`
	// Resources are of the requests of admitted operations.
	// +optional
	Resources corev1.ResourceList `json:"resources,omitempty"`
	// Cost per hour of admitted operations.
	// +optional
	Cost *resource.Quantity `json:"cost,omitempty"`
	// Budget is an amount of the budget of a window.
	// +optional
	Budget *resource.Quantity `json:"budget,omitempty"`
	// Revision grows with every change of the share of one cluster.
	// +optional
	Revision int64 `json:"revision,omitempty"`
}

// AgentShare is the share of an agent in another cluster.
type AgentShare struct {
	// Agent whose share it is.
	Agent string `json:"agent"`
	Share `json:",inline"`
}

// EnforcedLimits are the limits that a scheduler goes by.
type EnforcedLimits struct {
	// Share has the limits, and the revision of the cluster's share among them.
	Share `json:",inline"`
	// Generation of the spec that they are of.
	// +optional
	Generation int64 `json:"generation,omitempty"`
}
