package webhook

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/misfit"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/suggest"
	"github.com/queueyard/queueyard/pkg/tenancy"
	"github.com/queueyard/queueyard/pkg/validation"
)

// operationHandler accepts operations that can run, and gives them their queue.
type operationHandler struct {
	decoder  admission.Decoder
	assigner *assigner
	client   client.Client
	live     client.Reader
}

// Handle implements admission.Handler.
func (h *operationHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	op := &v1alpha1.Operation{}
	if err := h.decoder.Decode(req, op); err != nil {
		return malformed(misfit.Explain(req.Object.Raw, op, err))
	}
	op.Namespace = req.Namespace
	if err := validation.Termination(op.Spec.Termination); err != nil {
		return invalidObject(err)
	}
	if req.Operation == admissionv1.Create {
		if response := tooLarge("operation", req.Object.Raw); response != nil {
			return *response
		}
		return h.create(ctx, req, op)
	}
	before := &v1alpha1.Operation{}
	if err := h.decoder.DecodeRaw(req.OldObject, before); err != nil {
		return malformed(err)
	}
	return h.update(ctx, req, before, op)
}

func (h *operationHandler) create(ctx context.Context, req admission.Request, op *v1alpha1.Operation) admission.Response {
	if _, given := op.Annotations[v1alpha1.ApprovedByAnnotation]; given {
		return deny(http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf(
			"annotation %s is written when somebody sets spec.approved to true: leave it out", v1alpha1.ApprovedByAnnotation))
	}
	if response := answerMarks(checkChild(req.UserInfo, childMarksOf(op))); response != nil {
		return *response
	}
	if response := answerMarks(checkCopy(req.UserInfo, copyMarksOf(op))); response != nil {
		return *response
	}
	if _, marked := operation.OutcomeOf(op); marked || operation.IsCopy(op) {
		return admission.Allowed("") // it never runs, or the hub has checked it
	}
	component, response := h.component(ctx, op)
	if response != nil {
		return *response
	}
	assignment, err := h.assign(ctx, op, component, func(string) bool { return true })
	if err != nil {
		return answer(err)
	}
	made, err := operation.TryOut(ctx, op, component, assignment)
	if err != nil {
		return invalidObject(err)
	}
	if response := h.mayRun(ctx, req, made, assignment.Queue); response != nil {
		return *response
	}
	return admission.Patched("", stampQueue(op, assignment)...)
}

// mayRun refuses an operation that would make in the user's place what the user may not create where it would be made.
func (h *operationHandler) mayRun(ctx context.Context, req admission.Request, made operation.Made, queue string) *admission.Response {
	object, ok := made.Object.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	namespace, err := h.runsIn(ctx, req.Namespace, queue)
	if err != nil {
		response := admission.Errored(http.StatusInternalServerError, err)
		return &response
	}
	return h.mayCreate(ctx, req.UserInfo, namespace, object)
}

// mayMake refuses a manifest, found at a path, that the user may not create.
func (h *operationHandler) mayMake(ctx context.Context, req admission.Request, manifest []byte, path string) *admission.Response {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(manifest); err != nil {
		response := invalidObject(fmt.Errorf("%s: apiVersion and kind must be written out: %w", path, err))
		return &response
	}
	return h.mayCreate(ctx, req.UserInfo, req.Namespace, object)
}

// runsIn is the namespace in which operations of a queue run in this cluster: where its agent says, else with the operation.
func (h *operationHandler) runsIn(ctx context.Context, own, queue string) (string, error) {
	q, agent := &v1alpha1.Queue{}, &v1alpha1.Agent{}
	if err := h.client.Get(ctx, client.ObjectKey{Name: queue}, q); client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("queue %q could not be read: %w", queue, err)
	}
	name := tenancy.InfoOf(q).Agent
	if err := h.client.Get(ctx, client.ObjectKey{Name: name}, agent); client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("agent %q could not be read: %w", name, err)
	}
	if agent.Spec.Remote {
		return own, nil // what it may do in the other cluster is that cluster's to say
	}
	return cmp.Or(agent.Spec.Namespace, own), nil
}

func (h *operationHandler) update(ctx context.Context, req admission.Request, before, after *v1alpha1.Operation) admission.Response {
	if field := changedField(req.OldObject.Raw, req.Object.Raw, "component", "template", "params", "environment"); field != "" {
		return invalidObject(fmt.Errorf(
			"spec.%s of operation %q may not change: what it runs was fixed when it was created; make a new operation, or raise spec.restarts to run this one again", field, after.Name))
	}
	if response := answerMarks(unchanged(req.UserInfo, childMarksOf(before), childMarksOf(after))); response != nil {
		return *response
	}
	if response := answerMarks(unchanged(req.UserInfo, copyMarksOf(before), copyMarksOf(after))); response != nil {
		return *response
	}
	if operation.IsCopy(after) && req.UserInfo.Username != controllerUser && !equality.Semantic.DeepEqual(before.Spec, after.Spec) {
		return deny(http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf(
			"operation %q stands for operation %q in namespace %q of the hub: change that one, and the agent follows",
			after.Name, after.Labels[v1alpha1.OriginNameLabel], after.Labels[v1alpha1.OriginNamespaceLabel]))
	}
	if err := checkRestarts("operation", before.Spec.Restarts, after.Spec.Restarts, after.Spec.DesiredState); err != nil {
		return invalidObject(err)
	}
	p, response := approve(req.UserInfo.Username, "operation", before, after, before.Spec.Approved, after.Spec.Approved)
	if response != nil {
		return *response
	}
	_, neverRuns := operation.OutcomeOf(after)
	if response := h.mayRunAgain(ctx, req, before, after); response != nil {
		return *response
	}
	if neverRuns || before.Spec.Queue == after.Spec.Queue && before.Spec.Project == after.Spec.Project && before.Spec.Cost == after.Spec.Cost {
		return admission.Patched("", p...)
	}
	// A component that is gone is no reason to keep an operation in its queue: what it would say was stamped.
	component, response := h.component(ctx, after)
	if response != nil && response.Result.Code == http.StatusInternalServerError {
		return *response
	}
	from := tenancy.NamedQueue(operation.ClaimOf(before, component, nil))
	assignment, err := h.assign(ctx, after, component, func(queue string) bool { return queue != from })
	if err != nil {
		return answer(err)
	}
	return admission.Patched("", append(p, stampQueue(after, assignment)...)...)
}

// mayRunAgain asks of a run that somebody starts again, or moves to another queue, what is asked of a new one: the operation
// may be from before its namespace was managed, and the queue's agent may run it in another namespace.
func (h *operationHandler) mayRunAgain(ctx context.Context, req admission.Request, before, after *v1alpha1.Operation) *admission.Response {
	again := before.Spec.Restarts != after.Spec.Restarts || resumes(before.Spec.DesiredState, after.Spec.DesiredState)
	if req.UserInfo.Username == controllerUser || !again && before.Spec.Queue == after.Spec.Queue {
		return nil
	}
	component, response := h.component(ctx, after)
	if response != nil {
		return nil // it can't run, or what it says of its queue is answered below
	}
	made, err := operation.TryOut(ctx, after, component, tenancy.Assignment{})
	if err != nil {
		return nil // it can't run
	}
	return h.mayRun(ctx, req, made, tenancy.NamedQueue(operation.ClaimOf(after, component, nil)))
}

// component is the one that an operation names, or nil.
func (h *operationHandler) component(ctx context.Context, op *v1alpha1.Operation) (*v1alpha1.Component, *admission.Response) {
	if op.Spec.Component == "" {
		return nil, nil
	}
	component := &v1alpha1.Component{}
	key := client.ObjectKey{Namespace: op.Namespace, Name: op.Spec.Component}
	err := h.client.Get(ctx, key, component)
	if apierrors.IsNotFound(err) {
		err = h.live.Get(ctx, key, component)
	}
	switch {
	case err == nil:
		return component, nil
	case !apierrors.IsNotFound(err):
		response := admission.Errored(http.StatusInternalServerError, fmt.Errorf("component %q could not be read: %w", op.Spec.Component, err))
		return nil, &response
	}
	names := h.componentNames(ctx, op.Namespace)
	response := invalidObject(fmt.Errorf("spec.component: component %q does not exist in namespace %q%s: create it first, or name another (kubectl get components -n %s lists those that exist)",
		op.Spec.Component, op.Namespace, suggest.DidYouMean(op.Spec.Component, names), op.Namespace))
	return nil, &response
}

// componentNames are those that there are, for one that was misspelt.
func (h *operationHandler) componentNames(ctx context.Context, namespace string) (names []string) {
	components := &v1alpha1.ComponentList{}
	if h.client.List(ctx, components, client.InNamespace(namespace), client.UnsafeDisableDeepCopy) == nil {
		for i := range components.Items {
			names = append(names, components.Items[i].Name)
		}
	}
	return names
}

func (h *operationHandler) assign(ctx context.Context, op *v1alpha1.Operation, component *v1alpha1.Component, enters func(string) bool) (tenancy.Assignment, error) {
	assignment, err := h.assigner.assign(ctx, operation.ClaimOf(op, component, nil), enters)
	if refusal, ok := err.(*tenancy.Refusal); ok {
		return assignment, operation.InFields(refusal)
	}
	return assignment, err
}

// mayCreate refuses what the user may not create: the controller would do it in the user's place.
func (h *operationHandler) mayCreate(ctx context.Context, user authenticationv1.UserInfo, namespace string, object *unstructured.Unstructured) *admission.Response {
	kind := object.GroupVersionKind()
	mapping, err := h.client.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
	if isNoKind(err) {
		response := invalidObject(fmt.Errorf("the cluster has no kind %s in %s: install its CRD and controller, or correct apiVersion and kind of the manifest", kind.Kind, kind.GroupVersion()))
		return &response
	}
	if err != nil {
		response := admission.Errored(http.StatusInternalServerError, fmt.Errorf("kind %s could not be looked up: %w", kind.Kind, err))
		return &response
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extraOf(user),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: "create", Group: mapping.Resource.Group, Version: mapping.Resource.Version, Resource: mapping.Resource.Resource,
		},
	}}
	if err := h.client.Create(ctx, review); err != nil {
		response := admission.Errored(http.StatusInternalServerError, fmt.Errorf("whether %q may create %s could not be asked: %w", user.Username, mapping.Resource.GroupResource(), err))
		return &response
	}
	if review.Status.Allowed {
		return nil
	}
	response := deny(http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf(
		"the operation would create a %s, and %q may not create %s in namespace %q: ask for a Role that allows it, or run something else",
		kind.Kind, user.Username, mapping.Resource.GroupResource(), namespace))
	return &response
}

// isNoKind says whether the cluster does not know a kind.
func isNoKind(err error) bool { return meta.IsNoMatchError(err) }

func extraOf(user authenticationv1.UserInfo) map[string]authorizationv1.ExtraValue {
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, value := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(value)
	}
	return extra
}

// stampQueue fills in what an operation leaves open.
func stampQueue(op *v1alpha1.Operation, a tenancy.Assignment) patch {
	var p patch
	if op.Spec.Queue == "" {
		p.add("/spec/queue", a.Queue)
	}
	if op.Spec.Project == "" && a.Project != "" {
		p.add("/spec/project", a.Project)
	}
	return p
}
