package webhook

import (
	"context"
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// objectHandler checks in Queueyard's own objects what their schema cannot show.
type objectHandler struct {
	decoder admission.Decoder
}

// Handle implements admission.Handler.
func (h *objectHandler) Handle(_ context.Context, req admission.Request) admission.Response {
	var object runtime.Object
	var validate func() error
	switch req.Kind.Kind {
	case "Project":
		p := &v1alpha1.Project{}
		object, validate = p, func() error { return tenancy.ValidateProject(p) }
	case "Organization":
		o := &v1alpha1.Organization{}
		object, validate = o, func() error { return tenancy.ValidateOrganization(o) }
	case "Queue":
		q := &v1alpha1.Queue{}
		object, validate = q, func() error { return tenancy.ValidateQueue(q) }
	default:
		return malformed(fmt.Errorf("kind %s is not validated here", req.Kind.Kind))
	}
	if err := h.decoder.Decode(req, object); err != nil {
		return malformed(err)
	}
	if err := validate(); err != nil {
		return deny(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, err.Error())
	}
	return admission.Allowed("")
}
