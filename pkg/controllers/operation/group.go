package operation

import (
	"context"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// group is a queue of several agents.
type group struct {
	queue  *v1alpha1.Queue
	agents []*v1alpha1.Agent // in order; one that does not exist has no UID
}

// groupOf is a queue of several agents; nil: it has one.
func groupOf(ctx context.Context, reader client.Reader, queue string) (*group, error) {
	q := &v1alpha1.Queue{}
	if err := reader.Get(ctx, client.ObjectKey{Name: queue}, q); err != nil || !tenancy.Several(q) {
		return nil, client.IgnoreNotFound(err)
	}
	g := &group{queue: q}
	for _, name := range q.Spec.Agents {
		a := &v1alpha1.Agent{}
		if err := reader.Get(ctx, client.ObjectKey{Name: name}, a); client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		a.Name = name
		g.agents = append(g.agents, a)
	}
	return g, nil
}

func (g *group) agent(name string) *v1alpha1.Agent {
	if i := slices.IndexFunc(g.agents, func(a *v1alpha1.Agent) bool { return a.Name == name }); i >= 0 {
		return g.agents[i]
	}
	return nil
}

// here is the agent of this cluster; empty: there is none.
func (g *group) here() string {
	name, _ := tenancy.InfoOf(g.queue).Here(func(name string) bool { return g.agent(name).Spec.Remote })
	return name
}

// remote is the name of an agent in another cluster, or empty.
func (g *group) remote(name string) string {
	if a := g.agent(name); a != nil && a.Spec.Remote {
		return name
	}
	return ""
}

// closed says why an agent gets none of the queue's operations now; empty: it does.
func (g *group) closed(name string) string {
	a := g.agent(name)
	switch {
	case a == nil:
		return "serves the queue no more"
	case a.UID == "":
		return "does not exist"
	case !a.Spec.Remote && name != g.here():
		return "is of this cluster, as agent " + g.here() + " is: a queue has one agent in a cluster"
	case !a.Spec.Remote:
		return ""
	case !a.DeletionTimestamp.IsZero():
		return "is being deleted"
	case a.Spec.State == v1alpha1.AgentDraining:
		return "is draining"
	case a.Spec.State == v1alpha1.AgentEvicted:
		return "is evicted"
	case a.Status.LastContact == nil, ready(a.Status.Conditions) == v1alpha1.ReasonNotJoined:
		return "has not joined yet"
	case ready(a.Status.Conditions) == v1alpha1.ReasonUnreachable:
		return unreachable
	}
	return ""
}

// unreachable is why an agent is closed that may come back: what it has claimed stays there.
const unreachable = "is unreachable"

// place is where operations of the queue run that an agent gets; of none, where the first would have them.
func (g *group) place(op client.Object, name string) place {
	a := g.agent(name)
	if a == nil {
		a = g.agents[0]
	}
	return placeAt(op, a)
}

// at is the agent that a run is with.
func (g *group) at(run *v1alpha1.RunReference) string {
	if isAssignment(run) {
		return strings.TrimPrefix(run.Namespace, v1alpha1.AgentNamespacePrefix)
	}
	return g.here()
}

// misplaced says that what has not begun is to be given back: its agent gets nothing now, or no node of it fits the operation and another
// agent has room. No agent is tried twice in an attempt for want of nodes. What an unreachable agent has claimed stays.
func (w *work) misplaced(g *group, seen sight) bool {
	at := g.at(w.op.Status.Run)
	switch why := g.closed(at); {
	case why == unreachable:
		a, assigned := seen.object.(*v1alpha1.Assignment)
		return assigned && !operation.Claimed(a)
	case why != "":
		return true
	}
	return seen.observation.Stage == operation.Unschedulable && operation.Routed(&w.op.Status) < len(g.agents) && w.feed.router.roomAt(w.op, g, at)
}

// route says whether an operation that has nothing anywhere gets an agent now, and notes which.
func (w *work) route(ctx context.Context, status *v1alpha1.OperationStatus, due bool) bool {
	g, err := groupOf(ctx, w.client, status.Queue)
	if err != nil || g == nil {
		return false
	}
	if !due || !w.feed.window.HasRoom(uidOf(w.op)) {
		w.feed.router.leave(uidOf(w.op))
		return false
	}
	w.choice, due = w.feed.router.choose(w.op, status, g)
	return due
}
