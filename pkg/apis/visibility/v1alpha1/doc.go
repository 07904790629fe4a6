// Package v1alpha1 holds the API of visibility.queueyard.io: what the leading scheduler says of who
// waits, why, and until when. Its objects are answers: nothing of them is stored.
//
// +kubebuilder:object:generate=true
// +kubebuilder:skip
// +groupName=visibility.queueyard.io
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=io.queueyard.visibility.v1alpha1
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of the types in this package.
var GroupVersion = schema.GroupVersion{Group: "visibility.queueyard.io", Version: "v1alpha1"}

// Resources and subresources.
const (
	QueuesResource            = "queues"
	PodsResource              = "pods"
	OperationsResource        = "operations"
	PendingOperationsResource = "pendingoperations"
	ExplanationResource       = "explanation"
)

var schemeBuilder = runtime.NewSchemeBuilder(func(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &PendingOperationList{}, &PendingOperationOptions{}, &Explanation{}, &ExplanationOptions{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return addConversions(s)
})

// AddToScheme adds the types of this package to a scheme.
var AddToScheme = schemeBuilder.AddToScheme
