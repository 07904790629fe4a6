package division

import (
	"context"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// agent is one in another cluster, as it stands to a tenant.
type agent struct {
	name string
	// former: it serves the queue no more, or is being deleted.
	former bool
	exists bool
	// heard: it is in contact; the last time was then.
	heard bool
	last  time.Time
	// leaving: it was evicted or deleted. It is over when its lease is taken and nothing is left that it claimed.
	leaving, over bool
	mirror        *v1alpha1.Mirror // nil: there is none
}

// agents are the remote ones and those that have a share, by name.
func (d *divider) agents(ctx context.Context, t tenant, status *v1alpha1.TenantStatus) ([]agent, error) {
	list := &v1alpha1.AgentList{}
	if err := d.client.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	found := map[string]*agent{}
	for i := range status.Shares {
		found[status.Shares[i].Agent] = &agent{name: status.Shares[i].Agent, leaving: true}
	}
	for i := range list.Items {
		a := &list.Items[i]
		if !a.Spec.Remote {
			continue
		}
		found[a.Name] = &agent{name: a.Name, exists: true, heard: isHeard(a), former: !a.DeletionTimestamp.IsZero(), leaving: a.Spec.State == v1alpha1.AgentEvicted}
		if last := a.Status.LastContact; last != nil {
			found[a.Name].last = last.Time
		}
	}
	var out []agent
	for _, a := range found {
		mirror := &v1alpha1.Mirror{}
		err := d.client.Get(ctx, client.ObjectKey{Namespace: v1alpha1.AgentNamespace(a.name), Name: t.mirror()}, mirror, client.UnsafeDisableDeepCopy)
		switch {
		case err == nil:
			a.mirror = mirror
		case !apierrors.IsNotFound(err):
			return nil, err
		}
		if a.leaving {
			if a.over, err = d.isOver(ctx, a.name); err != nil {
				return nil, err
			}
		}
		out = append(out, *a)
	}
	slices.SortFunc(out, func(a, b agent) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// isOver says whether an agent that is to be gone does nothing any more and has nothing left.
func (d *divider) isOver(ctx context.Context, name string) (bool, error) {
	lease := &coordinationv1.Lease{}
	err := d.live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.AgentNamespace(name), Name: v1alpha1.AgentLease}, lease)
	if client.IgnoreNotFound(err) != nil {
		return false, err
	}
	if _, fenced := lease.Annotations[v1alpha1.FencedAnnotation]; err == nil && !fenced {
		return false, nil
	}
	list := &v1alpha1.AssignmentList{}
	if err := d.live.List(ctx, list, client.InNamespace(v1alpha1.AgentNamespace(name))); err != nil {
		return false, err
	}
	for i := range list.Items {
		if controllerutil.ContainsFinalizer(&list.Items[i], v1alpha1.AgentFinalizer) {
			return false, nil
		}
	}
	return true, nil
}

// members says which clusters divide limits.
type members struct {
	// none: one cluster has the limits, whole.
	none bool
	// here: this cluster may have a share.
	here bool
	// leaving: it has one that it is to give back.
	leaving bool
}

// everybody divides the limits of projects and organizations.
var everybody = members{here: true}

// membersOf are those that a queue's limits are divided among: the clusters that serve it, if they are several, and those
// that have a share from before.
func membersOf(q *v1alpha1.Queue, agents []agent) ([]agent, members) {
	info := tenancy.InfoOf(q)
	var in []agent
	former := false
	for _, a := range agents {
		a.former = a.former || !info.Serves(a.name)
		if a.former && shareOf(&v1alpha1.TenantStatus{Shares: q.Status.Shares}, a.name) == nil {
			continue
		}
		former = former || a.former
		in = append(in, a)
	}
	_, serves := info.Here(func(name string) bool {
		return slices.ContainsFunc(agents, func(a agent) bool { return a.name == name && a.exists })
	})
	m := members{here: serves || q.Status.Local != nil, leaving: !serves}
	m.none = !tenancy.Several(q) && !former && !(m.here && m.leaving)
	return in, m
}
