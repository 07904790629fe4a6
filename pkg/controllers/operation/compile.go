package operation

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/directory"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// made is what an attempt is to run as, and how that was found.
type made struct {
	operation.Made
	compilation operation.Compilation
}

// fail keeps the first thing that could not be read.
func (w *work) fail(err error) *operation.Cause {
	if w.err == nil {
		w.err = err
	}
	return &operation.Cause{Class: operation.Infrastructure, Reason: "NotRead", Message: err.Error()}
}

// compile resolves component, queue, params and template.
func (w *work) compile(ctx context.Context, attempt int32, queued time.Time) operation.Compilation {
	m, cause := w.make(ctx, attempt, queued)
	if cause != nil {
		return operation.Compilation{Problem: cause}
	}
	w.made = m
	return m.compilation
}

func (w *work) make(ctx context.Context, attempt int32, queued time.Time) (*made, *operation.Cause) {
	op, err := w.withTemplate(ctx)
	if err != nil {
		return nil, w.fail(err)
	}
	component, err := w.component(ctx)
	if apierrors.IsNotFound(err) {
		return nil, &operation.Cause{Class: operation.Configuration, Reason: "UnknownComponent", Message: fmt.Sprintf(
			"component %q does not exist in namespace %s: create it, or name another one in spec.component", op.Spec.Component, op.Namespace)}
	}
	if err != nil {
		return nil, w.fail(err)
	}
	recipe, err := operation.Compile(op, component)
	if err != nil {
		return nil, invalid(err)
	}
	c, cause := w.assign(ctx, component)
	if cause != nil {
		return nil, cause
	}
	place, err := w.placeOf(ctx, w.op, c.Queue)
	if err != nil {
		return nil, w.fail(err)
	}
	g, err := groupOf(ctx, w.client, c.Queue)
	if err != nil {
		return nil, w.fail(err)
	}
	if g != nil {
		place = g.place(w.op, w.choice.Agent)
	}
	mark := operation.Mark{
		Operation: op, Attempt: attempt, Namespace: place.namespace, Queued: queued,
		Queue: c.Queue, Project: c.Project, Organization: c.Organization, Priority: ptr.To(c.Priority), Cost: c.Cost,
	}
	var object operation.Made
	if c.Agent = place.remote(); c.Agent == "" {
		object, err = recipe.Make(ctx, mark)
	} else {
		mark.Namespace, mark.StartTimeout = v1alpha1.AgentNamespace(c.Agent), w.policy(ctx).StartTimeout
		object, err = recipe.Assign(ctx, mark, place.namespace)
	}
	if err != nil {
		return nil, invalid(err)
	}
	kind, err := apiutil.GVKForObject(object.Object, w.client.Scheme())
	if err != nil {
		return nil, invalid(err)
	}
	if !known(object.Object) {
		cause, err := w.kinds.check(ctx, kind)
		if err != nil {
			return nil, w.fail(err)
		}
		if cause != nil {
			return nil, cause
		}
	}
	c.Run = &v1alpha1.RunReference{APIVersion: kind.GroupVersion().String(), Kind: kind.Kind, Namespace: mark.Namespace, Name: object.Object.GetName()}
	c.Requests = requests(object.Pods)
	if c.Routed = w.choice.Reason; g != nil && w.choice.Agent == "" {
		c.Run, c.Agent = nil, "" // where it runs is chosen when it is its turn
	}
	if component != nil {
		c.Component = &v1alpha1.ComponentReference{Name: component.Name, UID: component.UID, Generation: component.Generation}
	}
	return &made{object, c}, nil
}

func known(o client.Object) bool {
	switch o.(type) {
	case *corev1.Pod, *batchv1.Job, *v1alpha1.Assignment:
		return true
	}
	return false
}

func invalid(err error) *operation.Cause {
	return &operation.Cause{Class: operation.Configuration, Reason: "InvalidTemplate", Message: err.Error()}
}

// withTemplate is the operation as the API server has it now. It must be the version that is being
// worked on: what an older one says may be done already.
func (w *work) withTemplate(ctx context.Context) (*v1alpha1.Operation, error) {
	if w.fresh != nil {
		return w.fresh, nil
	}
	op := &v1alpha1.Operation{}
	if err := w.live.Get(ctx, client.ObjectKeyFromObject(w.op), op); err != nil {
		return nil, err
	}
	if op.UID != w.op.UID || op.ResourceVersion != w.op.ResourceVersion {
		return nil, apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("operations").GroupResource(), op.Name, errors.New("it has changed since it was read"))
	}
	w.fresh = op
	return op, nil
}

// component is the one that the operation names, or nil. One that the cache does not have may have
// been created a moment ago.
func (w *work) component(ctx context.Context) (*v1alpha1.Component, error) {
	if w.op.Spec.Component == "" {
		return nil, nil
	}
	component := &v1alpha1.Component{}
	key := client.ObjectKey{Namespace: w.op.Namespace, Name: w.op.Spec.Component}
	err := w.client.Get(ctx, key, component)
	if apierrors.IsNotFound(err) {
		err = w.live.Get(ctx, key, component)
	}
	return component, err
}

// policy joins what the operation and its component say of its end.
func (w *work) policy(ctx context.Context) operation.Policy {
	if operation.IsCopy(w.op) {
		return operation.PolicyOf(w.op.Spec.Termination).Once() // what repeats and deletes it is the hub
	}
	component, err := w.component(ctx)
	if err != nil || component == nil {
		return operation.PolicyOf(w.op.Spec.Termination)
	}
	return operation.PolicyOf(w.op.Spec.Termination, component.Spec.Termination)
}

// assign finds queue, project and organization by what the operation says now.
func (w *work) assign(ctx context.Context, component *v1alpha1.Component) (operation.Compilation, *operation.Cause) {
	namespace := namespaceMetadata()
	if err := w.client.Get(ctx, client.ObjectKey{Name: w.op.Namespace}, namespace); err != nil {
		return operation.Compilation{}, w.fail(err)
	}
	if namespace.Labels[v1alpha1.ManagedLabel] != "true" {
		return operation.Compilation{}, &operation.Cause{Class: operation.Configuration, Reason: "NamespaceNotManaged", Message: fmt.Sprintf(
			"namespace %s has no queues: label it %s=true, then restart the operation", w.op.Namespace, v1alpha1.ManagedLabel)}
	}
	claim := operation.ClaimOf(w.op, component, namespace.Labels)
	var assignment tenancy.Assignment
	var refusal *tenancy.Refusal
	// What the cache has not heard of yet may exist.
	for _, reader := range []client.Reader{w.client, w.live} {
		dir := directory.New(ctx, reader)
		assignment, refusal = tenancy.Resolve(dir, w.defaultQueue, claim)
		if dir.Err() != nil {
			return operation.Compilation{}, w.fail(dir.Err())
		}
		if refusal == nil {
			break
		}
	}
	if refusal != nil {
		return operation.Compilation{}, &operation.Cause{Class: operation.Configuration, Reason: refusal.Reason, Message: operation.InFields(refusal).Message}
	}
	return operation.Compilation{
		Queue: assignment.Queue, Project: assignment.Project, Organization: assignment.Organization,
		Priority: operation.Priority(w.op, component), Cost: claim.Annotations[v1alpha1.CostLabel],
	}, nil
}

// assigned is assign for an operation that waits: where it fails now, what was found earlier holds.
func (w *work) assigned(ctx context.Context) *operation.Compilation {
	component, err := w.component(ctx)
	if err != nil {
		return nil
	}
	before := w.err
	c, cause := w.assign(ctx, component)
	if w.err = before; cause != nil {
		return nil
	}
	return &c
}

// open says whether a queue's agent gets operations now.
func (w *work) open(ctx context.Context, queue string) bool {
	place, err := w.placeOf(ctx, w.op, queue)
	return err != nil || place.closed() == ""
}

// stale says that what waits in a queue was made for another one, for another cluster, or with another priority or cost.
func (w *work) stale(ctx context.Context, seen sight, now *operation.Compilation) bool {
	if now == nil {
		return false
	}
	if g, err := groupOf(ctx, w.client, now.Queue); err == nil && g != nil {
		if w.misplaced(g, seen) {
			return true
		}
	} else if place, err := w.placeOf(ctx, w.op, now.Queue); err == nil && place.isElsewhere(w.op.Status.Run) {
		return true
	}
	run := seen.object
	annotations := run.GetAnnotations()
	return run.GetLabels()[v1alpha1.QueueLabel] != now.Queue || run.GetLabels()[v1alpha1.ProjectLabel] != now.Project ||
		annotations[v1alpha1.PriorityAnnotation] != strconv.Itoa(int(now.Priority)) || w.costs(annotations[v1alpha1.CostLabel], now.Cost)
}

// costs says that a run was made with another cost than the operation declares now. Where it declares none, what its template says
// stays.
func (w *work) costs(made, now string) bool {
	return made != now && (now != "" || made == w.op.Status.Cost)
}

// conditions are those of the object that the operation runs as.
func (w *work) conditions(ctx context.Context) (operation.Conditions, error) {
	if found, ok := w.kinds.conditions.Get(w.op.UID); ok {
		return found.(operation.Conditions), nil
	}
	op := &v1alpha1.Operation{}
	if err := w.live.Get(ctx, client.ObjectKeyFromObject(w.op), op); err != nil {
		return operation.Conditions{}, err
	}
	component, err := w.component(ctx)
	if err != nil {
		return operation.Conditions{}, err
	}
	recipe, err := operation.Compile(op, component)
	if err != nil {
		return operation.Conditions{}, err
	}
	w.kinds.conditions.Add(w.op.UID, recipe.Conditions)
	return recipe.Conditions, nil
}

func requests(pods []operation.Share) corev1.ResourceList {
	sum := corev1.ResourceList{}
	for _, share := range pods {
		for name, q := range resourcehelper.PodRequests(&corev1.Pod{Spec: *share.Spec}, resourcehelper.PodResourcesOptions{}) {
			total := sum[name]
			total.Add(times(q, share.Count))
			sum[name] = total
		}
	}
	if len(sum) == 0 {
		return nil
	}
	return sum
}

func times(q resource.Quantity, n int64) resource.Quantity {
	q.Mul(n)
	return q
}

// namespaceMetadata asks for the labels of a namespace without the rest.
func namespaceMetadata() *metav1.PartialObjectMetadata {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return ns
}
