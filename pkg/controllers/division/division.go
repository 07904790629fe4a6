// Package division divides the limits of projects, organizations and queues of several agents among the clusters of a hub's
// agents.
//
// The status of the tenant says who has what. It is written under its version, so divisions follow each other, whoever
// makes them; what it says is then published to the agents. Every share has a revision, and none changes before its
// cluster has said that it is in force.
package division

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/shares"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// period is how often at most the shares of a tenant change.
const period = time.Second

// leavingPeriod is how often it is looked whether an agent that is to be gone is.
const leavingPeriod = 5 * time.Second

// fieldManager is that of shares: the rest of a tenant's status is others'.
const fieldManager = "queueyard-shares"

// divider divides the limits of one tenant at a time.
type divider struct {
	client  client.Client // reads may be old
	live    client.Reader
	demands *demands
	clock   clock.Clock

	mu    sync.Mutex
	wrote map[tenant]time.Time
}

// Reconcile implements reconcile.Reconciler.
func (d *divider) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	t := tenantOf(req)
	if wait := d.pause(t); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	o := t.empty()
	if err := d.client.Get(ctx, client.ObjectKey{Name: t.name}, o.Object); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	o.read()
	if t.kind == ledger.Queue && !divided(o.Object) {
		return reconcile.Result{}, nil
	}
	agents, err := d.agents(ctx, t, o.status)
	if err != nil {
		return reconcile.Result{}, err
	}
	before := o.DeepCopyObject().(client.Object)
	members := everybody
	if q, is := o.Object.(*v1alpha1.Queue); is {
		agents, members = membersOf(q, agents)
	}
	divide(&o, agents, members, d.demands.by(t, d.served(ctx)), d.demands.by(t, d.sent(ctx)))
	o.write()
	again := reconcile.Result{}
	if slices.ContainsFunc(agents, func(a agent) bool { return a.leaving && !a.over }) {
		again.RequeueAfter = leavingPeriod
	}
	if equality.Semantic.DeepEqual(before, o.Object) {
		return again, nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := d.client.Status().Patch(ctx, o.Object, patch, client.FieldOwner(fieldManager)); err != nil {
		if apierrors.IsConflict(err) {
			return reconcile.Result{RequeueAfter: period / 4}, nil // what is newer is on its way
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wrote[t] = d.clock.Now()
	return again, nil
}

// pause is how long the shares of a tenant stay as they are.
func (d *divider) pause(t tenant) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := period - d.clock.Since(d.wrote[t])
	if left <= 0 {
		delete(d.wrote, t)
	}
	return left
}

// served finds the agent that operations of a queue are at, and its prices. Those that nothing says it of are at the queue's agent, or
// with the first of several.
func (d *divider) served(ctx context.Context) func(at) (agent string, prices cost.Prices) {
	return func(of at) (string, cost.Prices) {
		q, a := &v1alpha1.Queue{}, &v1alpha1.Agent{}
		if err := d.client.Get(ctx, client.ObjectKey{Name: of.queue}, q, client.UnsafeDisableDeepCopy); err != nil {
			return "", nil
		}
		info := tenancy.InfoOf(q)
		name := info.Agent
		if tenancy.Several(q) && of.placed {
			name = of.agent
		}
		if tenancy.Several(q) && of.placed && of.agent == "" {
			name, _ = info.Here(func(name string) bool {
				is := &v1alpha1.Agent{}
				return d.client.Get(ctx, client.ObjectKey{Name: name}, is, client.UnsafeDisableDeepCopy) == nil && is.Spec.Remote
			})
		}
		if err := d.client.Get(ctx, client.ObjectKey{Name: name}, a, client.UnsafeDisableDeepCopy); err != nil {
			return name, nil
		}
		return name, a.Spec.Prices
	}
}

// sent finds the agent in another cluster that operations were sent to. What stays here was sent to none.
func (d *divider) sent(ctx context.Context) func(at) (agent string, prices cost.Prices) {
	return func(of at) (string, cost.Prices) {
		a := &v1alpha1.Agent{}
		if !of.placed || of.agent == "" || d.client.Get(ctx, client.ObjectKey{Name: of.agent}, a, client.UnsafeDisableDeepCopy) != nil {
			return "", nil
		}
		return of.agent, a.Spec.Prices
	}
}

// divide writes into the status of a tenant who is to have what next. Demand is by agent, and so is what was sent of it; agents that
// are not remote are this cluster's.
func divide(o *object, agents []agent, m members, demand, sent map[string]shares.Share) {
	status := o.status
	status.Withheld = ""
	if m.none {
		status.Local, status.Shares = nil, nil
		return
	}
	if len(agents) == 0 {
		status.Local = nil
		return
	}
	limit := shares.Share(limits.OfTenant(o.concurrency, o.quota))
	if len(limit) == 0 && status.Local == nil && len(status.Shares) == 0 {
		return
	}
	var parties []shares.Party
	if m.here {
		p := local(status, agents, demand)
		p.Leaving = m.leaving
		parties = append(parties, p)
	}
	first := len(parties) // of the agents
	for i := range agents {
		parties = append(parties, remote(&agents[i], status, demand[agents[i].name], sent[agents[i].name]))
	}
	status.Withheld = withheld(limit, agents, parties[first:])
	revision := lastRevision(status, agents) + 1
	next := shares.Divide(limit, parties)
	switch {
	case m.here && m.leaving && empty(&parties[0], limit):
		status.Local = nil
	case m.here:
		status.Local = renew(status.Local, next[0], revision)
	}
	next = next[first:]
	var given []v1alpha1.AgentShare
	for i := range agents {
		if agents[i].over && !agents[i].exists || agents[i].former && empty(&parties[first+i], limit) {
			continue
		}
		var had *v1alpha1.Share
		if is := shareOf(status, agents[i].name); is != nil {
			had = &is.Share
		} else if next[i] == nil {
			continue // it has nothing, and is not to have anything now: it was silent when the tenant came
		}
		given = append(given, v1alpha1.AgentShare{Agent: agents[i].name, Share: *renew(had, next[i], revision)})
	}
	status.Shares = given
}

// renew is a share as it is next: the same, if nothing changes.
func renew(had *v1alpha1.Share, next shares.Share, revision int64) *v1alpha1.Share {
	if had != nil && maps.Equal(limits.OfShare(had), next) {
		return had
	}
	share := limits.ShareOf(next)
	share.Revision = revision
	return &share
}

func shareOf(status *v1alpha1.TenantStatus, agent string) *v1alpha1.AgentShare {
	for i := range status.Shares {
		if status.Shares[i].Agent == agent {
			return &status.Shares[i]
		}
	}
	return nil
}

// lastRevision is the last one that a share had, also one that nobody has any more.
func lastRevision(status *v1alpha1.TenantStatus, agents []agent) int64 {
	last := int64(0)
	if status.Local != nil {
		last = status.Local.Revision
	}
	if status.Enforced != nil {
		last = max(last, status.Enforced.Revision)
	}
	for i := range status.Shares {
		last = max(last, status.Shares[i].Revision)
	}
	for i := range agents {
		if agents[i].mirror != nil {
			last = max(last, agents[i].mirror.Spec.Revision)
		}
	}
	return last
}
