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
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
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

// object is the tenant as the API has it, with pointers into it. Of a queue, the status is a copy of what it has in common
// with that of tenants.
type object struct {
	client.Object
	concurrency *int32
	quota       *v1alpha1.Quota
	status      *v1alpha1.TenantStatus
}

func (t tenant) empty() object {
	switch t.kind {
	case ledger.Project:
		p := &v1alpha1.Project{}
		return object{Object: p, status: &p.Status}
	case ledger.Queue:
		return object{Object: &v1alpha1.Queue{}, status: &v1alpha1.TenantStatus{}}
	}
	o := &v1alpha1.Organization{}
	return object{Object: o, status: &o.Status}
}

func (o *object) read() {
	switch is := o.Object.(type) {
	case *v1alpha1.Project:
		o.concurrency, o.quota = is.Spec.Concurrency, is.Spec.Quota
	case *v1alpha1.Organization:
		o.concurrency, o.quota = is.Spec.Concurrency, is.Spec.Quota
	case *v1alpha1.Queue:
		o.concurrency, o.quota = is.Spec.Concurrency, is.Spec.Quota
		*o.status = v1alpha1.TenantStatus{Enforced: is.Status.Enforced, Budget: is.Status.Budget, Local: is.Status.Local, Shares: is.Status.Shares, Withheld: is.Status.Withheld, Demand: demandHere(is)}
		if e := o.status.Enforced; e != nil && o.status.Local == nil && e.Generation != is.Generation {
			o.status.Enforced = nil // said before it was shared
		}
	}
}

// demandHere is what pods of this cluster want of a queue, as far as its status tells: it counts those of all clusters.
func demandHere(q *v1alpha1.Queue) *v1alpha1.Share {
	wanted := limits.Amounts(q.Status.Usage)
	wanted[limits.Seats] = int64(q.Status.Pending + q.Status.Admitted)
	for i := range q.Status.Agents {
		a := &q.Status.Agents[i]
		wanted[limits.Seats] -= int64(a.Pending + a.Admitted)
		for dim, n := range limits.Amounts(a.Usage) {
			wanted[dim] -= n
		}
	}
	for dim := range wanted {
		wanted[dim] = max(wanted[dim], 0)
	}
	share := limits.ShareOf(wanted)
	return &share
}

// write puts into the object what was decided.
func (o *object) write() {
	if q, is := o.Object.(*v1alpha1.Queue); is {
		q.Status.Local, q.Status.Shares, q.Status.Withheld = o.status.Local, o.status.Shares, o.status.Withheld
	}
}

// request names a tenant: the namespace is its kind.
func (t tenant) request() reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKey{Namespace: t.kind.String(), Name: t.name}}
}

func tenantOf(req reconcile.Request) tenant {
	for _, kind := range []ledger.Kind{ledger.Organization, ledger.Queue} {
		if req.Namespace == kind.String() {
			return tenant{kind, req.Name}
		}
	}
	return tenant{ledger.Project, req.Name}
}

// mirror is the name of its mirrors.
func (t tenant) mirror() string { return t.kind.String() + "." + t.name }

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

// empty says that a cluster has given back all that it had.
func empty(p *shares.Party, limit shares.Share) bool {
	if p.Gone {
		return true
	}
	for dim := range limit {
		if p.Unbounded(dim) {
			return false
		}
	}
	for dim, n := range p.Published {
		if held, limited := p.Held[dim]; n > 0 || !limited || held > 0 {
			return false
		}
	}
	return !p.Pending
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

// local is this cluster. What the agents that are not remote are asked for is its demand.
func local(status *v1alpha1.TenantStatus, agents []agent, demand map[string]shares.Share) shares.Party {
	p := shares.Party{Published: shares.Share{}, Held: shares.Share{}, Demand: shares.Share(limits.OfShare(status.Demand))}
	for name, amounts := range demand {
		if !slices.ContainsFunc(agents, func(a agent) bool { return a.name == name }) {
			p.Demand = larger(p.Demand, amounts)
		}
	}
	var revision int64
	switch {
	case status.Local != nil:
		p.Published, revision = limits.OfShare(status.Local), status.Local.Revision
	case len(status.Shares) > 0:
		p.Published = nil // it goes by nothing while others have shares
	}
	if e := status.Enforced; e == nil || e.Revision != revision {
		p.Pending = status.Local != nil
	} else {
		p.Held = limits.OfShare(&e.Share)
		used := limits.Amounts(status.Usage)
		used[limits.Seats] = int64(status.Admitted)
		if rate, err := cost.Parse(status.CostRate); err == nil {
			used[ledger.CostPerHour] = rate
		}
		if status.Budget != nil {
			used[limits.Budget], _ = cost.Parse(status.Budget.Spent)
		}
		for dim := range p.Held {
			p.Held[dim] = max(p.Held[dim], used[dim])
		}
	}
	if status.Budget != nil {
		spent, _ := cost.Parse(status.Budget.Spent)
		p.Demand[limits.Budget] = spent + p.Demand[ledger.CostPerHour]
	}
	return p
}

// remote is the cluster of an agent.
func remote(a *agent, status *v1alpha1.TenantStatus, demand, sent shares.Share) shares.Party {
	p := shares.Party{Name: a.name, Demand: shares.Share{}, Known: larger(shares.Share{}, sent), Unreachable: !a.heard || !a.exists, Gone: a.over, Leaving: a.former}
	p.Demand = larger(p.Demand, demand)
	is := shareOf(status, a.name)
	if is != nil {
		p.Published, p.Pending = limits.OfShare(&is.Share), true
	}
	if a.mirror == nil {
		return p
	}
	m := a.mirror
	switch {
	case m.Status.Held != nil:
		p.Held = limits.OfShare(m.Status.Held)
	case p.Unreachable && !a.last.IsZero():
		p.Held = shares.Share{} // it may have had the tenant without limits, and not said so yet
	}
	if q := m.Status.Queue; q != nil {
		p.Known = larger(p.Known, limits.Amounts(q.Usage))
	}
	if m.Status.Demand != nil {
		wanted := shares.Share(limits.OfShare(m.Status.Demand))
		p.Demand, p.Known = larger(p.Demand, wanted), larger(p.Known, wanted)
		if spent, budgeted := wanted[limits.Budget]; budgeted {
			p.Demand[limits.Budget] = spent + p.Demand[ledger.CostPerHour]
		}
	}
	if is != nil && m.Spec.Revision == is.Revision {
		p.Pending = m.Status.ObservedGeneration < m.Generation
		return p
	}
	// It may have what its mirror says, which is not what it is given.
	p.Held = widest(p.Held, published(&m.Spec))
	return p
}

// published is the share that a mirror gives.
func published(spec *v1alpha1.MirrorSpec) shares.Share {
	switch {
	case spec.Project != nil:
		return limits.OfTenant(spec.Project.Concurrency, spec.Project.Quota)
	case spec.Organization != nil:
		return limits.OfTenant(spec.Organization.Concurrency, spec.Organization.Quota)
	case spec.Queue != nil:
		return limits.OfTenant(spec.Queue.Concurrency, spec.Queue.Quota)
	}
	return nil
}

// larger is of amounts the larger ones.
func larger(a, b shares.Share) shares.Share {
	for dim, n := range b {
		a[dim] = max(a[dim], n)
	}
	return a
}

// widest is of two shares what either allows.
func widest(a, b shares.Share) shares.Share {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	out := shares.Share{}
	for dim, n := range a {
		if m, limited := b[dim]; limited {
			out[dim] = max(n, m)
		}
	}
	return out
}

// Give writes what an agent is to have of a tenant's limits into its mirror of the tenant. An agent that has no share
// yet gets nothing. It says whether that may be published over the mirror that is there: never what is older.
func Give(spec *v1alpha1.MirrorSpec, given []v1alpha1.AgentShare, agent string, there *v1alpha1.MirrorSpec) bool {
	var concurrency **int32
	var quota **v1alpha1.Quota
	switch {
	case spec.Project != nil:
		concurrency, quota = &spec.Project.Concurrency, &spec.Project.Quota
	case spec.Organization != nil:
		concurrency, quota = &spec.Organization.Concurrency, &spec.Organization.Quota
	case spec.Queue != nil:
		concurrency, quota = &spec.Queue.Concurrency, &spec.Queue.Quota
	default:
		return true
	}
	whole := limits.OfTenant(*concurrency, *quota)
	share, revision := shares.Share{}, int64(0)
	if is := shareOf(&v1alpha1.TenantStatus{Shares: given}, agent); is != nil {
		share, revision = limits.OfShare(&is.Share), is.Revision
	} else {
		for dim := range whole {
			share[dim] = 0
		}
	}
	limits.Give(concurrency, quota, share)
	spec.Whole, spec.Revision = nil, revision
	if len(whole) > 0 {
		s := limits.ShareOf(whole)
		spec.Whole = &s
	}
	return there == nil || revision >= there.Revision
}
