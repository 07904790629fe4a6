// Package v1alpha1 holds the API of queueyard.io: where operations wait (Queue, Agent), whose
// limits they count against (Organization, Project), what they run (Operation, Component,
// Workflow), and what agents in other clusters are told (Assignment, Mirror).
//
// +kubebuilder:object:generate=true
// +groupName=queueyard.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of the types in this package.
var GroupVersion = schema.GroupVersion{Group: "queueyard.io", Version: "v1alpha1"}

var schemeBuilder = runtime.NewSchemeBuilder(func(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&Agent{}, &AgentList{},
		&Assignment{}, &AssignmentList{},
		&Component{}, &ComponentList{},
		&Mirror{}, &MirrorList{},
		&Operation{}, &OperationList{},
		&Organization{}, &OrganizationList{},
		&Project{}, &ProjectList{},
		&Queue{}, &QueueList{},
		&Workflow{}, &WorkflowList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
})

// AddToScheme adds the types of this package to a scheme.
var AddToScheme = schemeBuilder.AddToScheme
