package workflow

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/requestqueue"
	"github.com/queueyard/queueyard/pkg/controllers/toolarge"
	"github.com/queueyard/queueyard/pkg/timeline"
	"github.com/queueyard/queueyard/pkg/workflow"
)

const (
	// workers work on that many workflows at a time.
	workers = 8
	// firstRetry and lastRetry bound the pause after an error.
	firstRetry, lastRetry = 20 * time.Millisecond, time.Minute
	// progressEvery is how often progress alone is written down at most.
	progressEvery = time.Second
)

// Reconciler leads workflows through their life.
type Reconciler struct {
	client client.Client
	live   client.Reader // for what must not be stale
	clock  clock.Clock
	runs   *runs
}

// Workflows, their children, and what trials print, for the policies that stop them early.
//
// +kubebuilder:rbac:groups=queueyard.io,resources=workflows;operations,verbs=create;get;list;watch;patch;delete
// +kubebuilder:rbac:groups=queueyard.io,resources=workflows/status,verbs=update;patch
// +kubebuilder:rbac:groups=queueyard.io,resources=workflows/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=pods,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=pods/log,verbs=get

// Setup adds the controller to a manager, whose cache holds CachedObjects and those of the operation controller.
func Setup(mgr ctrl.Manager) error {
	logs, err := newPodLogs(mgr)
	if err != nil {
		return err
	}
	return setup(mgr, logs, readEvery)
}

func setup(mgr ctrl.Manager, logs trialLogs, every time.Duration) error {
	r := &Reconciler{client: mgr.GetClient(), live: mgr.GetAPIReader(), clock: clock.RealClock{}, runs: newRuns()}
	if err := indexChildren(mgr); err != nil {
		return err
	}
	if err := mgr.Add(newStopper(r, logs, every)); err != nil {
		return err
	}
	// A workflow's own status writes change nothing that it has to look at; what its children do comes by itself.
	ownSpec := builder.WithPredicates(predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))
	return ctrl.NewControllerManagedBy(mgr).
		Named("workflow").
		For(&v1alpha1.Workflow{}, ownSpec).
		Watches(&v1alpha1.Operation{}, r.runs).
		Watches(&v1alpha1.Workflow{}, r.runs).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers, NewQueue: requestqueue.New,
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		Complete(r)
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	w := &v1alpha1.Workflow{}
	if err := r.client.Get(ctx, req.NamespacedName, w); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !w.DeletionTimestamp.IsZero() {
		r.runs.forget(w.UID)
		return ctrl.Result{}, nil // its children go with it
	}
	result, err := r.step(ctx, w)
	if !apierrors.IsConflict(err) {
		if told := r.say(ctx, w, err); err == nil {
			err = client.IgnoreNotFound(told)
		}
	}
	if apierrors.IsConflict(err) {
		// What was read is out of date; what is newer comes by itself, or has come.
		return ctrl.Result{RequeueAfter: firstRetry}, nil
	}
	return result, err
}

// step makes one decision, writes it down and acts.
func (r *Reconciler) step(ctx context.Context, w *v1alpha1.Workflow) (ctrl.Result, error) {
	s := &sight{Reconciler: r, workflow: w}
	turn := workflow.Decide(workflow.Situation{
		Workflow: w,
		Compile:  func(attempt int32) error { return s.compile(ctx, attempt) },
		Children: func() workflow.Children { return s.children(ctx) },
		Now:      r.clock.Now(),
	})
	if s.err != nil { // something could not be read: what was decided is worth nothing
		return ctrl.Result{}, errors.Join(s.err, s.stopInvalid(ctx))
	}
	status, after := turn.Status, turn.After
	if s.run != nil {
		if err := s.describe(ctx, &status); err != nil {
			return ctrl.Result{}, err
		}
	}
	switch wait, write := s.due(&w.Status, &status); {
	case write:
		w.Status = status
		err := r.client.Status().Update(ctx, w)
		if toolarge.Is(err) && s.run != nil && s.run.leaveOut() {
			return ctrl.Result{RequeueAfter: time.Nanosecond}, nil
		}
		if err != nil {
			return ctrl.Result{}, err
		}
		if s.run != nil {
			s.run.written = r.clock.Now()
		}
	case wait > 0 && (after == 0 || wait < after):
		after = wait
	}
	if status.Phase.Final() {
		r.runs.forget(w.UID)
	}
	again, err := s.act(ctx, turn.Task)
	if err != nil {
		return ctrl.Result{}, err
	}
	if again {
		after = time.Nanosecond // as soon as others had their turn
	}
	return ctrl.Result{RequeueAfter: after}, nil
}

// due says whether a status is to be written now, or after a time. Progress alone is written once in a while.
func (s *sight) due(before, after *v1alpha1.WorkflowStatus) (wait time.Duration, write bool) {
	if equality.Semantic.DeepEqual(before, after) {
		return 0, false
	}
	if s.run == nil || before.Phase != after.Phase || before.ObservedGeneration != after.ObservedGeneration || !equality.Semantic.DeepEqual(before.Outcome, after.Outcome) {
		return 0, true
	}
	wait = progressEvery - s.clock.Since(s.run.written)
	return wait, wait <= 0
}

// act does what was decided, after it was written down. What is cut short is decided again.
func (s *sight) act(ctx context.Context, task workflow.Task) (again bool, err error) {
	switch task {
	case workflow.Expand:
		return s.expand(ctx)
	case workflow.StopChildren:
		return false, s.stopChildren(ctx)
	case workflow.MakeExit:
		return s.makeExit(ctx)
	case workflow.Delete:
		w := s.workflow
		return false, client.IgnoreNotFound(s.client.Delete(ctx, w, client.Preconditions{UID: &w.UID, ResourceVersion: &w.ResourceVersion}, client.PropagationPolicy(metav1.DeletePropagationBackground)))
	}
	return false, nil
}

// queuedAt is since when a workflow is in the line: its trials keep that place.
func queuedAt(w *v1alpha1.Workflow) time.Time {
	if at, err := time.Parse(time.RFC3339Nano, w.Annotations[v1alpha1.QueuedTimeAnnotation]); err == nil && w.Status.Attempt <= 1 {
		return at
	}
	for i := len(w.Status.Timeline) - 1; i >= 0; i-- {
		if e := &w.Status.Timeline[i]; e.Status == v1alpha1.StatusQueued {
			return e.Time.Time
		}
	}
	return timeline.Last(w.Status.Timeline).Time.Time
}

func keyOf(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}
