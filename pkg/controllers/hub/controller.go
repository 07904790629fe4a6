package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/division"
	"github.com/queueyard/queueyard/pkg/controllers/requestqueue"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

const (
	// workers work on that many agents at a time.
	workers = 4
	// pause is the shortest time between two looks at an agent: its counts change all the time.
	pause = time.Second
	// lookAgain is when an agent that says nothing is looked at again.
	lookAgain = 5 * time.Second
)

// Reconciler keeps what agents in other clusters need.
type Reconciler struct {
	client   client.Client
	live     client.Reader // for what must not be stale
	clock    clock.Clock
	contacts contacts
	looked   lastLooks
}

// CachedObjects are what the manager's cache holds for this controller.
func CachedObjects() map[client.Object]cache.ByObject {
	return map[client.Object]cache.ByObject{
		&coordinationv1.Lease{}: {Field: fields.OneTermEqualSelector("metadata.name", v1alpha1.AgentLease)},
	}
}

// What agents in other clusters are told, and whether they are there.
//
// +kubebuilder:rbac:groups=queueyard.io,resources=agents;queues;projects;organizations,verbs=get;list;watch
// +kubebuilder:rbac:groups=queueyard.io,resources=agents;agents/status;queues/status,verbs=patch
// +kubebuilder:rbac:groups=queueyard.io,resources=assignments;mirrors,verbs=create;get;list;watch;patch;delete
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,resourceNames=agent,verbs=get;list;patch;watch

// Setup adds the controller to a manager, whose cache holds CachedObjects.
func Setup(mgr ctrl.Manager) error {
	r := &Reconciler{client: mgr.GetClient(), live: mgr.GetAPIReader(), clock: clock.RealClock{}}
	changes := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	divided := builder.WithPredicates(predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.Funcs{UpdateFunc: sharesChanged}))
	every := handler.EnqueueRequestsFromMapFunc(r.everyRemote)
	byNamespace := handler.EnqueueRequestsFromMapFunc(ofNamespace)
	return ctrl.NewControllerManagedBy(mgr).
		Named("hub").
		For(&v1alpha1.Agent{}, changes).
		Watches(&v1alpha1.Queue{}, every, divided).
		Watches(&v1alpha1.Project{}, every, divided).
		Watches(&v1alpha1.Organization{}, every, divided).
		Watches(&v1alpha1.Mirror{}, byNamespace).
		Watches(&coordinationv1.Lease{}, byNamespace).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers, NewQueue: requestqueue.New}).
		Complete(r)
}

func (r *Reconciler) everyRemote(ctx context.Context, _ client.Object) (all []reconcile.Request) {
	agents := &v1alpha1.AgentList{}
	if err := r.client.List(ctx, agents, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Agents could not be listed")
		return nil
	}
	for i := range agents.Items {
		if agents.Items[i].Spec.Remote {
			all = append(all, reconcile.Request{NamespacedName: client.ObjectKey{Name: agents.Items[i].Name}})
		}
	}
	return all
}

func ofNamespace(_ context.Context, o client.Object) []reconcile.Request {
	if agent := agentOf(o.GetNamespace()); agent != "" {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: agent}}}
	}
	return nil
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	agent := &v1alpha1.Agent{}
	if err := r.client.Get(ctx, req.NamespacedName, agent); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if err := r.keep(ctx, agent); err != nil {
		return ctrl.Result{RequeueAfter: lookAgain}, ignoreConflict(client.IgnoreNotFound(err))
	}
	if !controllerutil.ContainsFinalizer(agent, v1alpha1.RemoteAgentFinalizer) {
		return ctrl.Result{}, nil // it is of this cluster, or goes
	}
	if wait := r.looked.soon(agent.Name, r.clock.Now()); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	lease := &coordinationv1.Lease{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: v1alpha1.AgentNamespace(agent.Name), Name: v1alpha1.AgentLease}, lease)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	var heard, seen time.Time
	if err == nil {
		heard, seen = r.contacts.heard(agent, lease, r.clock.Now())
	} else {
		lease = nil
	}
	fenced, fenceErr := r.fence(ctx, agent, lease, seen)
	k, err := r.known(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	said, err := r.publish(ctx, agent, k)
	if err != nil && !apierrors.IsNotFound(err) { // no namespace: it has not joined
		return ctrl.Result{}, err
	}
	var left remains
	if !agent.DeletionTimestamp.IsZero() {
		if left, err = r.remains(ctx, agent); err != nil {
			return ctrl.Result{}, err
		}
	}
	err = errors.Join(fenceErr, r.tell(ctx, agent, k, said, outlook{heard, fenced, left}))
	if err == nil && !agent.DeletionTimestamp.IsZero() && left.nothing(agent) {
		err = r.letGo(ctx, agent, lease, fenced)
	}
	return ctrl.Result{RequeueAfter: lookAgain}, err
}

func (r *Reconciler) known(ctx context.Context) (known, error) {
	queues, projects, organizations := &v1alpha1.QueueList{}, &v1alpha1.ProjectList{}, &v1alpha1.OrganizationList{}
	for _, list := range []client.ObjectList{queues, projects, organizations} {
		if err := r.client.List(ctx, list); err != nil {
			return known{}, err
		}
	}
	return known{queues.Items, projects.Items, organizations.Items}, nil
}

// publish writes what the agent is to know, and reads what it says of that.
func (r *Reconciler) publish(ctx context.Context, agent *v1alpha1.Agent, k known) (map[string]*v1alpha1.MirrorStatus, error) {
	there := &v1alpha1.MirrorList{}
	if err := r.client.List(ctx, there, client.InNamespace(v1alpha1.AgentNamespace(agent.Name))); err != nil {
		return nil, err
	}
	old, said := map[string]*v1alpha1.Mirror{}, map[string]*v1alpha1.MirrorStatus{}
	for i := range there.Items {
		old[there.Items[i].Name] = &there.Items[i]
	}
	given := k.given()
	for _, m := range mirrors(agent, k) {
		is := old[m.Name]
		delete(old, m.Name)
		switch {
		case is == nil:
			if err := r.share(ctx, agent.Name, &m.Spec); err != nil {
				return nil, err
			}
			if err := r.client.Create(ctx, &m); err != nil && !apierrors.IsAlreadyExists(err) {
				return nil, err
			}
		default:
			said[m.Name] = &is.Status
			shares, divided := given[m.Name]
			if divided && !division.Give(&m.Spec, shares, agent.Name, &is.Spec) {
				continue // what is there is newer than what the cache has
			}
			if !divided && is.Spec.Revision > 0 {
				if err := r.share(ctx, agent.Name, &m.Spec); err != nil {
					return nil, client.IgnoreNotFound(err)
				}
			}
			if equality.Semantic.DeepEqual(is.Spec, m.Spec) {
				continue
			}
			before := is.DeepCopy()
			is.Spec = m.Spec
			patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
			if err := r.client.Patch(ctx, is, patch); client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
				return nil, err
			}
		}
	}
	for _, is := range old {
		if err := r.client.Delete(ctx, is); client.IgnoreNotFound(err) != nil {
			return nil, err
		}
	}
	return said, nil
}

// share has a new mirror of a tenant say the agent's share, as the API server has it: an older one may be others' by now.
func (r *Reconciler) share(ctx context.Context, agent string, spec *v1alpha1.MirrorSpec) error {
	switch {
	case spec.Project != nil:
		p := &v1alpha1.Project{}
		if err := r.live.Get(ctx, client.ObjectKey{Name: spec.Name}, p); err != nil {
			return err
		}
		spec.Project = &p.Spec
		division.Give(spec, p.Status.Shares, agent, nil)
	case spec.Organization != nil:
		o := &v1alpha1.Organization{}
		if err := r.live.Get(ctx, client.ObjectKey{Name: spec.Name}, o); err != nil {
			return err
		}
		spec.Organization = &o.Spec
		division.Give(spec, o.Status.Shares, agent, nil)
	case spec.Queue != nil:
		q := &v1alpha1.Queue{}
		if err := r.live.Get(ctx, client.ObjectKey{Name: spec.Name}, q); err != nil {
			return err
		}
		if shared(q) {
			division.Give(spec, q.Status.Shares, agent, nil)
		}
	}
	return nil
}

// tell writes how the agent and its queues are.
func (r *Reconciler) tell(ctx context.Context, agent *v1alpha1.Agent, k known, said map[string]*v1alpha1.MirrorStatus, is outlook) error {
	now, heard := r.clock.Now(), is.heard
	state := condition(agent, is, now)
	before := agent.DeepCopy()
	s := &agent.Status
	s.ObservedGeneration, s.Fenced, s.Queues = agent.Generation, is.fenced, 0
	if !heard.IsZero() && (s.LastContact == nil || heard.Sub(s.LastContact.Time) >= silence/8) {
		at := metav1.NewMicroTime(heard.Truncate(time.Microsecond))
		s.LastContact = &at
	}
	if own := said["agent."+agent.Name]; own != nil && own.Agent != nil {
		s.Report, s.Pending, s.Admitted, s.Levels = own.Agent, own.Agent.Pending, own.Agent.Admitted, own.Agent.Levels
	}
	meta.SetStatusCondition(&s.Conditions, state)
	var errs []error
	for i := range k.queues {
		q := &k.queues[i]
		if !served(q, agent.Name) {
			continue
		}
		if tenancy.Several(q) {
			s.Queues++
			errs = append(errs, r.tellGroup(ctx, q, now))
			continue
		}
		if !tenancy.InfoOf(q).Serves(agent.Name) {
			continue // it only has a share to give back
		}
		s.Queues++
		errs = append(errs, r.tellQueue(ctx, q, said["queue."+q.Name], state, now))
	}
	if !equality.Semantic.DeepEqual(before.Status, agent.Status) {
		errs = append(errs, client.IgnoreNotFound(r.client.Status().Patch(ctx, agent, client.MergeFrom(before))))
	}
	return errors.Join(errs...)
}

// tellQueue writes how a queue is: as its agent says, if that is there.
func (r *Reconciler) tellQueue(ctx context.Context, q *v1alpha1.Queue, said *v1alpha1.MirrorStatus, state metav1.Condition, now time.Time) error {
	before := q.DeepCopy()
	is := before.Status
	if said != nil && said.Queue != nil {
		q.Status = *said.Queue.DeepCopy()
		q.Status.Operations, q.Status.Conditions = is.Operations, slices.Clone(is.Conditions)
		q.Status.Local, q.Status.Shares, q.Status.Withheld, q.Status.Enforced, q.Status.Agents = is.Local, is.Shares, is.Withheld, is.Enforced, nil
	}
	q.Status.ObservedGeneration = q.Generation
	ready := state
	if state.Status == metav1.ConditionTrue {
		ready.Message = "admits what waits as room allows, in the cluster of agent " + q.Spec.Agent
		if said != nil && said.Message != "" {
			ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, "NotInForce", fmt.Sprintf("agent %s: %s", q.Spec.Agent, said.Message)
		} else if q.Spec.State == v1alpha1.QueuePaused {
			ready.Reason, ready.Message = "Paused", "accepts operations and admits none: set spec.state to Open"
		}
	}
	ready.ObservedGeneration = q.Generation
	accepts(q, ready, now)
	return r.writeQueue(ctx, before, q)
}

// accepts sets the conditions of a queue.
func accepts(q *v1alpha1.Queue, ready metav1.Condition, now time.Time) {
	accepting := metav1.Condition{Type: v1alpha1.AcceptingCondition, Status: metav1.ConditionTrue, Reason: "Open", Message: "takes new operations", ObservedGeneration: q.Generation, LastTransitionTime: metav1.NewTime(now)}
	if refusal := tenancy.CheckAccepting(tenancy.InfoOf(q)); refusal != nil {
		accepting.Status, accepting.Reason, accepting.Message = metav1.ConditionFalse, refusal.Reason, refusal.Message
	}
	meta.SetStatusCondition(&q.Status.Conditions, ready)
	meta.SetStatusCondition(&q.Status.Conditions, accepting)
}

func (r *Reconciler) writeQueue(ctx context.Context, before, q *v1alpha1.Queue) error {
	if equality.Semantic.DeepEqual(before.Status, q.Status) {
		return nil
	}
	return client.IgnoreNotFound(r.client.Status().Patch(ctx, q, client.MergeFrom(before)))
}

// fence takes the lease of an evicted agent once it is silent, gives up what it had, and gives the lease back when the agent is
// open again and nothing of it is left. It says whether the hub holds the lease. Silent is what was seen to be, by this process.
func (r *Reconciler) fence(ctx context.Context, agent *v1alpha1.Agent, lease *coordinationv1.Lease, seen time.Time) (bool, error) {
	evicted, deleted := agent.Spec.State == v1alpha1.AgentEvicted, !agent.DeletionTimestamp.IsZero()
	if lease == nil && !evicted {
		return false, nil
	}
	if lease == nil { // it never led, or somebody deleted the lease
		lease = fencedLease(agent.Name)
		if err := r.client.Create(ctx, lease); err != nil {
			return false, client.IgnoreNotFound(client.IgnoreAlreadyExists(err))
		}
	}
	_, held := lease.Annotations[v1alpha1.FencedAnnotation]
	if !evicted && !held {
		return false, nil
	}
	if evicted && !held {
		if r.clock.Since(seen) < silence {
			return false, nil // it is there: it is drained instead
		}
		if taken, err := r.take(ctx, lease); err != nil || !taken {
			return false, err
		}
	}
	left, err := r.giveUp(ctx, agent.Name)
	if err != nil || evicted || deleted || left > 0 {
		return true, err
	}
	changed := lease.DeepCopy()
	delete(changed.Annotations, v1alpha1.FencedAnnotation)
	err = r.client.Patch(ctx, changed, client.MergeFromWithOptions(lease, client.MergeFromWithOptimisticLock{}))
	return err != nil, ignoreConflict(err)
}

// take makes a lease the hub's; false: it was renewed meanwhile.
func (r *Reconciler) take(ctx context.Context, lease *coordinationv1.Lease) (bool, error) {
	changed := lease.DeepCopy()
	metav1.SetMetaDataAnnotation(&changed.ObjectMeta, v1alpha1.FencedAnnotation, "true")
	err := r.client.Patch(ctx, changed, client.MergeFromWithOptions(lease, client.MergeFromWithOptimisticLock{}))
	return err == nil, ignoreConflict(err)
}

// fencedLease is the lease of an agent that has none, so that nobody leads with it.
func fencedLease(agent string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Namespace: v1alpha1.AgentNamespace(agent), Name: v1alpha1.AgentLease, Annotations: map[string]string{v1alpha1.FencedAnnotation: "true"},
	}}
}

// giveUp takes the finalizer of a fenced agent off all that it had, and says how much there was.
func (r *Reconciler) giveUp(ctx context.Context, agent string) (left int, err error) {
	all := &v1alpha1.AssignmentList{}
	if err := r.live.List(ctx, all, client.InNamespace(v1alpha1.AgentNamespace(agent))); err != nil {
		return 0, err
	}
	for i := range all.Items {
		a := &all.Items[i]
		if !controllerutil.ContainsFinalizer(a, v1alpha1.AgentFinalizer) {
			continue
		}
		left++
		if a.DeletionTimestamp.IsZero() {
			if err := r.client.Delete(ctx, a, client.Preconditions{UID: &a.UID, ResourceVersion: &a.ResourceVersion}); err != nil {
				return left, ignoreConflict(client.IgnoreNotFound(err))
			}
			continue // its finalizer goes when it is seen deleted
		}
		changed := a.DeepCopy()
		controllerutil.RemoveFinalizer(changed, v1alpha1.AgentFinalizer)
		if err := r.client.Patch(ctx, changed, client.MergeFromWithOptions(a, client.MergeFromWithOptimisticLock{})); err != nil {
			return left, ignoreConflict(client.IgnoreNotFound(err))
		}
	}
	return left, nil
}

func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}
