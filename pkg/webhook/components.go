package webhook

import (
	"context"
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/directory"
	"github.com/queueyard/queueyard/pkg/misfit"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/suggest"
	"github.com/queueyard/queueyard/pkg/tenancy"
	"github.com/queueyard/queueyard/pkg/validation"
)

// componentHandler checks components before operations use them.
type componentHandler struct {
	decoder admission.Decoder
	live    client.Reader
	// operations answers for what operations of the component will be.
	operations *operationHandler
}

// Handle implements admission.Handler.
func (h *componentHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	component := &v1alpha1.Component{}
	if err := h.decoder.Decode(req, component); err != nil {
		return malformed(misfit.Explain(req.Object.Raw, component, err))
	}
	if err := validation.Component(component); err != nil {
		return invalidObject(err)
	}
	// Operations that name it may be accepted already.
	if object := component.Spec.Template.Object; object != nil {
		if response := h.operations.mayMake(ctx, req, object.Manifest.Raw, "spec.template.object.manifest"); response != nil {
			return *response
		}
	}
	// Its queue may be created later: operations are refused until then, the component is not.
	dir := directory.New(ctx, h.live)
	name := tenancy.NamedQueue(operation.ClaimOf(&v1alpha1.Operation{}, component, nil))
	if component.Spec.Queue == "" {
		return admission.Allowed("")
	}
	if _, ok := dir.Queue(name); ok || dir.Err() != nil {
		return admission.Allowed("")
	}
	return admission.Allowed("").WithWarnings(fmt.Sprintf(
		"spec.queue: queue %s does not exist%s: operations of the component are refused until it does, unless they name another",
		clip(fmt.Sprintf("%q", component.Spec.Queue)), suggest.DidYouMean(name, dir.QueueNames())))
}

// maxSentence bounds what a refusal says.
const maxSentence = 4096

func clip(sentence string) string {
	if len(sentence) <= maxSentence {
		return sentence
	}
	return sentence[:maxSentence] + "..."
}

func invalidObject(err error) admission.Response {
	return deny(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, clip(err.Error()))
}
