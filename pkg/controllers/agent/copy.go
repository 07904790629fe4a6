package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/toolarge"
	"github.com/queueyard/queueyard/pkg/operation"
)

// copyOf is the operation that stands for an assignment. What it runs as is gone before it is: it has the finalizer for that.
func copyOf(a *v1alpha1.Assignment) *v1alpha1.Operation {
	op := &v1alpha1.Operation{Spec: *a.Spec.Operation.DeepCopy()}
	op.Namespace, op.Name = a.Spec.Namespace, a.Name
	op.Finalizers = []string{v1alpha1.OperationFinalizer}
	op.Labels = map[string]string{v1alpha1.OriginNamespaceLabel: a.Spec.Origin.Namespace, v1alpha1.OriginNameLabel: a.Spec.Origin.Name}
	op.Annotations = map[string]string{v1alpha1.AssignmentAnnotation: a.Name, v1alpha1.AssignmentUIDAnnotation: string(a.UID)}
	if queued := a.Spec.QueuedTime; queued != nil {
		op.Annotations[v1alpha1.QueuedTimeAnnotation] = queued.UTC().Format(time.RFC3339Nano)
	}
	// The hub has approved it and begins it once: how it goes on is the hub's.
	op.Spec.Approved, op.Spec.DesiredState, op.Spec.Restarts = nil, v1alpha1.Run, 0
	return op
}

// make creates the copy. What the API server does not accept has failed.
func (r *assignments) make(ctx context.Context, a *v1alpha1.Assignment) error {
	err := r.local.Create(ctx, copyOf(a))
	switch {
	case apierrors.IsAlreadyExists(err):
		return r.inTheWay(ctx, a)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), toolarge.Is(err):
		cause := operation.Cause{Class: operation.Configuration, Reason: "Refused", Message: fmt.Sprintf("the agent's cluster does not accept it: %v", err)}
		status := operation.CannotStart(copyOf(a), cause, r.clock.Now())
		return r.say(ctx, a, func(s *v1alpha1.AssignmentStatus) { s.Operation = &status })
	case apierrors.IsForbidden(err), apierrors.IsInternalError(err):
		if told := r.say(ctx, a, func(s *v1alpha1.AssignmentStatus) { s.Message = clip(err.Error()) }); told != nil {
			return told
		}
	}
	return err
}

// inTheWay says that another operation has the name, if it is not the copy, made earlier.
func (r *assignments) inTheWay(ctx context.Context, a *v1alpha1.Assignment) error {
	op := &v1alpha1.Operation{}
	if err := r.localLive.Get(ctx, client.ObjectKey{Namespace: a.Spec.Namespace, Name: a.Name}, op); err != nil {
		return client.IgnoreNotFound(err)
	}
	if isCopyOf(op, a) {
		return nil // the cache will say so
	}
	err := fmt.Errorf("operation %s/%s exists in the agent's cluster and was not made for this assignment: delete it there", op.Namespace, op.Name)
	if told := r.say(ctx, a, func(s *v1alpha1.AssignmentStatus) { s.Message = clip(err.Error()) }); told != nil {
		return told
	}
	return err
}

// say changes what the hub is told of an assignment.
func (r *assignments) say(ctx context.Context, a *v1alpha1.Assignment, change func(*v1alpha1.AssignmentStatus)) error {
	changed := a.DeepCopy()
	change(&changed.Status)
	return client.IgnoreNotFound(r.hub.Status().Update(ctx, changed))
}

// obstacle says why no copy of an assignment can be made here, and what to do; empty: it can.
func (r *assignments) obstacle(ctx context.Context, a *v1alpha1.Assignment) (string, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := r.local.Get(ctx, client.ObjectKey{Name: a.Spec.Namespace}, namespace)
	if client.IgnoreNotFound(err) != nil {
		return "", err
	}
	switch {
	case err != nil:
		return fmt.Sprintf("namespace %s does not exist in the cluster of agent %s: create it there with label %s=true, or set spec.namespace of the agent to one that exists",
			a.Spec.Namespace, r.agent, v1alpha1.ManagedLabel), nil
	case !namespace.DeletionTimestamp.IsZero():
		return fmt.Sprintf("namespace %s is being deleted in the cluster of agent %s: wait for that and create it anew, or set spec.namespace of the agent to another one", a.Spec.Namespace, r.agent), nil
	case namespace.Labels[v1alpha1.ManagedLabel] != "true":
		return fmt.Sprintf("namespace %s has no queues in the cluster of agent %s: label it %s=true there, or set spec.namespace of the agent to one that has",
			a.Spec.Namespace, r.agent, v1alpha1.ManagedLabel), nil
	}
	queue := a.Spec.Operation.Queue
	if _, name, found := strings.Cut(queue, "/"); found {
		queue = name
	}
	for _, needed := range []struct {
		what, name string
		object     client.Object
	}{{"queue", queue, &v1alpha1.Queue{}}, {"project", a.Spec.Operation.Project, &v1alpha1.Project{}}} {
		if needed.name == "" {
			continue
		}
		err := r.local.Get(ctx, client.ObjectKey{Name: needed.name}, needed.object)
		if client.IgnoreNotFound(err) != nil {
			return "", err
		}
		if err != nil || !mine(needed.object, r.agent) || !needed.object.GetDeletionTimestamp().IsZero() {
			return fmt.Sprintf("%s %s of the hub is not in the cluster of agent %s: its mirror %s.%s says why, if it does not come in a moment",
				needed.what, needed.name, r.agent, needed.what, needed.name), nil
		}
	}
	return "", nil
}

// maxMessage is how long a message may be.
const maxMessage = 4096

func clip(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxMessage)], "")
}
