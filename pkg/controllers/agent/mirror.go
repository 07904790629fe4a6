package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// mirrorPeriod is how often what a mirror reports is looked at, and at most written.
const mirrorPeriod = 2 * time.Second

// mirrors keeps agents, queues, projects and organizations as the hub has them.
type mirrors struct {
	agent, namespace string

	hub, local client.Client // reads come from caches
	keeper     *keeper
	reports    *reports
	clock      clock.Clock

	mu    sync.Mutex
	wrote map[string]time.Time
}

// change is what an object here needs to be as its mirror has it.
type change string

const (
	none   change = ""
	create change = "create"
	update change = "update"
	remove change = "delete"
	// wait until it is gone, to make it anew.
	wait change = "wait for"
)

// compare says what an object here needs, and what keeps it from it. Mirror and here are nil where there is none.
func compare(mirror *v1alpha1.Mirror, here client.Object, agent string) (change, string) {
	if mirror == nil {
		if here == nil || !mine(here, agent) || !here.GetDeletionTimestamp().IsZero() {
			return none, ""
		}
		return remove, ""
	}
	object := objectOf(mirror.Name)
	if object == nil || !wanted(object, &mirror.Spec, agent) {
		return none, fmt.Sprintf("the mirror is named %s and is of something else: name it KIND.NAME", mirror.Name)
	}
	switch {
	case here == nil:
		return create, ""
	case !mine(here, agent):
		return none, fmt.Sprintf("the cluster of agent %s has %s %s of its own: delete or rename that one, or give it label %s=%s to have it replaced",
			agent, kindOf(here), here.GetName(), v1alpha1.MirroredLabel, agent)
	case !here.GetDeletionTimestamp().IsZero():
		return wait, fmt.Sprintf("%s %s is being deleted in the cluster of agent %s, and is made anew when it is gone", kindOf(here), here.GetName(), agent)
	}
	is := here.DeepCopyObject().(client.Object)
	if wanted(is, &mirror.Spec, agent); equality.Semantic.DeepEqual(is, here) {
		return none, ""
	}
	return update, ""
}

// Reconcile implements reconcile.Reconciler. A request is a mirror's name.
func (r *mirrors) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if !r.keeper.holds() {
		return ctrl.Result{RequeueAfter: retryPeriod}, nil
	}
	here := objectOf(req.Name)
	mirror := &v1alpha1.Mirror{}
	err := r.hub.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: req.Name}, mirror)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	if err != nil {
		mirror = nil
	}
	if here != nil {
		err := r.local.Get(ctx, client.ObjectKeyFromObject(here), here)
		if client.IgnoreNotFound(err) != nil {
			return ctrl.Result{}, err
		}
		if err != nil {
			here = nil
		}
	}
	needed, message := compare(mirror, here, r.agent)
	here, refused, err := r.apply(ctx, needed, mirror, here)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return ctrl.Result{RequeueAfter: conflictPeriod}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("%s mirror %s: %w", needed, req.Name, err)
	}
	if mirror == nil {
		return ctrl.Result{}, nil
	}
	if refused != "" {
		message = refused
	}
	if err := r.tell(ctx, mirror, here, message); err != nil && !apierrors.IsConflict(err) {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: mirrorPeriod}, nil
}

// apply makes an object here what it is to be. What the API server does not accept is refused.
func (r *mirrors) apply(ctx context.Context, needed change, mirror *v1alpha1.Mirror, here client.Object) (is client.Object, refused string, err error) {
	switch needed {
	case create:
		is = objectOf(mirror.Name)
		is.SetLabels(map[string]string{v1alpha1.MirroredLabel: r.agent})
		wanted(is, &mirror.Spec, r.agent)
		err = r.local.Create(ctx, is)
	case update:
		is = here.DeepCopyObject().(client.Object)
		wanted(is, &mirror.Spec, r.agent)
		err = r.local.Patch(ctx, is, client.MergeFromWithOptions(here, client.MergeFromWithOptimisticLock{}))
	case remove:
		uid := here.GetUID()
		err = client.IgnoreNotFound(r.local.Delete(ctx, here, client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground)))
	default:
		is = here
	}
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
		return here, clip(fmt.Sprintf("the cluster of agent %s does not accept it: %v", r.agent, err)), nil
	}
	return is, "", err
}

// tell reports how it stands, if that is something else. News of numbers wait.
func (r *mirrors) tell(ctx context.Context, mirror *v1alpha1.Mirror, here client.Object, message string) error {
	status := r.reports.of(ctx, mirror, here, message)
	said := &mirror.Status
	if equality.Semantic.DeepEqual(*said, status) {
		return nil
	}
	if said.ObservedGeneration == status.ObservedGeneration && said.Message == status.Message && !r.due(mirror.Name) {
		return nil
	}
	changed := mirror.DeepCopy()
	changed.Status = status
	if err := r.hub.Status().Update(ctx, changed); err != nil {
		return client.IgnoreNotFound(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrote[mirror.Name] = r.clock.Now()
	return nil
}

// due says whether numbers may be told again.
func (r *mirrors) due(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clock.Since(r.wrote[name]) >= mirrorPeriod/2
}
