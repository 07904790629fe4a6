// Package queue keeps a deleted Queue until nothing waits or runs in it. Of pods the status says so, which the scheduler
// writes; of operations they do themselves: many wait without a pod, and an agent in another cluster may be away or behind.
package queue

import (
	"context"
	"slices"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// lookAgain is when a queue is looked at again that operations keep.
const lookAgain = 5 * time.Second

// Reconciler adds the finalizer to queues and takes it away when they are deleted and empty.
type Reconciler struct {
	client client.Client
}

// Queues and their finalizer; the operations that are in them.
//
// +kubebuilder:rbac:groups=queueyard.io,resources=queues,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=queueyard.io,resources=operations,verbs=get;list;watch

// Setup adds the controller to a manager.
func Setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.Queue{}).Complete(&Reconciler{client: mgr.GetClient()})
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	q := &v1alpha1.Queue{}
	if err := r.client.Get(ctx, req.NamespacedName, q); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	before := q.DeepCopy()
	kept := false
	if !q.DeletionTimestamp.IsZero() {
		var err error
		if kept, err = r.kept(ctx, q.Name); err != nil {
			return ctrl.Result{}, err
		}
	}
	if !decide(q, kept) {
		if kept {
			return ctrl.Result{RequeueAfter: lookAgain}, nil // no event of the queue says that they have ended
		}
		return ctrl.Result{}, nil
	}
	// The list of finalizers is replaced as a whole, so it must be the one that was read.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	return ctrl.Result{}, client.IgnoreNotFound(r.client.Patch(ctx, q, patch))
}

// kept tells whether operations of a queue wait or run, in whatever cluster; those that nobody has approved stand in no line.
func (r *Reconciler) kept(ctx context.Context, queue string) (bool, error) {
	ops := &v1alpha1.OperationList{}
	err := r.client.List(ctx, ops, client.UnsafeDisableDeepCopy)
	return slices.ContainsFunc(ops.Items, func(op v1alpha1.Operation) bool {
		return op.Status.Queue == queue && op.Status.Phase != v1alpha1.StatusOnSchedule && !op.Status.Phase.Final()
	}), err
}

// decide gives the queue the finalizers it should have and tells whether that changed anything.
func decide(q *v1alpha1.Queue, kept bool) bool {
	if q.DeletionTimestamp.IsZero() {
		return controllerutil.AddFinalizer(q, v1alpha1.QueueFinalizer)
	}
	return !kept && empty(q) && controllerutil.RemoveFinalizer(q, v1alpha1.QueueFinalizer)
}

// empty tells whether the scheduler has seen the deletion and counted nothing since: a deletion
// raises the generation, and from then on the queue takes nothing new.
func empty(q *v1alpha1.Queue) bool {
	return q.Status.ObservedGeneration >= q.Generation && q.Status.Pending == 0 && q.Status.Admitted == 0
}
