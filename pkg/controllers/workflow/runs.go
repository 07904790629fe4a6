package workflow

import (
	"context"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// runs are the workflows that are under way, as far as they were looked at. As a handler of events it keeps
// them up to date: an event costs the child that it is of, not the workflow.
type runs struct {
	mu    sync.Mutex
	byUID map[types.UID]*run
	// hindered is since when workflows do not go on.
	hindered hindered
}

func newRuns() *runs {
	return &runs{byUID: map[types.UID]*run{}, hindered: hindered{since: map[types.UID]time.Time{}}}
}

func (r *runs) get(uid types.UID) *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byUID[uid]
}

func (r *runs) put(uid types.UID, of *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byUID[uid] = of
}

func (r *runs) forget(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byUID, uid)
}

// all are those under way.
func (r *runs) all() map[types.UID]*run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.byUID)
}

type requests = workqueue.TypedRateLimitingInterface[reconcile.Request]

var _ handler.EventHandler = &runs{}

// Create implements handler.EventHandler.
func (r *runs) Create(_ context.Context, e event.CreateEvent, q requests) { r.see(e.Object, false, q) }

// Update implements handler.EventHandler.
func (r *runs) Update(_ context.Context, e event.UpdateEvent, q requests) {
	r.see(e.ObjectNew, false, q)
}

// Delete implements handler.EventHandler.
func (r *runs) Delete(_ context.Context, e event.DeleteEvent, q requests) {
	r.forget(e.Object.GetUID())
	r.hindered.end(e.Object.GetUID())
	r.see(e.Object, true, q)
}

// Generic implements handler.EventHandler.
func (r *runs) Generic(context.Context, event.GenericEvent, requests) {}

func (r *runs) see(o client.Object, gone bool, q requests) {
	s, uid, ok := look(o)
	if !ok {
		return
	}
	if run := r.get(uid); run != nil {
		run.mu.Lock()
		if gone {
			run.gone(s)
		} else {
			run.see(s)
		}
		run.mu.Unlock()
	}
	q.Add(reconcile.Request{NamespacedName: keyOf(o.GetNamespace(), o.GetLabels()[v1alpha1.WorkflowLabel])})
}

// byWorkflow indexes children by the workflow that made them.
const byWorkflow = "workflow"

func indexChildren(mgr ctrl.Manager) error {
	for _, object := range []client.Object{&v1alpha1.Operation{}, &v1alpha1.Workflow{}} {
		err := mgr.GetFieldIndexer().IndexField(context.Background(), object, byWorkflow, func(o client.Object) []string {
			if _, uid, ok := look(o); ok {
				return []string{string(uid)}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// CachedObjects are what the manager's cache holds for this controller besides operations.
func CachedObjects() map[client.Object]cache.ByObject {
	return map[client.Object]cache.ByObject{&v1alpha1.Workflow{}: {Transform: cache.TransformStripManagedFields()}}
}

// childrenOf are the cached children of a workflow, of all its attempts. They are shared: not to be changed.
func (r *Reconciler) childrenOf(ctx context.Context, namespace string, uid types.UID) ([]client.Object, error) {
	of := []client.ListOption{client.InNamespace(namespace), client.MatchingFields{byWorkflow: string(uid)}, client.UnsafeDisableDeepCopy}
	operations, workflows := &v1alpha1.OperationList{}, &v1alpha1.WorkflowList{}
	if err := r.client.List(ctx, operations, of...); err != nil {
		return nil, err
	}
	if err := r.client.List(ctx, workflows, of...); err != nil {
		return nil, err
	}
	objects := make([]client.Object, 0, len(operations.Items)+len(workflows.Items))
	for i := range operations.Items {
		objects = append(objects, &operations.Items[i])
	}
	for i := range workflows.Items {
		objects = append(objects, &workflows.Items[i])
	}
	return objects, nil
}
