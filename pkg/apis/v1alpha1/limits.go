package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Quota bounds what the admitted operations may ask for together.
type Quota struct {
	// Resources bounds the sum of the pods' requests, per resource, as the scheduler counts them
	// (init containers, sidecars, pod overhead and pod-level resources included). Any resource
	// may be named: cpu, memory, ephemeral-storage, nvidia.com/gpu, google.com/tpu or your own.
	// A resource that is not named, or set to -1, is unlimited; 0 admits nothing that asks for it.
	// The largest bound is 9P.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(r, type(self[r]) == int ? self[r] >= -1 : (self[r] == '-1' || sign(quantity(self[r])) >= 0))",message="a resource bound must be 0 or more, or -1 for unlimited"
	// +kubebuilder:validation:XValidation:rule="self.all(r, type(self[r]) == int ? self[r] <= 9000000000000000 : !quantity(self[r]).isGreaterThan(quantity('9P')))",message="a resource bound must be at most 9P"
	// +kubebuilder:validation:XValidation:rule="self.all(r, r.size() <= 316)",message="a resource name has at most 316 characters"
	Resources map[corev1.ResourceName]resource.Quantity `json:"resources,omitempty"`
}
