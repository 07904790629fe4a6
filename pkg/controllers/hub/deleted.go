package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// An agent that is deleted gives back what it has, as one that is drained does, and its shares of limits. Only then it goes: what it
// could still admit would be counted nowhere.

// keep puts the finalizer on a remote agent, and takes it off one that is none any more.
func (r *Reconciler) keep(ctx context.Context, agent *v1alpha1.Agent) error {
	before := agent.DeepCopy()
	changed := false
	switch {
	case !agent.Spec.Remote:
		changed = controllerutil.RemoveFinalizer(agent, v1alpha1.RemoteAgentFinalizer)
	case agent.DeletionTimestamp.IsZero():
		changed = controllerutil.AddFinalizer(agent, v1alpha1.RemoteAgentFinalizer)
	}
	if !changed {
		return nil
	}
	return r.client.Patch(ctx, agent, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// remains is what a deleted agent has yet to give back.
type remains struct {
	claimed int      // assignments
	sharing []string // whose limits it has a share of
}

// remains reads from the API server: what the cache has not heard of may run.
func (r *Reconciler) remains(ctx context.Context, agent *v1alpha1.Agent) (remains, error) {
	var left remains
	all := &v1alpha1.AssignmentList{}
	if err := r.live.List(ctx, all, client.InNamespace(v1alpha1.AgentNamespace(agent.Name))); err != nil {
		return left, err
	}
	for i := range all.Items {
		if controllerutil.ContainsFinalizer(&all.Items[i], v1alpha1.AgentFinalizer) {
			left.claimed++
		}
	}
	queues, projects, organizations := &v1alpha1.QueueList{}, &v1alpha1.ProjectList{}, &v1alpha1.OrganizationList{}
	for _, list := range []client.ObjectList{queues, projects, organizations} {
		if err := r.live.List(ctx, list); err != nil {
			return left, err
		}
	}
	k := known{queues.Items, projects.Items, organizations.Items}
	for mirror, given := range k.given() {
		if slices.ContainsFunc(given, func(s v1alpha1.AgentShare) bool { return s.Agent == agent.Name }) {
			left.sharing = append(left.sharing, strings.Replace(mirror, ".", " ", 1))
		}
	}
	slices.Sort(left.sharing)
	return left, nil
}

// nothing says that an agent may go. Of one that was evicted the shares are nobody's, and go after it.
func (l remains) nothing(agent *v1alpha1.Agent) bool {
	return l.claimed == 0 && (len(l.sharing) == 0 || agent.Spec.State == v1alpha1.AgentEvicted)
}

// maxNamed is how many tenants are named.
const maxNamed = 3

func (l remains) String() string {
	var parts []string
	switch {
	case l.claimed == 1:
		parts = append(parts, "1 operation")
	case l.claimed > 1:
		parts = append(parts, fmt.Sprintf("%d operations", l.claimed))
	}
	if n := len(l.sharing); n > 0 {
		text := strings.Join(l.sharing[:min(n, maxNamed)], ", ")
		if n > maxNamed {
			text += fmt.Sprintf(" and %d more", n-maxNamed)
		}
		parts = append(parts, "its shares of the limits of "+text)
	}
	if len(parts) == 0 {
		return "its Lease"
	}
	return strings.Join(parts, " and ")
}

// letGo takes the lease of an agent that has nothing left, so that it does nothing any more, and then lets it go. One that was evicted
// must be silent for that.
func (r *Reconciler) letGo(ctx context.Context, agent *v1alpha1.Agent, lease *coordinationv1.Lease, fenced bool) error {
	switch {
	case fenced:
	case lease == nil:
		if err := r.client.Create(ctx, fencedLease(agent.Name)); client.IgnoreNotFound(err) != nil { // no namespace: it has not joined
			return client.IgnoreAlreadyExists(err)
		}
	case agent.Spec.State == v1alpha1.AgentEvicted:
		return nil
	default:
		if taken, err := r.take(ctx, lease); err != nil || !taken {
			return err // the next look tries again
		}
	}
	before := agent.DeepCopy()
	controllerutil.RemoveFinalizer(agent, v1alpha1.RemoteAgentFinalizer)
	return ignoreConflict(client.IgnoreNotFound(r.client.Patch(ctx, agent, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))))
}
