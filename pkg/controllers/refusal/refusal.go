// Package refusal tells what the API server refuses only for now from what it refuses for good, and says it to whoever waits.
package refusal

import (
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/toolarge"
)

// forNow is what the API server says of what it may take later, nearly all of it as Forbidden: others end and make room, or it is about
// to be ready.
var forNow = []struct{ says, reason, remedy string }{
	{"exceeded quota", v1alpha1.ReasonResourceQuotaExceeded, "it is made when others of the namespace have ended, or the quota is raised"},
	{"because it is being terminated", v1alpha1.ReasonNamespaceTerminating, "it is made if the namespace is there anew when it is tried again"},
	{"status unknown for quota", v1alpha1.ReasonFailedCreate, "it is made when the quota has been counted"},
	{"not yet ready to handle request", v1alpha1.ReasonFailedCreate, "it is made when the API server is ready"},
	{"there was an error enforcing limit ranges", v1alpha1.ReasonFailedCreate, "it is made when the API server is ready"},
	{"namespaces \"", v1alpha1.ReasonFailedCreate, "it is made when there is such a namespace"},
}

// ForNow says whether the same may be taken later, though nobody changes it.
func ForNow(err error) bool {
	if !apierrors.IsForbidden(err) {
		return noNamespace(err)
	}
	for _, f := range forNow {
		if strings.Contains(err.Error(), f.says) {
			return true
		}
	}
	return false
}

// noNamespace says that there is none to make something in: an agent may name one that is yet to come.
func noNamespace(err error) bool {
	status := apierrors.APIStatus(nil)
	return apierrors.IsNotFound(err) && errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// ForGood says that trying again changes nothing.
func ForGood(err error) bool {
	return (apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err) || toolarge.Is(err)) && !ForNow(err)
}

// Why is the reason of a refusal and what to do about it, by what the API server said.
func Why(said string) (reason, message string) {
	reason, remedy := v1alpha1.ReasonFailedCreate, "it is tried again until that is put right"
	for _, f := range forNow {
		if strings.Contains(said, f.says) {
			reason, remedy = f.reason, f.remedy
			break
		}
	}
	return reason, said + ": " + remedy
}

// Said is what the API server said, without what was put before it on the way here.
func Said(err error) string {
	if status := apierrors.APIStatus(nil); errors.As(err, &status) && status.Status().Message != "" {
		return status.Status().Message
	}
	return err.Error()
}
