package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

const (
	// newsPeriod is how often at most news of an assignment are told that can wait.
	newsPeriod = time.Second
	// obstaclePeriod is how soon what is in the way is looked at again.
	obstaclePeriod = 2 * time.Second
	// conflictPeriod is the pause for a cache to hear of what others wrote.
	conflictPeriod = 50 * time.Millisecond
)

// byAssignment indexes operations by the name of the assignment that they stand for.
const byAssignment = "assignment"

func assignmentOf(o client.Object) []string {
	if name := o.GetAnnotations()[v1alpha1.AssignmentAnnotation]; name != "" {
		return []string{name}
	}
	return nil
}

// assignments leads the hub's assignments and their copies.
type assignments struct {
	agent, namespace, cluster string

	hub, local         client.Client // reads come from caches
	hubLive, localLive client.Reader
	confirmed          *confirmed
	keeper             *keeper
	clock              clock.Clock

	mu    sync.Mutex
	wrote map[string]time.Time
}

// Reconcile implements reconcile.Reconciler. A request is an assignment's name.
func (r *assignments) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if !r.keeper.holds() {
		return ctrl.Result{RequeueAfter: retryPeriod}, nil
	}
	s, err := r.look(ctx, req.Name, false)
	if err != nil {
		return ctrl.Result{}, err
	}
	d := decide(s)
	if d.decisive(s, s.Assignment != nil && r.confirmed.is(verdictOf(s.Assignment, true))) {
		if s, err = r.look(ctx, req.Name, true); err != nil {
			return ctrl.Result{}, err
		}
		d = decide(s)
	}
	r.confirm(ctx, req.Name, s, d)
	wait, err := r.tell(ctx, s, d)
	if err == nil && wait == 0 {
		err = r.act(ctx, s, d.Action)
	}
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: conflictPeriod}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("%s assignment %s: %w", d.Action, req.Name, err)
	}
	if wait == 0 && s.Obstacle != "" {
		wait = obstaclePeriod
	}
	return ctrl.Result{RequeueAfter: wait}, nil
}

// look sees an assignment and its copies: in caches, or live, as they are now.
func (r *assignments) look(ctx context.Context, name string, live bool) (situation, error) {
	s := situation{Cluster: r.cluster}
	a := &v1alpha1.Assignment{}
	hub := client.Reader(r.hub)
	if live {
		hub = r.hubLive
	}
	err := hub.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: name}, a)
	if client.IgnoreNotFound(err) != nil {
		return s, err
	}
	if err == nil {
		s.Assignment = a
	}
	found := &v1alpha1.OperationList{}
	if err := r.local.List(ctx, found, client.MatchingFields{byAssignment: name}); err != nil {
		return s, err
	}
	copies := found.Items
	if live {
		if copies, err = again(ctx, r.localLive, found.Items); err != nil {
			return s, err
		}
	}
	s.Copy, s.Others = part(s.Assignment, copies)
	if s.Assignment != nil && s.Copy == nil && live {
		// One that was made a moment ago, or by the replica before, may not be in the cache yet.
		op := &v1alpha1.Operation{}
		err := r.localLive.Get(ctx, client.ObjectKey{Namespace: a.Spec.Namespace, Name: a.Name}, op)
		if client.IgnoreNotFound(err) != nil {
			return s, err
		}
		if err == nil && isCopyOf(op, a) {
			s.Copy = op
		}
	}
	err = nil
	if s.Assignment != nil && s.Copy == nil {
		s.Obstacle, err = r.obstacle(ctx, a)
	}
	return s, err
}

// again reads operations anew, and leaves out what is gone.
func again(ctx context.Context, reader client.Reader, seen []v1alpha1.Operation) (is []v1alpha1.Operation, err error) {
	for i := range seen {
		op := &v1alpha1.Operation{}
		err := reader.Get(ctx, client.ObjectKeyFromObject(&seen[i]), op)
		if client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		if err == nil && op.UID == seen[i].UID {
			is = append(is, *op)
		}
	}
	return is, nil
}

// confirm tells the operation controller whether the copy may begin, before there is one.
func (r *assignments) confirm(ctx context.Context, name string, s situation, d decision) {
	switch a := s.Assignment; {
	case len(s.Others) > 0:
		r.confirmed.say(ctx, name, verdict{of: client.ObjectKeyFromObject(&s.Others[0])})
	case s.Copy == nil && d.Action != makeCopy:
		r.confirmed.forget(name)
	default:
		r.confirmed.say(ctx, name, verdictOf(a, d.May))
	}
}

// tell writes the status at the hub, if it says something else, or says when that is due.
func (r *assignments) tell(ctx context.Context, s situation, d decision) (wait time.Duration, err error) {
	a := s.Assignment
	if a == nil {
		r.forget()
		return 0, nil
	}
	if equality.Semantic.DeepEqual(a.Status, d.Status) {
		return 0, nil
	}
	if d.Action == nothing && !urgent(&a.Status, &d.Status) {
		if wait := r.due(a.Name); wait > 0 {
			return wait, nil
		}
	}
	changed := a.DeepCopy()
	changed.Status = d.Status
	if err := r.hub.Status().Update(ctx, changed); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	a.ResourceVersion, a.Status = changed.ResourceVersion, changed.Status
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrote[a.Name] = r.clock.Now()
	return 0, nil
}

// due is how long it is until news that can wait may be told.
func (r *assignments) due(name string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return newsPeriod - r.clock.Since(r.wrote[name])
}

// forget drops what was noted of assignments that nobody asks for any more.
func (r *assignments) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, at := range r.wrote {
		if r.clock.Since(at) > newsPeriod {
			delete(r.wrote, name)
		}
	}
}

// act does what was decided, after it was told.
func (r *assignments) act(ctx context.Context, s situation, what action) error {
	switch what {
	case claim:
		return r.changeFinalizer(ctx, s.Assignment, true)
	case makeCopy:
		return r.make(ctx, s.Assignment)
	case withdraw:
		return r.patch(ctx, s.Copy, map[string]any{"metadata": map[string]any{"uid": s.Copy.UID, "annotations": map[string]string{v1alpha1.WithdrawnAnnotation: "true"}}})
	case stop:
		return r.patch(ctx, s.Copy, map[string]any{"metadata": map[string]any{"uid": s.Copy.UID}, "spec": map[string]any{"desiredState": v1alpha1.Stopped}})
	case deleteCopies:
		return r.delete(ctx, s)
	case letGo:
		return r.changeFinalizer(ctx, s.Assignment, false)
	}
	return nil
}

// changeFinalizer claims an assignment or lets it go. It must be the one that was seen.
func (r *assignments) changeFinalizer(ctx context.Context, a *v1alpha1.Assignment, present bool) error {
	before := a.DeepCopy()
	if present {
		controllerutil.AddFinalizer(a, v1alpha1.AgentFinalizer)
		metav1.SetMetaDataAnnotation(&a.ObjectMeta, v1alpha1.ClusterAnnotation, r.cluster)
	} else {
		controllerutil.RemoveFinalizer(a, v1alpha1.AgentFinalizer)
	}
	return client.IgnoreNotFound(r.hub.Patch(ctx, a, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})))
}

func (r *assignments) patch(ctx context.Context, op *v1alpha1.Operation, change map[string]any) error {
	patch, err := json.Marshal(change)
	if err != nil {
		return err
	}
	return client.IgnoreNotFound(r.local.Patch(ctx, op, client.RawPatch(types.MergePatchType, patch)))
}

// delete deletes the copies of an assignment. Each stays until nothing of it runs.
func (r *assignments) delete(ctx context.Context, s situation) error {
	all := s.Others
	if s.Copy != nil {
		all = append(all, *s.Copy)
	}
	for i := range all {
		if !all[i].DeletionTimestamp.IsZero() {
			continue
		}
		err := r.local.Delete(ctx, &all[i], client.Preconditions{UID: &all[i].UID}, client.PropagationPolicy(metav1.DeletePropagationBackground))
		if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}
