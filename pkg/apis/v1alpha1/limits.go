package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Quota bounds what the admitted operations may ask for together.
type Quota struct {
	// Resources bounds the sum of the pods' requests, per resource, as the scheduler counts them
	// (init containers, sidecars, pod overhead and pod-level resources included): cpu in cores, memory in bytes. Any
	// resource may be named: cpu, memory, ephemeral-storage, pods, nvidia.com/gpu, google.com/tpu or your own.
	// A resource that is not named, or set to -1, is unlimited; 0 admits nothing that asks for it.
	// The largest bound is 9P.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(r, type(self[r]) == int ? self[r] >= -1 : (self[r] == '-1' || sign(quantity(self[r])) >= 0))",message="a resource bound must be 0 or more, or -1 for unlimited: a number such as 8, 500m or 16Gi"
	// +kubebuilder:validation:XValidation:rule="self.all(r, type(self[r]) == int ? self[r] <= 9000000000000000 : !quantity(self[r]).isGreaterThan(quantity('9P')))",message="a resource bound must be at most 9P"
	// +kubebuilder:validation:XValidation:rule="self.all(r, r.size() <= 316)",message="a resource name has at most 316 characters"
	// +kubebuilder:validation:XValidation:rule="self.all(r, r.contains('/') || r.startsWith('hugepages-') || r in ['cpu', 'memory', 'ephemeral-storage', 'pods'])",message="no pod can ask for such a resource: write cpu, memory, ephemeral-storage, pods, hugepages-SIZE, or a name with its domain, such as nvidia.com/gpu"
	Resources map[corev1.ResourceName]resource.Quantity `json:"resources,omitempty"`

	// Cost bounds what all admitted operations cost together per hour, at the agent's prices or as they
	// declare. Unset or -1 is unlimited; 0 admits nothing that costs.
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= -1 : isQuantity(self) && (self == '-1' || sign(quantity(self)) >= 0)",message="cost must be 0 or more, or -1 for unlimited: a number such as 2.50"
	Cost *resource.Quantity `json:"cost,omitempty"`

	// Budget bounds what admitted operations may cost over a window of time.
	// +optional
	Budget *Budget `json:"budget,omitempty"`
}

// Budget is an amount of cost for every window of time. When it is used up nothing more is admitted
// until the window turns; what runs goes on and is accounted.
type Budget struct {
	// Amount that may be spent in a window, in the currency of the agent's prices.
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 : isQuantity(self) && sign(quantity(self)) >= 0",message="amount must be 0 or more: a number such as 1000"
	Amount resource.Quantity `json:"amount"`

	// Window is hour, day or month of the calendar in UTC, or a duration of at least 1m, such as 168h;
	// windows of a duration follow each other since 1970-01-01T00:00:00Z.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self in ['hour', 'day', 'month'] || self.matches('^([0-9]+(h|m|s))+$') && duration(self) >= duration('1m')",message="a window is hour, day, month, or a duration of at least 1m, such as 168h"
	Window string `json:"window"`
}

// BudgetStatus is how much of a budget is used. It is written every ten seconds while something is
// spent; a restart counts on from it.
type BudgetStatus struct {
	// WindowStart and WindowEnd are the window that Spent is for.
	WindowStart metav1.Time `json:"windowStart"`
	WindowEnd   metav1.Time `json:"windowEnd"`
	// Spent is the cost accounted in this window.
	Spent string `json:"spent"`
	// Left is what the budget has left, 0.00 when it is used up.
	Left string `json:"left"`
	// AccountedUntil is the time up to which Spent counts.
	AccountedUntil metav1.Time `json:"accountedUntil"`
}
