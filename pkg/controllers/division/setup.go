package division

import (
	"context"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// The shares of tenants, and what agents say of them.
//
// +kubebuilder:rbac:groups=queueyard.io,resources=agents;queues;projects;organizations,verbs=get;list;watch
// +kubebuilder:rbac:groups=queueyard.io,resources=projects/status;organizations/status,verbs=patch
// +kubebuilder:rbac:groups=queueyard.io,resources=mirrors;operations,verbs=get;list;watch

// Setup adds the division of limits to a manager.
func Setup(mgr ctrl.Manager) error {
	d := &divider{client: mgr.GetClient(), live: mgr.GetAPIReader(), clock: clock.RealClock{}, wrote: map[tenant]time.Time{}}
	var queue workqueue.TypedRateLimitingInterface[reconcile.Request]
	began := make(chan struct{})
	d.demands = newDemands(func(t tenant) {
		select {
		case <-began: // else all tenants are looked at when it begins
			queue.AddAfter(t.request(), period)
		default:
		}
	})
	operations, err := mgr.GetCache().GetInformer(context.Background(), &v1alpha1.Operation{})
	if err != nil {
		return err
	}
	if _, err := operations.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { d.demands.seen(o.(*v1alpha1.Operation)) },
		UpdateFunc: func(_, o any) { d.demands.seen(o.(*v1alpha1.Operation)) },
		DeleteFunc: func(o any) {
			if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = last.Obj
			}
			d.demands.gone(o.(*v1alpha1.Operation))
		},
	}); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).Named("shares").
		Watches(&v1alpha1.Project{}, of(ledger.Project)).
		Watches(&v1alpha1.Organization{}, of(ledger.Organization)).
		Watches(&v1alpha1.Queue{}, of(ledger.Queue), builder.WithPredicates(predicate.NewPredicateFuncs(divided))).
		Watches(&v1alpha1.Mirror{}, handler.EnqueueRequestsFromMapFunc(ofMirror)).
		Watches(&v1alpha1.Agent{}, handler.EnqueueRequestsFromMapFunc(d.all), builder.WithPredicates(predicate.Funcs{UpdateFunc: standsElse})).
		WatchesRawSource(source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			queue = q
			close(began)
			return nil
		})).
		Complete(d)
}

// divided says whether the limits of a queue are divided among clusters, or were.
func divided(o client.Object) bool {
	q := o.(*v1alpha1.Queue)
	return tenancy.Several(q) || q.Status.Local != nil || len(q.Status.Shares) > 0
}

// standsElse says whether an agent is to do something else, or is heard of again or no longer. Its counts change every
// second.
func standsElse(e event.UpdateEvent) bool {
	before, now := e.ObjectOld.(*v1alpha1.Agent), e.ObjectNew.(*v1alpha1.Agent)
	return before.Generation != now.Generation || isHeard(before) != isHeard(now)
}

// isHeard says whether an agent is in contact: it is also while it is drained or deleted. What an evicted one says is not asked for.
func isHeard(a *v1alpha1.Agent) bool {
	c := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ReadyCondition)
	return a.Spec.State != v1alpha1.AgentEvicted && (c == nil || c.Reason != v1alpha1.ReasonUnreachable && c.Reason != v1alpha1.ReasonNotJoined)
}

func of(kind ledger.Kind) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		return []reconcile.Request{tenant{kind, o.GetName()}.request()}
	})
}

// ofMirror is the tenant that a mirror is of.
func ofMirror(_ context.Context, o client.Object) []reconcile.Request {
	kind, name, _ := strings.Cut(o.GetName(), ".")
	for _, k := range []ledger.Kind{ledger.Project, ledger.Organization, ledger.Queue} {
		if kind == k.String() {
			return []reconcile.Request{tenant{k, name}.request()}
		}
	}
	return nil
}

// all is every tenant: an agent came, went, or is heard of again.
func (d *divider) all(ctx context.Context, _ client.Object) (all []reconcile.Request) {
	projects, organizations, queues := &v1alpha1.ProjectList{}, &v1alpha1.OrganizationList{}, &v1alpha1.QueueList{}
	for _, list := range []client.ObjectList{projects, organizations, queues} {
		if d.client.List(ctx, list, client.UnsafeDisableDeepCopy) != nil {
			return nil // the cache is not filled yet: they all come
		}
	}
	for i := range queues.Items {
		if divided(&queues.Items[i]) {
			all = append(all, tenant{ledger.Queue, queues.Items[i].Name}.request())
		}
	}
	for i := range projects.Items {
		all = append(all, tenant{ledger.Project, projects.Items[i].Name}.request())
	}
	for i := range organizations.Items {
		all = append(all, tenant{ledger.Organization, organizations.Items[i].Name}.request())
	}
	return all
}
