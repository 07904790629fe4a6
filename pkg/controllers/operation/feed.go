package operation

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	resourcehelper "k8s.io/component-helpers/resource"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"

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
	reader client.Reader
	window *lookahead.Window
	due    chan<- event.GenericEvent
	synced []toolscache.InformerSynced
}

func newFeed(reader client.Reader, due chan<- event.GenericEvent) *feed {
	f := &feed{reader: reader, due: due}
	f.window = lookahead.New(f.tell)
	return f
}

// tell has an operation looked at.
func (f *feed) tell(uid string) {
	parts := strings.Split(uid, "/")
	if len(parts) != 3 {
		return // a pod that is no operation
	}
	op := &v1alpha1.Operation{}
	op.Namespace, op.Name = parts[0], parts[1]
	f.due <- event.GenericEvent{Object: op}
}

// uidOf is what the look-ahead knows an operation by.
func uidOf(op *v1alpha1.Operation) string {
	return op.Namespace + "/" + op.Name + "/" + string(op.UID)
}

func (f *feed) setup(mgr manager.Manager) error {
	for object, handlers := range map[client.Object]toolscache.ResourceEventHandler{
		&v1alpha1.Queue{}: on(func(q *v1alpha1.Queue) {
			f.window.Limits(func(l *ledger.Ledger) { l.SetQueue(q.Name, limits.Queue(q)) })
		}, func(q *v1alpha1.Queue) {
			f.window.Limits(func(l *ledger.Ledger) { l.DeleteQueue(q.Name) })
		}),
		&v1alpha1.Agent{}: on(func(a *v1alpha1.Agent) {
			f.window.Limits(func(l *ledger.Ledger) { l.SetAgent(a.Name, limits.Of(a.Spec.Concurrency, nil)) })
		}, func(a *v1alpha1.Agent) {
			f.window.Limits(func(l *ledger.Ledger) { l.DeleteAgent(a.Name) })
		}),
		&v1alpha1.Project{}: on(func(p *v1alpha1.Project) {
			f.window.Limits(func(l *ledger.Ledger) {
				l.SetProject(p.Name, p.Spec.Organization, limits.Of(p.Spec.Concurrency, p.Spec.Quota))
			})
		}, func(p *v1alpha1.Project) {
			f.window.Limits(func(l *ledger.Ledger) { l.DeleteProject(p.Name) })
		}),
		&v1alpha1.Organization{}: on(func(o *v1alpha1.Organization) {
			f.window.Limits(func(l *ledger.Ledger) { l.SetOrganization(o.Name, limits.Of(o.Spec.Concurrency, o.Spec.Quota)) })
		}, func(o *v1alpha1.Organization) {
			f.window.Limits(func(l *ledger.Ledger) { l.DeleteOrganization(o.Name) })
		}),
		&corev1.Pod{}: on(f.podSeen, f.podGone),
		// What else happens to operations comes from their reconciliation.
		&v1alpha1.Operation{}: on(func(*v1alpha1.Operation) {}, f.gone),
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
	return mgr.Add(f)
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

// Start implements manager.Runnable: from here on, operations come to be due. It runs in the replica
// that leads.
func (f *feed) Start(ctx context.Context) error {
	if !toolscache.WaitForCacheSync(ctx.Done(), f.synced...) {
		return nil
	}
	if err := f.load(ctx); err != nil {
		return err
	}
	f.window.Open()
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
// room, and what has its pods keeps them.
func (f *feed) load(ctx context.Context) error {
	all := &v1alpha1.OperationList{}
	if err := f.reader.List(ctx, all, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	for i := range all.Items {
		op := &all.Items[i]
		stage := operation.Absent
		if waits(op.Status.Phase) {
			pods := &corev1.PodList{}
			if err := f.reader.List(ctx, pods, client.MatchingFields{byOperation: client.ObjectKeyFromObject(op).String()}, client.UnsafeDisableDeepCopy); err != nil {
				return err
			}
			if len(pods.Items) > 0 {
				stage = operation.Waiting
			}
		}
		f.follow(op, &op.Status, operation.Observation{Stage: stage})
	}
	return nil
}

// wait says whether a waiting operation is due.
func (f *feed) wait(op *v1alpha1.Operation, status *v1alpha1.OperationStatus, stage operation.Stage) bool {
	return f.window.Wait(f.describe(op, status), stage != operation.Absent, stage == operation.Unschedulable)
}

// follow tells the look-ahead what became of an operation.
func (f *feed) follow(op *v1alpha1.Operation, status *v1alpha1.OperationStatus, seen operation.Observation) {
	switch status.Phase {
	case v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable:
		if seen.Stage == operation.Scheduled { // it is not written down yet
			f.window.Hold(f.describe(op, status))
			return
		}
		f.wait(op, status, seen.Stage)
	case v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning, v1alpha1.StatusWarning, v1alpha1.StatusUnknown, v1alpha1.StatusStopping:
		f.window.Hold(f.describe(op, status))
	default:
		f.window.Leave(uidOf(op))
	}
}

// gone forgets a deleted operation.
func (f *feed) gone(op *v1alpha1.Operation) { f.window.Leave(uidOf(op)) }

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
		UID: uidOf(op), Operation: uidOf(op), Queue: status.Queue, Project: status.Project,
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

func (f *feed) podGone(pod *corev1.Pod) { f.window.Leave(string(pod.UID)) }

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
