package v1alpha1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// InputType is the type of a param.
// +kubebuilder:validation:Enum=string;int;float;bool;list;map;any
type InputType string

// Input declares a param.
type Input struct {
	// Name is how expressions call it: params.NAME.
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// Type is string, int, float, bool, list, map or any. Default any.
	// +optional
	// +kubebuilder:default=any
	Type InputType `json:"type,omitempty"`

	// Description says what it is for.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// Default is the value where none is given. Without a default the param must be given.
	// +optional
	Default *apiextensionsv1.JSON `json:"default,omitempty"`

	// Options are the only values accepted.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Options []apiextensionsv1.JSON `json:"options,omitempty"`

	// Minimum is the least number, or the least length of a string or list.
	// +optional
	Minimum *apiextensionsv1.JSON `json:"minimum,omitempty"`

	// Maximum is the largest number, or the largest length of a string or list.
	// +optional
	Maximum *apiextensionsv1.JSON `json:"maximum,omitempty"`

	// Pattern is a regular expression (RE2) that a string must match.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Pattern string `json:"pattern,omitempty"`
}

// ComponentSpec is a recipe: what to run, with which params, and what it would like.
type ComponentSpec struct {
	// Description says what it does.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Description string `json:"description,omitempty"`

	// Inputs are the params it takes.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Inputs []Input `json:"inputs,omitempty"`

	// Template is what it runs.
	Template RunTemplate `json:"template"`

	// Queue of operations that name none: "NAME" or "AGENT/NAME".
	// +optional
	// +kubebuilder:validation:MaxLength=127
	Queue string `json:"queue,omitempty"`

	// Priority of operations that set none.
	// +optional
	Priority *int32 `json:"priority,omitempty"`

	// Cost per hour of operations that declare none, such as "2.50".
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Cost string `json:"cost,omitempty"`

	// Termination of operations, field by field where they set none.
	// +optional
	Termination *Termination `json:"termination,omitempty"`
}

// Component is a reusable recipe for operations of its namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=queueyard
// +kubebuilder:printcolumn:name="Queue",type=string,JSONPath=`.spec.queue`
// +kubebuilder:printcolumn:name="Description",type=string,JSONPath=`.spec.description`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Component struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec ComponentSpec `json:"spec"`
}

// ComponentList is a list of Components.
//
// +kubebuilder:object:root=true
type ComponentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Component `json:"items"`
}
