package webhook

import (
	"errors"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/queueyard/queueyard/pkg/tenancy"
)

// answer turns what tenancy decided into a response: malformed requests are 422, forbidden ones
// 403, and a failed read is 500, so that clients may try again.
func answer(err error) admission.Response {
	if err == nil {
		return admission.Allowed("")
	}
	var refusal *tenancy.Refusal
	if !errors.As(err, &refusal) {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	switch refusal.Reason {
	case tenancy.ReasonInvalidReference, tenancy.ReasonContradiction:
		return deny(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, refusal.Message)
	}
	return deny(http.StatusForbidden, metav1.StatusReasonForbidden, refusal.Message)
}

func deny(code int32, reason metav1.StatusReason, message string) admission.Response {
	response := admission.Denied("")
	response.Result = &metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}
	return response
}

func malformed(err error) admission.Response { return admission.Errored(http.StatusBadRequest, err) }
