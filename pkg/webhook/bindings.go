package webhook

import (
	"context"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// bindingHandler keeps others from binding a pod that waits in a queue. The webhook configuration
// does not ask about the bindings of the scheduler of queues.
type bindingHandler struct {
	decoder admission.Decoder
	live    client.Reader
}

// Handle implements admission.Handler.
func (h *bindingHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	binding := &corev1.Binding{}
	if err := h.decoder.Decode(req, binding); err != nil {
		return malformed(err)
	}
	name := req.Name
	if name == "" {
		name = binding.Name
	}
	pod := &corev1.Pod{}
	err := h.live.Get(ctx, client.ObjectKey{Namespace: req.Namespace, Name: name}, pod)
	switch {
	case apierrors.IsNotFound(err):
		// The API server says so itself.
		return admission.Allowed("")
	case err != nil:
		return admission.Errored(http.StatusInternalServerError, fmt.Errorf("pod %q could not be read: %w", name, err))
	case pod.Spec.SchedulerName == v1alpha1.SchedulerName:
		return deny(http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf(
			"pod %q goes through a queue and is bound by %s only, not by %q: let the scheduler place it, or raise the limits of its queue",
			name, v1alpha1.SchedulerName, req.UserInfo.Username))
	}
	return admission.Allowed("")
}
