package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/operation"
	"github.com/queueyard/queueyard/pkg/controllers/requestqueue"
)

const (
	// workers work on that many assignments at a time: their time goes by in waiting for the hub, which may be far away.
	workers = 32
	// firstRetry and lastRetry bound the pause after an error.
	firstRetry, lastRetry = 50 * time.Millisecond, 10 * time.Second
	// settleAfter is how long what waits is left as it is while the hub does not answer.
	settleAfter = 10 * time.Second
	// syncTimeout is no limit: the hub may be away for long.
	syncTimeout = 1000 * time.Hour
)

// scheme knows what is read and written at the hub.
var scheme = func() *runtime.Scheme {
	s := runtime.NewScheme()
	if err := errors.Join(coordinationv1.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		panic(err) // both are built in
	}
	return s
}()

// Options of an agent.
type Options struct {
	// Name of the agent at the hub.
	Name string
	// Hub says how to reach it.
	Hub *rest.Config
	// HubOptions change the clients of the hub.
	HubOptions []cluster.Option
}

// Config reads the kubeconfig of the hub and checks the name.
func Config(name, kubeconfig string) (Options, error) {
	if problems := validation.IsDNS1123Label(v1alpha1.AgentNamespace(name)); name == "" || len(problems) > 0 {
		return Options{}, fmt.Errorf("--agent %q is no name of an agent in another cluster: it has at most %d lower-case letters, digits and dashes",
			name, validation.DNS1123LabelMaxLength-len(v1alpha1.AgentNamespacePrefix))
	}
	if kubeconfig == "" {
		return Options{}, fmt.Errorf("--agent %s needs --hub-kubeconfig: the file that says how the agent reaches the hub", name)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return Options{}, fmt.Errorf("--hub-kubeconfig %s can't be used: %w", kubeconfig, err)
	}
	return Options{Name: name, Hub: config}, nil
}

// CachedObjects are what the manager's cache holds for an agent, and how little of it.
func CachedObjects() map[client.Object]cache.ByObject {
	return map[client.Object]cache.ByObject{&corev1.Node{}: {Transform: lightNode}}
}

// Agent serves queues of the hub. It runs in the replica that leads.
type Agent struct {
	options   Options
	mgr       ctrl.Manager
	hub       cluster.Cluster
	confirmed *confirmed
	log       logr.Logger
}

// In the cluster of an agent: the hub's objects, as its mirrors have them, and what the hub is told of the cluster.
//
// +kubebuilder:rbac:groups=queueyard.io,resources=agents;queues;projects;organizations,verbs=create;delete;patch
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get;list;watch

// Setup adds the agent to a manager, whose cache holds CachedObjects. What it returns tells the operation controller which copies may
// begin.
func Setup(mgr ctrl.Manager, options Options) (operation.Copies, error) {
	hub, err := connect(options.Hub, options.Name, options.HubOptions...)
	if err != nil {
		return nil, fmt.Errorf("the hub: %w", err)
	}
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.Operation{}, byAssignment, assignmentOf); err != nil {
		return nil, err
	}
	a := &Agent{options: options, mgr: mgr, hub: hub, confirmed: newConfirmed(), log: mgr.GetLogger().WithName("agent").WithValues("agent", options.Name)}
	return a.confirmed, mgr.Add(a)
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (a *Agent) NeedLeaderElection() bool { return true }

var _ manager.LeaderElectionRunnable = &Agent{}

// Start implements manager.Runnable. It comes back at the end only: a hub that is away is waited for.
func (a *Agent) Start(ctx context.Context) error {
	me, err := a.identity(ctx)
	if err != nil {
		return err
	}
	k := &keeper{
		reader: a.hub.GetAPIReader(), writer: a.hub.GetClient(), namespace: v1alpha1.AgentNamespace(a.options.Name), me: me, clock: clock.RealClock{},
	}
	serve, err := a.controllers(k)
	if err != nil {
		return err
	}
	first, failed := make(chan struct{}), make(chan error, 1)
	go a.settle(ctx)
	go func() {
		select {
		case <-first:
			failed <- serve(ctx)
		case <-ctx.Done():
			failed <- nil
		}
	}()
	held, begun := false, false
	err = k.keep(ctx, a.log, a.options.Name, func(now bool) {
		if held && !now {
			a.confirmed.revoke(ctx, a.copies(ctx))
		}
		if held = now; now && !begun {
			begun = true
			close(first)
		}
	})
	if err != nil {
		return err // the process ends, and what it began with it
	}
	return <-failed
}

// identity is this replica, of this cluster.
func (a *Agent) identity(ctx context.Context) (identity, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := a.mgr.GetAPIReader().Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, namespace); err != nil {
		return identity{}, fmt.Errorf("namespace %s, whose UID tells this cluster from others: %w", metav1.NamespaceSystem, err)
	}
	host, err := os.Hostname()
	return identity{cluster: string(namespace.UID), replica: host + "_" + string(uuid.NewUUID())}, err
}

// settle stops waiting for a hub that does not answer.
func (a *Agent) settle(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(settleAfter):
		a.confirmed.settle(ctx, a.copies(ctx))
	}
}

// copies are all operations here that stand for an assignment.
func (a *Agent) copies(ctx context.Context) (copies []v1alpha1.Operation) {
	all := &v1alpha1.OperationList{}
	if err := a.mgr.GetClient().List(ctx, all, client.UnsafeDisableDeepCopy); err != nil {
		a.log.Error(err, "Cannot list operations")
	}
	for i := range all.Items {
		if len(assignmentOf(&all.Items[i])) > 0 {
			copies = append(copies, all.Items[i])
		}
	}
	return copies
}

// controllers are what serves, once the lease was held.
func (a *Agent) controllers(k *keeper) (func(context.Context) error, error) {
	local, hub := a.mgr.GetClient(), a.hub.GetClient()
	versions, err := discovery.NewDiscoveryClientForConfigAndClient(a.mgr.GetConfig(), a.mgr.GetHTTPClient())
	if err != nil {
		return nil, err
	}
	assigned, err := a.controller("agent-assignments", workers, &assignments{
		agent: a.options.Name, namespace: k.namespace, cluster: k.me.cluster,
		hub: hub, local: local, hubLive: a.hub.GetAPIReader(), localLive: a.mgr.GetAPIReader(),
		confirmed: a.confirmed, keeper: k, clock: clock.RealClock{}, wrote: map[string]time.Time{},
	})
	if err != nil {
		return nil, err
	}
	mirrored, err := a.controller("agent-mirrors", 1, &mirrors{
		agent: a.options.Name, namespace: k.namespace, hub: hub, local: local, keeper: k,
		reports: &reports{local: local, version: versions, clock: clock.RealClock{}}, clock: clock.RealClock{}, wrote: map[string]time.Time{},
	})
	if err != nil {
		return nil, err
	}
	byName := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request { return requests(o.GetName()) })
	byAnnotation := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request { return requests(assignmentOf(o)...) })
	byKind := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request { return requests(mirrorOf(o)) })
	here := a.mgr.GetCache()
	watches := []error{
		assigned.Watch(source.Kind(a.hub.GetCache(), client.Object(&v1alpha1.Assignment{}), byName)),
		assigned.Watch(source.Kind(here, client.Object(&v1alpha1.Operation{}), byAnnotation)),
		mirrored.Watch(source.Kind(a.hub.GetCache(), client.Object(&v1alpha1.Mirror{}), byName)),
	}
	for _, object := range kinds {
		watches = append(watches, mirrored.Watch(source.Kind(here, object(), byKind)))
	}
	return func(ctx context.Context) error {
		ended := make(chan error, 3)
		go func() { ended <- a.hub.GetCache().Start(ctx) }()
		if !synced(ctx, a.hub) {
			return <-ended
		}
		go func() { ended <- assigned.Start(ctx) }()
		go func() { ended <- mirrored.Start(ctx) }()
		return errors.Join(<-ended, <-ended, <-ended)
	}, errors.Join(watches...)
}

func requests(names ...string) (all []reconcile.Request) {
	for _, name := range names {
		all = append(all, reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
	}
	return all
}

func (a *Agent) controller(name string, workers int, r reconcile.Reconciler) (controller.Controller, error) {
	return controller.NewUnmanaged(name, controller.Options{
		Reconciler: r, MaxConcurrentReconciles: workers, NewQueue: requestqueue.New, SkipNameValidation: ptr.To(true),
		RateLimiter:      workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		CacheSyncTimeout: syncTimeout, ReconciliationTimeout: 3 * requestTimeout, Logger: a.log,
	})
}
