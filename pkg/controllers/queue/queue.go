// Package queue keeps a deleted Queue until nothing waits or runs in it. The status it looks at is
// written by the scheduler.
package queue

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Reconciler adds the finalizer to queues and takes it away when they are deleted and empty.
type Reconciler struct {
	client client.Client
}

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
	if !decide(q) {
		return ctrl.Result{}, nil
	}
	// The list of finalizers is replaced as a whole, so it must be the one that was read.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	return ctrl.Result{}, client.IgnoreNotFound(r.client.Patch(ctx, q, patch))
}

// decide gives the queue the finalizers it should have and tells whether that changed anything.
func decide(q *v1alpha1.Queue) bool {
	if q.DeletionTimestamp.IsZero() {
		return controllerutil.AddFinalizer(q, v1alpha1.QueueFinalizer)
	}
	return empty(q) && controllerutil.RemoveFinalizer(q, v1alpha1.QueueFinalizer)
}

// empty tells whether the scheduler has seen the deletion and counted nothing since: a deletion
// raises the generation, and from then on the queue takes nothing new.
func empty(q *v1alpha1.Queue) bool {
	return q.Status.ObservedGeneration >= q.Generation && q.Status.Pending == 0 && q.Status.Admitted == 0
}
