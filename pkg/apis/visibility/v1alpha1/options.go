package v1alpha1

import (
	"fmt"
	"net/url"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
)

// PendingOperationOptions are the query of queues/pendingoperations.
//
// +kubebuilder:object:root=true
type PendingOperationOptions struct {
	metav1.TypeMeta `json:",inline"`

	// limit is how many operations to answer with at most. Unset: 100. More than 1000 is 1000.
	// +optional
	Limit int64 `json:"limit,omitempty"`
	// continue is metadata.continue of the page before.
	// +optional
	Continue string `json:"continue,omitempty"`
}

// ExplanationOptions are the query of operations/explanation.
//
// +kubebuilder:object:root=true
type ExplanationOptions struct {
	metav1.TypeMeta `json:",inline"`

	// operationKind is what the operation is, such as Job or PodGroup. It is needed only where several kinds
	// of operations have the name.
	// +optional
	OperationKind string `json:"operationKind,omitempty"`
}

// addConversions makes options of a URL's query.
func addConversions(s *runtime.Scheme) error {
	err := s.AddConversionFunc((*url.Values)(nil), (*PendingOperationOptions)(nil), func(in, out any, _ conversion.Scope) error {
		query, options := in.(*url.Values), out.(*PendingOperationOptions)
		options.Continue = query.Get("continue")
		if limit := query.Get("limit"); limit != "" {
			n, err := strconv.ParseInt(limit, 10, 64)
			if err != nil || n < 1 {
				return fmt.Errorf("limit is %q; it must be a number from 1 to 1000", limit)
			}
			options.Limit = n
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.AddConversionFunc((*url.Values)(nil), (*ExplanationOptions)(nil), func(in, out any, _ conversion.Scope) error {
		out.(*ExplanationOptions).OperationKind = in.(*url.Values).Get("operationKind")
		return nil
	})
}
