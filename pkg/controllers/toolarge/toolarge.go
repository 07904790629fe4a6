// Package toolarge tells objects that are too large to be kept from other errors: to try again changes nothing.
package toolarge

import (
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Is says whether an object was too large for the API server, or for etcd behind it. Of the latter the API server only passes on
// what it said.
func Is(err error) bool {
	if err == nil {
		return false
	}
	return apierrors.IsRequestEntityTooLargeError(err) || strings.Contains(err.Error(), "etcdserver: request is too large") ||
		strings.Contains(err.Error(), "trying to send message larger than max")
}
