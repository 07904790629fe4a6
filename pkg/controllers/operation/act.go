package operation

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/refusal"
	"github.com/queueyard/queueyard/pkg/operation"
)

// act does what was decided, after it was written down. What is cut short is decided again.
func (w *work) act(ctx context.Context, action operation.Action, seen sight) error {
	switch action {
	case operation.CreateRun:
		return w.create(ctx)
	case operation.WithdrawRun:
		return client.IgnoreNotFound(w.withdraw(ctx, seen))
	case operation.DeleteRun:
		return client.IgnoreNotFound(w.delete(ctx, seen))
	case operation.ReleaseRun:
		return client.IgnoreNotFound(w.release(ctx, seen.object))
	case operation.ReleaseGate:
		return client.IgnoreNotFound(w.ungate(ctx, seen.object))
	case operation.DeleteOperation:
		return client.IgnoreNotFound(w.client.Delete(ctx, w.op, client.Preconditions{UID: &w.op.UID, ResourceVersion: &w.op.ResourceVersion}, client.PropagationPolicy(metav1.DeletePropagationBackground)))
	}
	return nil
}

// create makes the object of the current attempt. Its name is the attempt's alone, so that doing it
// twice makes one.
func (w *work) create(ctx context.Context) error {
	if w.made == nil || w.made.compilation.Run == nil {
		queued := ptr.Deref(w.op.Status.QueuedTime, metav1.NowMicro())
		m, cause := w.make(ctx, w.op.Status.Attempt, queued.Time)
		if w.err != nil {
			return w.err
		}
		if cause != nil {
			return w.cannotStart(ctx, *cause)
		}
		w.made = m
	}
	c := w.made.compilation
	if c.Run == nil {
		return nil // its queue has other agents by now
	}
	if !equality.Semantic.DeepEqual(w.op.Status.Run, c.Run) || !equality.Semantic.DeepEqual(w.op.Status.Component, c.Component) {
		// Where it runs is written down before it runs there, and when nothing is left where it was to run: the cache
		// may not have heard of that yet.
		if left, err := w.leftAt(ctx, w.op.Status.Run, c.Run); err != nil || left {
			return err
		}
		operation.Replace(w.op, c, w.clock.Now())
		if err := w.writeStatus(ctx, w.op); err != nil {
			return err
		}
	}
	if c.Run.Namespace != w.op.Namespace && !controllerutil.ContainsFinalizer(w.op, v1alpha1.OperationFinalizer) {
		if err := w.setFinalizer(ctx, w.op, true); err != nil {
			return err
		}
	}
	if pod, ok := w.made.Object.(*corev1.Pod); ok && !w.released {
		pod.Spec.SchedulingGates = append(pod.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: v1alpha1.WorkflowGate})
	}
	err := w.client.Create(ctx, w.made.Object)
	switch {
	case err == nil:
		return nil
	case apierrors.IsAlreadyExists(err):
		return w.checkOurs(ctx, *c.Run)
	case isAssignment(c.Run) && apierrors.IsNotFound(err):
		return err // its agent has left: the hub says so shortly, and then it waits
	case apierrors.IsForbidden(err) && !refusal.ForNow(err) && w.moved(ctx):
		return apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("queues").GroupResource(), c.Queue, err) // the cache has not heard of it yet
	case refusal.ForGood(err), apierrors.IsNotFound(err) && !refusal.ForNow(err):
		return w.cannotStart(ctx, operation.Cause{Class: operation.Configuration, Reason: "Refused", Message: fmt.Sprintf("the API server does not accept what it runs as: %v", err)})
	}
	return errCreate{err}
}

// moved says that the queue's operations run elsewhere by now than what is being made: there it would not be refused.
func (w *work) moved(ctx context.Context) bool {
	if g, err := groupOf(ctx, w.live, w.made.compilation.Queue); err != nil || g != nil {
		return err == nil && g.closed(g.at(w.made.compilation.Run)) != ""
	}
	place, err := placeOf(ctx, w.live, w.op, w.made.compilation.Queue)
	return err == nil && place.isElsewhere(w.made.compilation.Run)
}

// leftAt says whether something of the attempt is still where it was to run before.
func (w *work) leftAt(ctx context.Context, before, now *v1alpha1.RunReference) (bool, error) {
	if before == nil || *before == *now {
		return false, nil
	}
	object, err := w.read(ctx, w.live, before)
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return object.GetLabels()[v1alpha1.OperationUIDLabel] == string(w.op.UID), nil
}

// checkOurs says what is in the way if an object of the attempt's name is not the attempt.
func (w *work) checkOurs(ctx context.Context, run v1alpha1.RunReference) error {
	object, err := w.read(ctx, w.live, &run)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	if object.GetLabels()[v1alpha1.OperationUIDLabel] == string(w.op.UID) {
		return nil // made earlier; the cache will say so
	}
	return w.cannotStart(ctx, operation.Cause{Class: operation.Configuration, Reason: "NameTaken", Message: fmt.Sprintf(
		"%s %s/%s exists and was not made for this operation: delete it, then restart the operation", run.Kind, run.Namespace, run.Name)})
}

func (w *work) cannotStart(ctx context.Context, cause operation.Cause) error {
	w.op.Status = operation.CannotStart(w.op, cause, w.clock.Now())
	w.feed.follow(w.op, &w.op.Status, operation.Observation{})
	return w.writeStatus(ctx, w.op)
}

// withdraw takes back what has not begun. What an agent has claimed is its to give back.
func (w *work) withdraw(ctx context.Context, seen sight) error {
	a, ok := seen.object.(*v1alpha1.Assignment)
	if !ok || !operation.Claimed(a) {
		return w.delete(ctx, seen)
	}
	if a.Spec.Withdrawn {
		return nil
	}
	return w.client.Patch(ctx, &v1alpha1.Assignment{ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name}},
		client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"uid":%q,"resourceVersion":%q},"spec":{"withdrawn":true}}`, a.UID, a.ResourceVersion)))
}

// delete asks for the end of a run. What waits is deleted only as it was seen: it may have got a node.
func (w *work) delete(ctx context.Context, seen sight) error {
	if seen.object == nil {
		return nil
	}
	if seen.observation.Abandoned {
		return w.deletePods(ctx)
	}
	options := []client.DeleteOption{client.Preconditions{UID: ptr.To(seen.object.GetUID())}}
	if seen.observation.Stage == operation.Waiting || seen.observation.Stage == operation.Unschedulable {
		options = []client.DeleteOption{client.Preconditions{UID: ptr.To(seen.object.GetUID()), ResourceVersion: ptr.To(seen.object.GetResourceVersion())}}
	}
	switch seen.object.(type) {
	case *corev1.Pod, *v1alpha1.Assignment:
	default:
		// It stays until its pods are gone, so that their end is seen.
		options = append(options, client.PropagationPolicy(metav1.DeletePropagationForeground))
	}
	return w.client.Delete(ctx, seen.object, options...)
}

// deletePods asks for the end of the pods of an attempt. Whatever made them is being deleted without them.
func (w *work) deletePods(ctx context.Context) error {
	pods, err := w.podsOfAttempt(ctx)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if !pod.DeletionTimestamp.IsZero() || over(pod) {
			continue
		}
		if err := w.client.Delete(ctx, pod.DeepCopy(), client.Preconditions{UID: &pod.UID}); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// release takes our finalizer off. An Assignment is deleted with that: nobody but its agent needs it any more.
func (r *Reconciler) release(ctx context.Context, object client.Object) error {
	if a, ok := object.(*v1alpha1.Assignment); ok && a.DeletionTimestamp.IsZero() {
		return r.client.Delete(ctx, a, client.Preconditions{UID: &a.UID})
	}
	if object == nil || !slices.Contains(object.GetFinalizers(), v1alpha1.OperationFinalizer) {
		return nil
	}
	return r.setFinalizer(ctx, object, false)
}

// ungate lets a pod go to its queue.
func (r *Reconciler) ungate(ctx context.Context, object client.Object) error {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return nil
	}
	changed := pod.DeepCopy()
	changed.Spec.SchedulingGates = slices.DeleteFunc(changed.Spec.SchedulingGates, func(g corev1.PodSchedulingGate) bool { return g.Name == v1alpha1.WorkflowGate })
	return r.client.Patch(ctx, changed, client.MergeFromWithOptions(pod, client.MergeFromWithOptimisticLock{}))
}

func (r *Reconciler) setFinalizer(ctx context.Context, object client.Object, present bool) error {
	// What the cache holds lacks fields: only the finalizers are sent, with the version that they were read at.
	changed := object.DeepCopyObject().(client.Object)
	if present {
		controllerutil.AddFinalizer(changed, v1alpha1.OperationFinalizer)
	} else {
		controllerutil.RemoveFinalizer(changed, v1alpha1.OperationFinalizer)
	}
	err := r.client.Patch(ctx, changed, client.MergeFromWithOptions(object, client.MergeFromWithOptimisticLock{}))
	if err == nil {
		object.SetResourceVersion(changed.GetResourceVersion())
		object.SetFinalizers(changed.GetFinalizers())
	}
	return err
}

// deleted ends what runs in another namespace, where no owner reference reaches, and lets the
// operation go then.
func (r *Reconciler) deleted(ctx context.Context, op *v1alpha1.Operation) error {
	left, err := r.endRuns(ctx, client.ObjectKeyFromObject(op), op.UID)
	if err != nil || left > 0 {
		return err
	}
	r.feed.gone(op)
	if !controllerutil.ContainsFinalizer(op, v1alpha1.OperationFinalizer) {
		return nil
	}
	return client.IgnoreNotFound(r.setFinalizer(ctx, op, false))
}

// clear lets go what was made for operations of a name that are gone; there may be another one of that name by now. The garbage
// collector deletes it, but in another namespace, where no owner reference reaches.
func (r *Reconciler) clear(ctx context.Context, key types.NamespacedName, but types.UID, all bool) error {
	return r.runsOf(ctx, key, all, func(run client.Object) error {
		uid := types.UID(run.GetLabels()[v1alpha1.OperationUIDLabel])
		deleting, collected := !run.GetDeletionTimestamp().IsZero(), run.GetNamespace() == key.Namespace
		if uid == but || !deleting && collected && but != "" {
			return nil
		}
		run = run.DeepCopyObject().(client.Object)
		if !deleting && !collected {
			if lives, err := r.lives(ctx, key, uid); err != nil || lives {
				return err
			}
			if err := r.client.Delete(ctx, run, client.Preconditions{UID: ptr.To(run.GetUID())}, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
				return client.IgnoreNotFound(err)
			}
			if _, assigned := run.(*v1alpha1.Assignment); assigned {
				return nil // what its agent has claimed is the agent's to let go
			}
		}
		return client.IgnoreNotFound(r.release(ctx, run))
	})
}

// lives says whether an operation is there, whatever the cache says.
func (r *Reconciler) lives(ctx context.Context, key types.NamespacedName, uid types.UID) (bool, error) {
	op := &v1alpha1.Operation{}
	err := r.live.Get(ctx, key, op)
	return err == nil && op.UID == uid, client.IgnoreNotFound(err)
}

// endRuns deletes what was made for an operation and says how much of it is left.
func (r *Reconciler) endRuns(ctx context.Context, key types.NamespacedName, uid types.UID) (left int, err error) {
	err = r.runsOf(ctx, key, true, func(run client.Object) error {
		if run.GetLabels()[v1alpha1.OperationUIDLabel] != string(uid) {
			return nil
		}
		run = run.DeepCopyObject().(client.Object)
		if run.GetDeletionTimestamp().IsZero() {
			left++
			return client.IgnoreNotFound(r.client.Delete(ctx, run, client.PropagationPolicy(metav1.DeletePropagationBackground)))
		}
		if pod, ok := run.(*corev1.Pod); ok && !over(pod) {
			left++
			return nil
		}
		if a, ok := run.(*v1alpha1.Assignment); ok && operation.Claimed(a) && slices.Contains(a.Finalizers, v1alpha1.OperationFinalizer) {
			if end := a.Status.Operation; !a.Status.Returned && !a.Status.Lost && (end == nil || !end.Phase.Final()) {
				left++
				return nil
			}
		}
		return client.IgnoreNotFound(r.release(ctx, run))
	})
	return left, err
}

func over(pod *corev1.Pod) bool {
	switch operation.ObservePod(pod).Stage {
	case operation.Succeeded, operation.Failed, operation.Gone:
		return true
	}
	return false
}

// runsOf goes through all objects that were made for operations of a name, of whatever attempt. They are the cache's. All: those of
// other kinds than are known, too; what keeps one of these from being listed is no concern of others.
func (r *Reconciler) runsOf(ctx context.Context, key types.NamespacedName, all bool, do func(client.Object) error) error {
	pods, err := r.podsOf(ctx, key)
	if err != nil {
		return err
	}
	for i := range pods {
		if err := do(&pods[i]); err != nil {
			return err
		}
	}
	jobs, err := r.jobsOf(ctx, key)
	if err != nil {
		return err
	}
	for i := range jobs {
		if err := do(&jobs[i]); err != nil {
			return err
		}
	}
	assignments, err := r.assignmentsOf(ctx, key)
	if err != nil {
		return err
	}
	for i := range assignments {
		if err := do(&assignments[i]); err != nil {
			return err
		}
	}
	if !all {
		return nil
	}
	return r.kinds.each(ctx, do, client.MatchingFields{byOperation: key.String()})
}
