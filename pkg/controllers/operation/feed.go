package operation

import (
	"context"
	"errors"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	resourcehelper "k8s.io/component-helpers/resource"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/lookahead"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// feed tells the look-ahead what waits and what holds room: operations, and the pods of queues that
// are none. What it says of operations comes from their own reconciliation.
type feed struct {
	reader  client.Reader
	window  *lookahead.Window
	router  *router
	reports *reporter
	counts  *counts
	live    client.Reader // for what must not be stale
	written *written
	// copies is nil where no agent runs.
	copies Copies
	synced []toolscache.InformerSynced
	// loaded is closed when all operations have been entered.
	loaded chan struct{}
	// queues gives the controller's queue when there is one. It takes whatever it is told at once: who tells must
	// never wait for those who work on it.
	queues chan inbox
	queue  inbox

	mu      sync.Mutex
	orphans map[string]bool // operations that are gone and have pods that run
}

type inbox = workqueue.TypedRateLimitingInterface[reconcile.Request]

func newFeed(reader client.Client, live client.Reader, written *written) *feed {
	f := &feed{
		reader: reader, live: live, written: written, loaded: make(chan struct{}), queues: make(chan inbox, 1), orphans: map[string]bool{},
	}
	f.window = lookahead.New(f.tell)
	f.router = newRouter(f.tell)
	f.reports = &reporter{client: reader, window: f.window, router: f.router, may: func(op *v1alpha1.Operation) bool {
		return f.mayBegin(op, operation.Observation{Stage: operation.Absent})
	}, clock: clock.RealClock{}, in: map[types.NamespacedName]bool{}, hindrances: map[types.NamespacedName]*hindrance{}}
	f.counts = newCounts(reader, clock.RealClock{}, f.loaded)
	return f
}

// tell has an operation looked at.
func (f *feed) tell(uid string) {
	parts := strings.Split(uid, "/")
	if len(parts) != 3 {
		return // a pod that is no operation
	}
	f.queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: parts[0], Name: parts[1]}})
}

// into takes the queue that operations to be looked at go into.
func (f *feed) into(_ context.Context, queue inbox) error {
	f.queues <- queue
	return nil
}

// uidOf is what the look-ahead knows an operation by.
func uidOf(op *v1alpha1.Operation) string {
	return op.Namespace + "/" + op.Name + "/" + string(op.UID)
}

func (f *feed) setup(mgr manager.Manager) error {
	for object, handlers := range map[client.Object]toolscache.ResourceEventHandler{
		&v1alpha1.Queue{}: on(func(q *v1alpha1.Queue) {
			config := limits.Queue(q)
			if tenancy.Several(q) {
				config.Agent = groupPrefix + q.Name
			}
			f.window.Route(q.Name, tenancy.Several(q))
			f.window.Limits(func(l *ledger.Ledger) {
				setGroup(l, q.Name, tenancy.Several(q))
				l.SetQueue(q.Name, config)
			})
			f.router.set(q.Name, tenancy.Several(q))
			f.counts.look(q.Name)
		}, func(q *v1alpha1.Queue) {
			f.window.Route(q.Name, false)
			f.window.Limits(func(l *ledger.Ledger) {
				l.DeleteQueue(q.Name)
				setGroup(l, q.Name, false)
			})
			f.router.set(q.Name, false)
		}),
		&v1alpha1.Agent{}: on(func(a *v1alpha1.Agent) {
			f.window.Limits(func(l *ledger.Ledger) { l.SetAgent(a.Name, limits.Of(a.Spec.Concurrency, nil)) })
			f.router.roomier()
		}, func(a *v1alpha1.Agent) {
			f.window.Limits(func(l *ledger.Ledger) { l.DeleteAgent(a.Name) })
		}),
		// The look-ahead counts the operations of all clusters together, so tenants have their whole limits in it, not this
		// cluster's shares.
		&v1alpha1.Project{}: onSpec(func(p *v1alpha1.Project) {
			f.window.Limits(func(l *ledger.Ledger) {
				l.SetProject(p.Name, p.Spec.Organization, limits.Of(p.Spec.Concurrency, p.Spec.Quota))
			})
		}, func(p *v1alpha1.Project) {
			f.window.Limits(func(l *ledger.Ledger) { l.DeleteProject(p.Name) })
		}),
		&v1alpha1.Organization{}: onSpec(func(o *v1alpha1.Organization) {
			f.window.Limits(func(l *ledger.Ledger) { l.SetOrganization(o.Name, limits.Of(o.Spec.Concurrency, o.Spec.Quota)) })
		}, func(o *v1alpha1.Organization) {
			f.window.Limits(func(l *ledger.Ledger) { l.DeleteOrganization(o.Name) })
		}),
		&v1alpha1.Workflow{}: on(func(w *v1alpha1.Workflow) {
			f.window.SetWorkflow(workflowKey(w.Namespace, w.Name, w.UID), workflowOf(w), int64(ptr.Deref(w.Spec.Concurrency, v1alpha1.Unlimited)))
		}, func(w *v1alpha1.Workflow) {
			f.window.DeleteWorkflow(workflowKey(w.Namespace, w.Name, w.UID))
		}),
		&corev1.Pod{}: on(f.podSeen, f.podGone),
		// What else happens to operations comes from their reconciliation.
		&v1alpha1.Operation{}: on(f.counts.seen, func(op *v1alpha1.Operation) {
			f.counts.gone(op)
			f.gone(op)
		}),
	} {
		informer, err := mgr.GetCache().GetInformer(context.Background(), object)
		if err != nil {
			return err
		}
		registration, err := informer.AddEventHandler(handlers)
		if err != nil {
			return err
		}
		f.synced = append(f.synced, registration.HasSynced)
	}
	return errors.Join(mgr.Add(f), mgr.Add(f.reports), mgr.Add(f.counts))
}

// groupPrefix names an agent without limits for each queue of several: which of these has room the router knows.
const groupPrefix = "agents of queue "

func setGroup(l *ledger.Ledger, queue string, several bool) {
	if several {
		l.SetAgent(groupPrefix+queue, ledger.Limits{Seats: ledger.Unlimited})
	} else {
		l.DeleteAgent(groupPrefix + queue)
	}
}

// on makes a handler of typed functions.
func on[T client.Object](seen, gone func(T)) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { seen(o.(T)) },
		UpdateFunc: func(_, o any) { seen(o.(T)) },
		DeleteFunc: func(o any) {
			if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = last.Obj
			}
			gone(o.(T))
		},
	}
}

// onSpec is on for objects whose status does not matter.
func onSpec[T client.Object](seen, gone func(T)) toolscache.ResourceEventHandler {
	handler := on(seen, gone).(toolscache.ResourceEventHandlerFuncs)
	handler.UpdateFunc = func(before, now any) {
		if b, n := before.(T), now.(T); b.GetUID() != n.GetUID() || b.GetGeneration() != n.GetGeneration() {
			seen(n)
		}
	}
	return handler
}

// Start implements manager.Runnable: from here on, operations come to be due. It runs in the replica
// that leads.
func (f *feed) Start(ctx context.Context) error {
	if !toolscache.WaitForCacheSync(ctx.Done(), f.synced...) {
		return nil
	}
	select {
	case f.queue = <-f.queues:
	case <-ctx.Done():
		return nil
	}
	if err := f.load(ctx); err != nil {
		return err
	}
	f.window.Open()
	close(f.loaded)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.window.Changed():
			f.window.Decide()
		}
	}
}

// load enters what the API says of all operations before anything is decided: what runs holds its
// room, what has its pods keeps them, and what has been released is in flight. The cache may show an older state of
// any of them, in which it held no room: from here on no such state is worked on.
func (f *feed) load(ctx context.Context) error {
	released, err := f.releasedRuns(ctx)
	if err != nil {
		return err
	}
	for next := ""; ; {
		page := &v1alpha1.OperationList{}
		if err := f.live.List(ctx, page, client.Limit(pageSize), client.Continue(next)); err != nil {
			return err
		}
		for i := range page.Items {
			op := &page.Items[i]
			f.written.begin(op)
			f.written.end(op, nil)
			if err := f.enter(ctx, op, released[uidOf(op)]); err != nil {
				return err
			}
		}
		if next = page.Continue; next == "" {
			break
		}
	}
	cached := &v1alpha1.OperationList{}
	if err := f.reader.List(ctx, cached, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	for i := range cached.Items {
		f.written.seen(&cached.Items[i])
	}
	return nil
}

// enter enters one operation, of which a released pod may be known.
func (f *feed) enter(ctx context.Context, op *v1alpha1.Operation, released bool) error {
	seen := operation.Observation{Stage: operation.Absent}
	if waits(op.Status.Phase) || op.Status.Phase == v1alpha1.StatusStopping {
		pods := &corev1.PodList{}
		if err := f.reader.List(ctx, pods, client.MatchingFields{byOperation: client.ObjectKeyFromObject(op).String()}, client.UnsafeDisableDeepCopy); err != nil {
			return err
		}
		run := op.Status.Run
		if len(pods.Items) > 0 || f.isAssigned(ctx, run) {
			seen.Stage, seen.Gated = operation.Waiting, true
		}
		if workflowOf(op) != "" && run != nil && (released || run.Kind != "Pod" && f.exists(ctx, run)) {
			seen.Stage, seen.Gated = operation.Waiting, false
		} else if workflowOf(op) == "" {
			seen.Gated = false
		}
	}
	f.follow(op, &op.Status, seen)
	return nil
}

// pageSize bounds what is read live at a time.
const pageSize = 500

// releasedRuns are the operations of workflows of which a pod without the gate is alive, as the API server has them.
func (f *feed) releasedRuns(ctx context.Context) (map[string]bool, error) {
	found := map[string]bool{}
	for next := ""; ; {
		pods := &corev1.PodList{}
		if err := f.live.List(ctx, pods, client.HasLabels{v1alpha1.WorkflowUIDLabel, v1alpha1.OperationUIDLabel}, client.Limit(pageSize), client.Continue(next)); err != nil {
			return nil, err
		}
		for i := range pods.Items {
			if pod := &pods.Items[i]; !operation.Gated(pod) && !over(pod) {
				found[uidOfRun(pod)] = true
			}
		}
		if next = pods.Continue; next == "" {
			return found, nil
		}
	}
}

// isAssigned says whether an operation has what it runs as in another cluster.
func (f *feed) isAssigned(ctx context.Context, run *v1alpha1.RunReference) bool {
	return isAssignment(run) && f.reader.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: run.Name}, &v1alpha1.Assignment{}) == nil
}

// exists says whether what an operation runs as is there. What can't be read may be.
func (f *feed) exists(ctx context.Context, run *v1alpha1.RunReference) bool {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(schema.FromAPIVersionAndKind(run.APIVersion, run.Kind))
	return !apierrors.IsNotFound(f.live.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: run.Name}, object))
}

// wait says whether a waiting operation is due, and whether it is released to its queue. A pod of one
// that is not may be made ahead, with a gate; anything else may not.
func (f *feed) wait(op *v1alpha1.Operation, status *v1alpha1.OperationStatus, seen operation.Observation) (due, released bool) {
	if !f.mayBegin(op, seen) {
		f.window.Leave(uidOf(op))
		return false, false
	}
	described := f.describe(op, status)
	exists := seen.Stage != operation.Absent
	released, near := f.window.Release(described, exists && !seen.Gated)
	if !released {
		return near && status.Run != nil && status.Run.Kind == "Pod", false
	}
	if h := f.reports.hindrance(op); h != nil && h.alone {
		if f.window.Wait(described, exists, true) {
			return true, true
		}
		f.reports.hinder(op, nil) // that was in another line
	}
	return f.window.Wait(described, exists, seen.Stage == operation.Unschedulable), true
}

// follow tells the look-ahead what became of an operation.
func (f *feed) follow(op *v1alpha1.Operation, status *v1alpha1.OperationStatus, seen operation.Observation) {
	f.router.follow(op, status, seen)
	switch status.Phase {
	case v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable:
		if seen.Stage == operation.Scheduled { // it is not written down yet
			f.window.Hold(f.describe(op, status))
			return
		}
		f.wait(op, status, seen)
		f.reports.waits(op)
	case v1alpha1.StatusStopping:
		if workflowOf(op) != "" && (seen.Gated || seen.Stage == operation.Absent) {
			f.window.Leave(uidOf(op)) // it never was released
			return
		}
		f.window.Hold(f.describe(op, status))
	case v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning, v1alpha1.StatusWarning, v1alpha1.StatusUnknown:
		f.window.Hold(f.describe(op, status))
	default:
		f.window.Leave(uidOf(op))
	}
}

// gone forgets a deleted operation, but for what still runs of it.
func (f *feed) gone(op *v1alpha1.Operation) {
	uid := uidOf(op)
	f.router.leave(uid)
	f.reports.hinder(op, nil)
	pods := &corev1.PodList{}
	alive := false
	if workflowOf(op) != "" && f.reader.List(context.Background(), pods, client.MatchingFields{byOperation: client.ObjectKeyFromObject(op).String()}, client.UnsafeDisableDeepCopy) == nil {
		for i := range pods.Items {
			alive = alive || pods.Items[i].Labels[v1alpha1.OperationUIDLabel] == string(op.UID) && pods.Items[i].Spec.NodeName != "" && !over(&pods.Items[i])
		}
	}
	if !alive {
		f.window.Leave(uid)
		return
	}
	f.mu.Lock()
	f.orphans[uid] = true
	f.mu.Unlock()
	f.window.Outlive(uid)
}

// ranOut lets go what outlived its operation.
func (f *feed) ranOut(pod *corev1.Pod) {
	uid := uidOfRun(pod)
	f.mu.Lock()
	orphan := f.orphans[uid]
	delete(f.orphans, uid)
	f.mu.Unlock()
	if orphan {
		f.window.Leave(uid)
	}
}

// workflowOf is the workflow that an operation or workflow is a child of; empty: none. The owner is the one that
// the controller's mark names: a mark without an owner was left behind, an owner without a mark was written
// by somebody.
func workflowOf(o client.Object) string {
	owner := metav1.GetControllerOfNoCopy(o)
	if owner == nil || owner.Kind != "Workflow" || string(owner.UID) != o.GetLabels()[v1alpha1.WorkflowUIDLabel] {
		return ""
	}
	return workflowKey(o.GetNamespace(), owner.Name, owner.UID)
}

// workflowKey is what the look-ahead knows a workflow by.
func workflowKey(namespace, name string, uid types.UID) string {
	return namespace + "/" + name + "/" + string(uid)
}

// uidOfRun is what the look-ahead knows the operation of a pod by.
func uidOfRun(pod *corev1.Pod) string {
	key, _ := keyOf(pod)
	return key.String() + "/" + pod.Labels[v1alpha1.OperationUIDLabel]
}

func (f *feed) describe(op *v1alpha1.Operation, status *v1alpha1.OperationStatus) ledger.Pod {
	created := op.CreationTimestamp.UnixNano()
	if status.QueuedTime != nil {
		created = status.QueuedTime.UnixNano()
	}
	requests := limits.Amounts(status.Requests)
	if rate := f.rate(status.Queue, status.Cost, status.Requests); rate > 0 {
		requests[ledger.CostPerHour] = rate
	}
	return ledger.Pod{
		UID: uidOf(op), Operation: uidOf(op), Queue: status.Queue, Project: status.Project, Workflow: workflowOf(op),
		Priority: int64(status.Priority), Created: created, Requests: requests,
	}
}

// rate is a cost per hour: the declared one, else by the prices of the queue's agent.
func (f *feed) rate(queue, declared string, requests corev1.ResourceList) cost.Micros {
	if declared != "" {
		if rate, err := cost.Parse(declared); err == nil {
			return rate
		}
	}
	q, agent := &v1alpha1.Queue{}, &v1alpha1.Agent{}
	if f.reader.Get(context.Background(), types.NamespacedName{Name: queue}, q) != nil ||
		f.reader.Get(context.Background(), types.NamespacedName{Name: tenancy.InfoOf(q).Agent}, agent) != nil {
		return 0
	}
	return cost.Prices(agent.Spec.Prices).Rate(requests)
}

// podSeen takes a version of a pod that is no operation's.
func (f *feed) podSeen(pod *corev1.Pod) {
	if _, made := keyOf(pod); made {
		if over(pod) {
			f.ranOut(pod)
		}
		return
	}
	over := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	switch {
	case over, pod.Spec.NodeName == "" && (pod.DeletionTimestamp != nil || len(pod.Spec.SchedulingGates) > 0):
		f.podGone(pod)
	case pod.Spec.NodeName != "":
		f.window.Hold(f.describePod(pod))
	default:
		f.window.Enter(f.describePod(pod))
	}
}

func (f *feed) podGone(pod *corev1.Pod) {
	if _, made := keyOf(pod); made {
		f.ranOut(pod)
		return
	}
	f.window.Leave(string(pod.UID))
}

// describePod is a pod as its labels have it; the webhook has checked them.
func (f *feed) describePod(pod *corev1.Pod) ledger.Pod {
	queue := tenancy.NamedQueue(tenancy.Claim{Labels: pod.Labels, Annotations: pod.Annotations})
	if queue == "" {
		queue = v1alpha1.DefaultName
	}
	list := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{UseStatusResources: true})
	requests := limits.Amounts(list)
	declared := pod.Annotations[v1alpha1.CostLabel]
	if declared == "" {
		declared = pod.Labels[v1alpha1.CostLabel]
	}
	if rate := f.rate(queue, declared, list); rate > 0 {
		requests[ledger.CostPerHour] = rate
	}
	name := string(pod.UID)
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		name = pod.Namespace + "/" + string(owner.UID)
	}
	return ledger.Pod{
		UID: string(pod.UID), Operation: name, Queue: queue, Project: pod.Labels[v1alpha1.ProjectLabel],
		Priority: int64(corev1helpers.PodPriority(pod)), Created: pod.CreationTimestamp.UnixNano(), Requests: requests,
	}
}

var _ manager.LeaderElectionRunnable = &feed{}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (f *feed) NeedLeaderElection() bool { return true }
