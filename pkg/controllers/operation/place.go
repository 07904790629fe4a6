package operation

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// place is where operations of a queue run.
type place struct {
	// namespace is where their pods are, in this cluster or in that of a remote agent.
	namespace string
	agent     *v1alpha1.Agent
}

// remote is the agent in another cluster; empty: it is this one.
func (p place) remote() string {
	if p.agent.Spec.Remote {
		return p.agent.Name
	}
	return ""
}

// closed says why nothing is assigned to the place now; empty: it is open.
func (p place) closed() string {
	switch {
	case !p.agent.Spec.Remote:
		return ""
	case !p.agent.DeletionTimestamp.IsZero():
		return "agent " + p.agent.Name + " is being deleted and gets no operations: give the queue another agent"
	case p.agent.Spec.State == v1alpha1.AgentDraining:
		return "agent " + p.agent.Name + " is draining and gets no operations: open it, or give the queue another agent"
	case p.agent.Spec.State == v1alpha1.AgentEvicted:
		return "agent " + p.agent.Name + " is evicted: give the queue another agent, or open it when its cluster is back"
	case p.agent.Status.LastContact == nil, ready(p.agent.Status.Conditions) == v1alpha1.ReasonNotJoined:
		return "agent " + p.agent.Name + " has not joined yet: qy agents join " + p.agent.Name + " says how"
	}
	return ""
}

// placeOf is where a queue's operations run: where its agent says, else with the operation. The hub has chosen that of a copy.
func (r *Reconciler) placeOf(ctx context.Context, op client.Object, queue string) (place, error) {
	return placeOf(ctx, r.client, op, queue)
}

func placeOf(ctx context.Context, reader client.Reader, op client.Object, queue string) (place, error) {
	q, agent := &v1alpha1.Queue{}, &v1alpha1.Agent{}
	if err := reader.Get(ctx, client.ObjectKey{Name: queue}, q); client.IgnoreNotFound(err) != nil {
		return place{}, err
	}
	if err := reader.Get(ctx, client.ObjectKey{Name: tenancy.InfoOf(q).Agent}, agent); client.IgnoreNotFound(err) != nil {
		return place{}, err
	}
	return placeAt(op, agent), nil
}

func placeAt(op client.Object, agent *v1alpha1.Agent) place {
	p := place{namespace: op.GetNamespace(), agent: agent}
	if agent.Spec.Namespace != "" && op.GetAnnotations()[v1alpha1.AssignmentAnnotation] == "" {
		p.namespace = agent.Spec.Namespace
	}
	return p
}

// isElsewhere says that what waits would be made in another cluster now.
func (p place) isElsewhere(run *v1alpha1.RunReference) bool {
	at := ""
	if isAssignment(run) {
		at = run.Namespace
	}
	want := ""
	if agent := p.remote(); agent != "" {
		want = v1alpha1.AgentNamespace(agent)
	}
	return at != want
}

func isAssignment(run *v1alpha1.RunReference) bool {
	return run != nil && run.Kind == "Assignment" && run.APIVersion == v1alpha1.GroupVersion.String()
}

// contactOf is what is known of the agent that something is assigned to.
func contactOf(ctx context.Context, reader client.Reader, a *v1alpha1.Assignment) (operation.Contact, error) {
	agent := &v1alpha1.Agent{}
	name := a.Namespace[min(len(a.Namespace), len(v1alpha1.AgentNamespacePrefix)):]
	if err := reader.Get(ctx, client.ObjectKey{Name: name}, agent); client.IgnoreNotFound(err) != nil {
		return operation.Contact{}, err
	}
	c := operation.Contact{Agent: name}
	// One that is fenced was silent before, and does nothing any more.
	if ready := meta.FindStatusCondition(agent.Status.Conditions, v1alpha1.ReadyCondition); ready != nil && (ready.Reason == v1alpha1.ReasonUnreachable || agent.Status.Fenced) {
		c.LostAt = ready.LastTransitionTime.Time
		if agent.Status.LastContact != nil {
			c.LostAt = agent.Status.LastContact.Time
		}
	}
	return c, nil
}

// agentTurns lets through what operations have to hear of an agent: not that it was heard of again.
var agentTurns = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := e.ObjectOld.(*v1alpha1.Agent), e.ObjectNew.(*v1alpha1.Agent)
		return before.Generation != after.Generation || ready(before.Status.Conditions) != ready(after.Status.Conditions) ||
			before.Status.Fenced != after.Status.Fenced || (before.Status.LastContact == nil) != (after.Status.LastContact == nil)
	},
}

func ready(conditions []metav1.Condition) string {
	if c := meta.FindStatusCondition(conditions, v1alpha1.ReadyCondition); c != nil {
		return c.Reason
	}
	return ""
}

// ofAgent are the operations that a change of an agent matters to: what is assigned to it, and what waits in its queues.
func (r *Reconciler) ofAgent(ctx context.Context, agent client.Object) []reconcile.Request {
	return r.those(ctx, func(op *v1alpha1.Operation) bool {
		if op.Status.Agent == agent.GetName() && !op.Status.Phase.Final() {
			return true
		}
		q := &v1alpha1.Queue{}
		return waits(op.Status.Phase) && r.client.Get(ctx, client.ObjectKey{Name: op.Status.Queue}, q) == nil && tenancy.InfoOf(q).Serves(agent.GetName())
	})
}

// queueTurns lets through that other agents serve a queue.
var queueTurns = predicate.Funcs{
	CreateFunc: func(event.CreateEvent) bool { return false },
	DeleteFunc: func(event.DeleteEvent) bool { return false },
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := &e.ObjectOld.(*v1alpha1.Queue).Spec, &e.ObjectNew.(*v1alpha1.Queue).Spec
		return before.Agent != after.Agent || before.Routing != after.Routing || !slices.Equal(before.Agents, after.Agents)
	},
}

// ofQueue are the operations that wait in a queue.
func (r *Reconciler) ofQueue(ctx context.Context, queue client.Object) []reconcile.Request {
	return r.those(ctx, func(op *v1alpha1.Operation) bool {
		return op.Status.Queue == queue.GetName() && waits(op.Status.Phase)
	})
}

func (r *Reconciler) those(ctx context.Context, which func(*v1alpha1.Operation) bool) (all []reconcile.Request) {
	ops := &v1alpha1.OperationList{}
	if r.client.List(ctx, ops, client.UnsafeDisableDeepCopy) != nil {
		return nil
	}
	for i := range ops.Items {
		if op := &ops.Items[i]; which(op) {
			all = append(all, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(op)})
		}
	}
	return all
}
