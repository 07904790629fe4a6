package visibility

import (
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
)

// NotFound says, in a sentence that helps, that something is not known here.
func NotFound(resource, name, format string, args ...any) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusNotFound,
		Reason:  metav1.StatusReasonNotFound,
		Details: &metav1.StatusDetails{Group: v1alpha1.GroupVersion.Group, Kind: resource, Name: name},
		Message: fmt.Sprintf(format, args...),
	}}
}

// Unavailable says that this replica can't answer now.
func Unavailable(message string) error { return apierrors.NewServiceUnavailable(message) }

// Bad says what is wrong with a request.
func Bad(format string, args ...any) error {
	return apierrors.NewBadRequest(fmt.Sprintf(format, args...))
}
