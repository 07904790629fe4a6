package operation

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/requestqueue"
	"github.com/queueyard/queueyard/pkg/operation"
)

const (
	// workers work on that many operations at a time: their time goes by in waiting for the API server.
	workers = 16
	// firstRetry and lastRetry bound the pause after an error; a burst of operations is no error.
	firstRetry, lastRetry = 20 * time.Millisecond, time.Minute
	// lag is the pause for the cache to hear of what was written.
	lag = 5 * time.Millisecond
)

// Reconciler leads operations through their life.
type Reconciler struct {
	client client.Client
	live   client.Reader // for what must not be stale
	clock  clock.Clock
	feed   *feed
	kinds  *kinds
	// failures are what events say of what does not start.
	failures *failures
	// written is what the cache may not have yet.
	written *written
	// defaultQueue is that of what names none.
	defaultQueue string
}

// Operations, what they are made of, and what they run as. Objects of other kinds are in the aggregated
// ClusterRole queueyard-controller-kinds.
//
// +kubebuilder:rbac:groups=queueyard.io,resources=agents;queues;projects;organizations;components,verbs=get;list;watch
// +kubebuilder:rbac:groups=queueyard.io,resources=operations,verbs=create;get;list;watch;patch;delete
// +kubebuilder:rbac:groups=queueyard.io,resources=operations/status,verbs=update;patch
// +kubebuilder:rbac:groups=queueyard.io,resources=operations/finalizers,verbs=update
// +kubebuilder:rbac:groups=queueyard.io,resources=assignments,verbs=create;get;list;watch;patch;delete
// +kubebuilder:rbac:groups="",resources=pods,verbs=create;delete;get;list;patch;watch
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=create;delete;get;list;patch;watch
//
// What keeps a pod from starting.
//
// +kubebuilder:rbac:groups="",resources=events,verbs=list

// Setup adds the controller to a manager, whose cache holds CachedObjects.
func Setup(mgr ctrl.Manager, defaultQueue string, options ...Option) error {
	kinds, err := newKinds(mgr)
	if err != nil {
		return err
	}
	written := &written{}
	r := &Reconciler{
		client: mgr.GetClient(), live: mgr.GetAPIReader(), clock: clock.RealClock{}, written: written,
		feed: newFeed(mgr.GetClient(), mgr.GetAPIReader(), written), kinds: kinds, defaultQueue: defaultQueue,
		failures: newFailures(mgr.GetAPIReader(), clock.RealClock{}),
	}
	for _, option := range options {
		option(r)
	}
	if err := indexRuns(mgr); err != nil {
		return err
	}
	// An operation's own status writes change nothing that it has to look at.
	ownSpec := builder.WithPredicates(predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, beingDeleted{}, ownerChanges{}))
	b := ctrl.NewControllerManagedBy(mgr).
		Named("operation").
		Watches(&v1alpha1.Operation{}, &newcomers{}, ownSpec).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(operationOf)).
		Watches(&batchv1.Job{}, handler.EnqueueRequestsFromMapFunc(operationOf)).
		Watches(&v1alpha1.Assignment{}, handler.EnqueueRequestsFromMapFunc(operationOf)).
		Watches(&v1alpha1.Agent{}, handler.EnqueueRequestsFromMapFunc(r.ofAgent), builder.WithPredicates(agentTurns)).
		Watches(&v1alpha1.Queue{}, handler.EnqueueRequestsFromMapFunc(r.ofQueue), builder.WithPredicates(queueTurns)).
		WatchesRawSource(source.Func(r.feed.into)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers, NewQueue: requestqueue.New,
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		})
	if r.feed.copies != nil {
		b.WatchesRawSource(source.Channel(r.feed.copies.Changed(), &handler.EnqueueRequestForObject{}))
	}
	c, err := b.Build(r)
	if err != nil {
		return err
	}
	kinds.controller = c
	informer, err := mgr.GetCache().GetInformer(context.Background(), &v1alpha1.Operation{})
	if err != nil {
		return err
	}
	if _, err := informer.AddEventHandler(on(r.written.seen, r.written.gone)); err != nil {
		return err
	}
	return r.feed.setup(mgr)
}

// newcomers puts operations that are new behind those that are on their way: no seat stands empty
// while thousands are being queued.
type newcomers struct {
	handler.EnqueueRequestForObject
}

// Create implements handler.EventHandler.
func (n *newcomers) Create(ctx context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	e.IsInInitialList = true // which have low priority
	n.EnqueueRequestForObject.Create(ctx, e, q)
}

// beingDeleted lets through the update that begins a deletion.
type beingDeleted struct{ predicate.Funcs }

func (beingDeleted) Create(event.CreateEvent) bool { return true }
func (beingDeleted) Update(e event.UpdateEvent) bool {
	return e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
}

// ownerChanges lets through what no longer belongs to a workflow.
type ownerChanges struct{ predicate.Funcs }

func (ownerChanges) Update(e event.UpdateEvent) bool {
	return workflowOf(e.ObjectOld) != workflowOf(e.ObjectNew)
}

// operationOf is the operation that an object was made for.
func operationOf(_ context.Context, o client.Object) []reconcile.Request {
	key, ok := keyOf(o)
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: key}}
}

func keyOf(o client.Object) (types.NamespacedName, bool) {
	key := types.NamespacedName{Namespace: o.GetAnnotations()[v1alpha1.OriginAnnotation], Name: o.GetLabels()[v1alpha1.OperationLabel]}
	return key, key.Namespace != "" && key.Name != "" && o.GetLabels()[v1alpha1.OperationUIDLabel] != ""
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	select {
	case <-r.feed.loaded: // before, an old state can't be told from a new one
	case <-ctx.Done():
		return ctrl.Result{}, ctx.Err()
	}
	op := &v1alpha1.Operation{}
	err := r.client.Get(ctx, req.NamespacedName, op)
	if apierrors.IsNotFound(err) {
		return ctrl.Result{}, r.clear(ctx, req.NamespacedName, "", true)
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	if !op.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.deleted(ctx, op)
	}
	if r.written.behind(op) {
		return ctrl.Result{RequeueAfter: lag}, nil
	}
	if err := r.clear(ctx, req.NamespacedName, op.UID, runsAsOther(op)); err != nil {
		return ctrl.Result{}, err
	}
	result, err := r.step(ctx, op)
	if apierrors.IsConflict(err) {
		// What was read is out of date; what is newer comes by itself, or has come.
		return ctrl.Result{RequeueAfter: firstRetry}, nil
	}
	if err != nil {
		r.feed.reports.hinder(op, hindranceOf(err))
	}
	return result, err
}

// step makes one decision, writes it down and acts.
func (r *Reconciler) step(ctx context.Context, op *v1alpha1.Operation) (ctrl.Result, error) {
	w := &work{Reconciler: r, op: op}
	seen, err := w.observe(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	if seen.object != nil {
		r.feed.reports.hinder(op, seen.hindrance)
	}
	situation := operation.Situation{
		Operation: op,
		Policy:    w.policy(ctx),
		Run:       seen.observation,
		Held:      seen.held,
		Now:       r.clock.Now(),
		Compile: func(attempt int32, queued time.Time) operation.Compilation {
			return w.compile(ctx, attempt, queued)
		},
		Due: func(status *v1alpha1.OperationStatus, run operation.Observation) (due, released bool) {
			due, w.released = r.feed.wait(op, status, run)
			if r.feed.router.several(status.Queue) {
				return run.Stage != operation.Absent && due || run.Stage == operation.Absent && w.route(ctx, status, due && w.released), w.released
			}
			return due && w.open(ctx, status.Queue), w.released
		},
	}
	if waits(op.Status.Phase) {
		situation.Assigned = w.assigned(ctx)
		situation.Stale = seen.object != nil && (w.stale(ctx, seen, situation.Assigned) || !r.feed.mayBegin(op, seen.observation))
	}
	decision := operation.Decide(situation)
	if w.err != nil { // something could not be read: what was decided is worth nothing
		return ctrl.Result{}, w.err
	}
	r.feed.follow(op, &decision.Status, decision.Run)
	if !equality.Semantic.DeepEqual(op.Status, decision.Status) {
		op.Status = decision.Status
		if err := r.writeStatus(ctx, op); err != nil {
			return ctrl.Result{}, err
		}
	}
	if err := w.act(ctx, decision.Action, seen); err != nil {
		return ctrl.Result{}, fmt.Errorf("%s of attempt %d: %w", decision.Action, op.Status.Attempt, err)
	}
	if seen.object == nil {
		r.feed.reports.hinder(op, nil)
	}
	after := decision.After
	if seen.again > 0 && (after == 0 || after > seen.again) {
		after = seen.again
	}
	if seen.observation.Stage == operation.Starting && (after == 0 || after > startsWithin) {
		after = startsWithin // to ask what holds it up
	}
	return ctrl.Result{RequeueAfter: after}, nil
}

func (r *Reconciler) writeStatus(ctx context.Context, op *v1alpha1.Operation) error {
	r.written.begin(op)
	err := r.client.Status().Update(ctx, op)
	r.written.end(op, err)
	return err
}

func waits(phase v1alpha1.Status) bool {
	return phase == v1alpha1.StatusQueued || phase == v1alpha1.StatusUnschedulable
}
