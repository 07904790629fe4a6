package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/misfit"
	"github.com/queueyard/queueyard/pkg/validation"
	"github.com/queueyard/queueyard/pkg/workflow/plan"
)

// workflowHandler accepts workflows of which all that can be known before they run is right.
type workflowHandler struct {
	decoder admission.Decoder
	// operations answers for what the workflow's operations will be.
	operations *operationHandler
}

// Handle implements admission.Handler.
func (h *workflowHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	w := &v1alpha1.Workflow{}
	if err := h.decoder.Decode(req, w); err != nil {
		return malformed(misfit.Explain(req.Object.Raw, w, err))
	}
	w.Namespace = req.Namespace
	if !validation.WellFormed(&w.Spec) {
		return admission.Allowed("") // the schema, which is asked later, says what is wrong
	}
	if err := validation.Durations(&w.Spec); err != nil {
		return invalidObject(err)
	}
	if req.Operation == admissionv1.Create {
		if response := tooLarge("workflow", req.Object.Raw); response != nil {
			return *response
		}
		return h.create(ctx, req, w)
	}
	before := &v1alpha1.Workflow{}
	if err := h.decoder.DecodeRaw(req.OldObject, before); err != nil {
		return malformed(err)
	}
	return h.update(ctx, req, before, w)
}

func (h *workflowHandler) create(ctx context.Context, req admission.Request, w *v1alpha1.Workflow) admission.Response {
	if req.UserInfo.Username == controllerUser {
		return admission.Allowed("") // a part of one that was checked
	}
	if _, given := w.Annotations[v1alpha1.ApprovedByAnnotation]; given {
		return deny(http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf(
			"annotation %s is written when somebody sets spec.approved to true: leave it out", v1alpha1.ApprovedByAnnotation))
	}
	if response := answerMarks(checkChild(req.UserInfo, childMarksOf(w))); response != nil {
		return *response
	}
	components := &components{handler: h.operations, namespace: w.Namespace, read: map[string]*v1alpha1.Component{}}
	_, err := plan.Check(w, func(name string) (*v1alpha1.Component, []string, error) { return components.find(ctx, name) })
	var unread plan.ErrUnread
	if errors.As(err, &unread) {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	if err != nil {
		return invalidObject(err)
	}
	if response := h.mayMakeAll(ctx, req, w, components); response != nil {
		return *response
	}
	return h.assign(ctx, w)
}

// assign finds the queue and project of operations that name none, and gives the workflow the concurrency that its
// entrypoint suggests, so that it can be changed.
func (h *workflowHandler) assign(ctx context.Context, w *v1alpha1.Workflow) admission.Response {
	stand := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace}, Spec: v1alpha1.OperationSpec{Queue: w.Spec.Queue, Project: w.Spec.Project}}
	assignment, err := h.operations.assign(ctx, stand, nil, func(string) bool { return true })
	if err != nil {
		return answer(err)
	}
	p := stampQueue(stand, assignment)
	if concurrency := plan.Concurrency(&w.Spec); w.Spec.Concurrency == nil && concurrency != nil {
		p.add("/spec/concurrency", *concurrency)
	}
	return admission.Patched("", p...)
}

func (h *workflowHandler) update(ctx context.Context, req admission.Request, before, after *v1alpha1.Workflow) admission.Response {
	if field := changedField(req.OldObject.Raw, req.Object.Raw, "inputs", "params", "entrypoint", "templates", "onExit"); field != "" {
		return invalidObject(fmt.Errorf(
			"spec.%s of workflow %q may not change: what it runs was fixed when it was created; make a new workflow, or raise spec.restarts to run what failed of this one again", field, after.Name))
	}
	if response := answerMarks(unchanged(req.UserInfo, childMarksOf(before), childMarksOf(after))); response != nil {
		return *response
	}
	if err := checkRestarts("workflow", before.Spec.Restarts, after.Spec.Restarts, after.Spec.DesiredState); err != nil {
		return invalidObject(err)
	}
	if err := plan.CheckPolicies(after); err != nil && changedField(req.OldObject.Raw, req.Object.Raw, "earlyStopping") != "" {
		return invalidObject(err)
	}
	p, response := approve(req.UserInfo.Username, "workflow", before, after, before.Spec.Approved, after.Spec.Approved)
	if response != nil {
		return *response
	}
	if response := h.mayRunAgain(ctx, req, before, after); response != nil {
		return *response
	}
	if before.Spec.Queue == after.Spec.Queue && before.Spec.Project == after.Spec.Project {
		return admission.Patched("", p...)
	}
	answered := h.assign(ctx, after)
	answered.Patches = append(answered.Patches, p...)
	return answered
}

// mayRunAgain asks of a workflow that somebody starts again what is asked of a new one: it may be from before its namespace
// was managed.
func (h *workflowHandler) mayRunAgain(ctx context.Context, req admission.Request, before, after *v1alpha1.Workflow) *admission.Response {
	if req.UserInfo.Username == controllerUser || before.Spec.Restarts == after.Spec.Restarts && !resumes(before.Spec.DesiredState, after.Spec.DesiredState) {
		return nil
	}
	components := &components{handler: h.operations, namespace: after.Namespace, read: map[string]*v1alpha1.Component{}}
	// What is wrong with it the controller says, as of one that was never admitted.
	for _, name := range plan.ComponentsOf(&after.Spec) {
		if _, _, err := components.find(ctx, name); err != nil {
			response := admission.Errored(http.StatusInternalServerError, err)
			return &response
		}
	}
	return h.mayMakeAll(ctx, req, after, components)
}

// mayMakeAll refuses what the user may not create of what the operations of a workflow would. Of each kind it asks once.
func (h *workflowHandler) mayMakeAll(ctx context.Context, req admission.Request, w *v1alpha1.Workflow, components *components) *admission.Response {
	asked := map[metav1.TypeMeta]bool{}
	for _, run := range h.runs(w, components) {
		var kind metav1.TypeMeta
		if json.Unmarshal(run.manifest, &kind) == nil && asked[kind] {
			continue
		}
		if response := h.operations.mayMake(ctx, req, run.manifest, run.path); response != nil {
			return response
		}
		asked[kind] = true
	}
	return nil
}

// components reads each component once.
type components struct {
	handler   *operationHandler
	namespace string
	read      map[string]*v1alpha1.Component
	names     []string
}

func (c *components) find(ctx context.Context, name string) (*v1alpha1.Component, []string, error) {
	if component, ok := c.read[name]; ok {
		return component, c.names, nil
	}
	component := &v1alpha1.Component{}
	key := client.ObjectKey{Namespace: c.namespace, Name: name}
	err := c.handler.client.Get(ctx, key, component)
	if apierrors.IsNotFound(err) {
		err = c.handler.live.Get(ctx, key, component)
	}
	switch {
	case err == nil:
		c.read[name] = component
		return component, nil, nil
	case !apierrors.IsNotFound(err):
		return nil, nil, fmt.Errorf("component %q could not be read: %w", name, err)
	}
	c.read[name] = nil
	c.names = c.handler.componentNames(ctx, c.namespace)
	return nil, c.names, nil
}

// run is a manifest that operations of a workflow would create.
type run struct {
	manifest []byte
	path     string
}

// runs are the manifests of other kinds than pods and Jobs.
func (h *workflowHandler) runs(w *v1alpha1.Workflow, components *components) (out []run) {
	add := func(t *v1alpha1.RunTemplate, path string) {
		if t != nil && t.Object != nil {
			out = append(out, run{t.Object.Manifest.Raw, path})
		}
	}
	for i := range w.Spec.Templates {
		if o := w.Spec.Templates[i].Operation; o != nil {
			add(o.Template, fmt.Sprintf("spec.templates[%d].operation.template.object.manifest", i))
		}
	}
	for name, component := range components.read {
		if component != nil {
			add(&component.Spec.Template, fmt.Sprintf("component %s: spec.template.object.manifest", name))
		}
	}
	return out
}
