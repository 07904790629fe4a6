package division

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/shares"
)

func TestAllClustersTogetherStayWithinTheLimit(t *testing.T) {
	for _, divided := range []tenant{{ledger.Organization, "acme"}, {ledger.Queue, "everywhere"}} {
		t.Run(divided.kind.String(), func(t *testing.T) { newWorld(t, divided, "east", "north", "west").isWithin(t) })
	}
}

// isWithin has anything happen, in any order.
func (w *world) isWithin(t *testing.T) {
	w.schedule()
	w.report()
	w.settle()
	w.fail = true
	before := map[string]int64{}
	generation := int64(0)
	for range *steps {
		w.step()
		o := w.get()
		whole := limits.OfTenant(o.concurrency, o.quota)
		for _, dim := range dims {
			now := w.could(dim)
			if o.GetGeneration() == generation { // else what was lowered goes down from here on
				require.LessOrEqual(t, now, max(whole[dim], before[dim]), "%q", dim)
			}
			before[dim] = now
		}
		generation = o.GetGeneration()
	}
	for _, k := range w.workers {
		k.cut = false
		w.ready(k.name, true)
		k.used, k.demand = shares.Share{}, shares.Share{limits.Seats: 100}
	}
	w.hub.used, w.hub.demand = shares.Share{}, shares.Share{limits.Seats: 100}
	o := w.get()
	o.bind(ptr.To[int32](20), o.quota)
	require.NoError(t, api.Update(w.ctx, o.Object))
	w.settle()
	o = w.get()
	for _, name := range []string{"", "east", "north", "west"} {
		require.Equal(t, int64(5), given(o.status)[name][limits.Seats], "%q: everybody wants more than there is", name)
	}
	w.comesTooLate(t)
	w.retire(t)
}

// comesTooLate has a controller write what it decided before another one took over.
func (w *world) comesTooLate(t *testing.T) {
	w.workers["east"].demand = shares.Share{limits.Seats: 0}
	o := w.get()
	before := given(o.status)
	former := interceptor.NewClient(api, interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			w.hub.demand = shares.Share{limits.Seats: 0}
			w.settle()
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	})
	w.workers["east"].report(w)
	d := &divider{client: former, live: api, demands: newDemands(func(tenant) {}), clock: w.clock, wrote: map[tenant]time.Time{}}
	result, err := d.Reconcile(w.ctx, w.tenant.request())
	require.NoError(t, err)
	require.Equal(t, period/4, result.RequeueAfter, "it looks again")
	o = w.get()
	now := given(o.status)
	require.NotEqual(t, before, now)
	require.Equal(t, int64(10), now["north"][limits.Seats], "what the other divided stands")
}

// retire has the agents leave one after the other.
func (w *world) retire(t *testing.T) {
	for left, name := range []string{"west", "north", "east"} {
		a := &v1alpha1.Agent{}
		require.NoError(t, api.Get(w.ctx, client.ObjectKey{Name: name}, a))
		a.Spec.State = v1alpha1.AgentEvicted
		require.NoError(t, api.Update(w.ctx, a))
		w.workers[name].cut = true
		w.ready(name, false)
		o := w.get()
		has := given(o.status)[name]
		w.settle()
		o = w.get()
		require.Equal(t, has, given(o.status)[name], "nobody has taken its lease: it may act")

		lease := &coordinationv1.Lease{}
		require.NoError(t, api.Get(w.ctx, client.ObjectKey{Namespace: v1alpha1.AgentNamespace(name), Name: v1alpha1.AgentLease}, lease))
		lease.Annotations = map[string]string{v1alpha1.FencedAnnotation: "true"}
		require.NoError(t, api.Update(w.ctx, lease))
		w.settle()
		o = w.get()
		require.Equal(t, int64(0), given(o.status)[name][limits.Seats])
		sum := int64(0)
		for _, s := range given(o.status) {
			sum += s[limits.Seats]
		}
		require.Equal(t, int64(20), sum, "it gave its share back")

		require.NoError(t, api.Delete(w.ctx, a))
		delete(w.workers, name)
		w.settle()
		o = w.get()
		require.Len(t, o.status.Shares, 2-left)
	}
	o := w.get()
	require.Nil(t, o.status.Local, "nobody is left to share with")
}

// An agent that was silent already when the tenant came has nothing of it, and keeps nothing from the others.
func TestASilentAgentHasNothingOfWhatIsNew(t *testing.T) {
	o := object{concurrency: ptr.To[int32](2), status: &v1alpha1.TenantStatus{}}
	there := agent{name: "there", exists: true, heard: true}
	for range 4 {
		divide(&o, []agent{{name: "silent", exists: true}, there}, everybody, map[string]shares.Share{"there": {limits.Seats: 5}}, nil)
		require.Nil(t, shareOf(o.status, "silent"), "%v", o.status.Shares)
		// Both put in force what they were given.
		is := shareOf(o.status, "there")
		there.mirror = &v1alpha1.Mirror{Spec: v1alpha1.MirrorSpec{Project: &v1alpha1.ProjectSpec{Concurrency: is.Concurrency}, Revision: is.Revision}, Status: v1alpha1.MirrorStatus{Held: &is.Share}}
		o.status.Enforced = &v1alpha1.EnforcedLimits{Share: *o.status.Local}
	}
	require.EqualValues(t, 2, *o.status.Local.Concurrency+*shareOf(o.status, "there").Concurrency, "all of it is given")
}

// A limit that is set while an agent is silent is everybody else's, but for what that one had and was sent. The status says so, and what to do.
func TestALimitThatIsSetWhileAnAgentIsSilent(t *testing.T) {
	last := time.Date(2026, 3, 1, 10, 30, 0, 0, time.UTC)
	silent := agent{name: "silent", exists: true, last: last, mirror: &v1alpha1.Mirror{
		Spec:   v1alpha1.MirrorSpec{Project: &v1alpha1.ProjectSpec{Quota: cpuQuota(5)}, Revision: 1},
		Status: v1alpha1.MirrorStatus{Held: ptr.To(limits.ShareOf(shares.Share{"cpu": 5000})), Demand: ptr.To(limits.ShareOf(shares.Share{limits.Seats: 3, "cpu": 1000}))},
	}}
	o := object{concurrency: ptr.To[int32](20), quota: cpuQuota(16), status: &v1alpha1.TenantStatus{
		Local: ptr.To(limits.ShareOf(shares.Share{"cpu": 11000})), Shares: []v1alpha1.AgentShare{{Agent: "silent", Share: limits.ShareOf(shares.Share{"cpu": 5000})}},
	}}
	o.status.Local.Revision, o.status.Shares[0].Revision = 1, 1
	o.status.Enforced = &v1alpha1.EnforcedLimits{Share: *o.status.Local}
	sent := map[string]shares.Share{"silent": {limits.Seats: 4, "cpu": 8000}}
	here := map[string]shares.Share{"": {limits.Seats: 50}}
	divide(&o, []agent{silent}, everybody, here, sent)
	require.EqualValues(t, 16, *o.status.Local.Concurrency, "all but what was sent there")
	require.Equal(t, map[string]int64{"cpu": 5000}, limits.OfShare(&o.status.Shares[0].Share), "it has what it had")
	require.Equal(t, "agent silent, unreachable since 2026-03-01T10:30:00Z, keeps 5 of 16 cpu, "+
		"has not heard of a limit yet, and counts with what it had and was sent (4 of 20 operations): "+
		"until it is back, or evicted because its cluster is gone for good (qy agents evict silent)", o.status.Withheld)

	// Without a share before, too.
	o = object{concurrency: ptr.To[int32](20), status: &v1alpha1.TenantStatus{}}
	silent.mirror.Spec = v1alpha1.MirrorSpec{Project: &v1alpha1.ProjectSpec{}}
	silent.mirror.Status.Held = &v1alpha1.Share{}
	divide(&o, []agent{silent}, everybody, here, nil)
	require.EqualValues(t, 17, *o.status.Local.Concurrency, "all but what it said that it wants")
	silent.mirror.Status = v1alpha1.MirrorStatus{}
	divide(&o, []agent{silent}, everybody, here, sent)
	require.Contains(t, o.status.Withheld, "(4 of 20 operations)", "it may have had the tenant and not said so")

	silent.heard = true
	divide(&o, []agent{silent}, everybody, here, sent)
	require.Empty(t, o.status.Withheld, "it is back")

	silent.heard, silent.exists, silent.leaving = false, true, true
	divide(&o, []agent{silent}, everybody, here, sent)
	require.Contains(t, o.status.Withheld, "agent silent, which is being evicted, ")
	require.Contains(t, o.status.Withheld, ": until the hub has its Lease")
	silent.exists = false
	silent.mirror.Status.Held = ptr.To(limits.ShareOf(shares.Share{limits.Seats: 5}))
	o.status.Shares = []v1alpha1.AgentShare{{Agent: "silent", Share: limits.ShareOf(shares.Share{limits.Seats: 5})}}
	divide(&o, []agent{silent}, everybody, here, nil)
	require.Equal(t, "agent silent, deleted and never evicted, keeps 5 of 20 operations: "+
		"qy agents join silent, then qy agents evict silent if its cluster is gone for good", o.status.Withheld)
	silent.over = true
	divide(&o, []agent{silent}, everybody, here, nil)
	require.Empty(t, o.status.Withheld)
	require.Empty(t, o.status.Shares)
}

// An agent that is being deleted gives back what it has, also what it had no limit of.
func TestADeletedAgentGivesItsShareBack(t *testing.T) {
	leaves := agent{name: "leaves", exists: true, heard: true, former: true, mirror: &v1alpha1.Mirror{
		Spec:   v1alpha1.MirrorSpec{Project: &v1alpha1.ProjectSpec{Concurrency: ptr.To[int32](9)}, Revision: 1},
		Status: v1alpha1.MirrorStatus{Held: ptr.To(limits.ShareOf(shares.Share{limits.Seats: 9}))},
	}}
	o := object{concurrency: ptr.To[int32](20), quota: cpuQuota(16), status: &v1alpha1.TenantStatus{
		Local:  ptr.To(limits.ShareOf(shares.Share{limits.Seats: 11})),
		Shares: []v1alpha1.AgentShare{{Agent: "leaves", Share: v1alpha1.Share{Concurrency: ptr.To[int32](9), Revision: 1}}},
	}}
	want := map[string]shares.Share{"": {limits.Seats: 50, "cpu": 50_000}}
	step := func() {
		divide(&o, []agent{leaves}, everybody, want, nil)
		o.status.Enforced = &v1alpha1.EnforcedLimits{Share: *o.status.Local}
	}
	step()
	step()
	require.Equal(t, map[string]int64{limits.Seats: 0, "cpu": 0}, limits.OfShare(&o.status.Shares[0].Share))
	require.EqualValues(t, 11, *o.status.Local.Concurrency, "nothing is free yet")

	leaves.mirror.Spec.Project = &v1alpha1.ProjectSpec{Concurrency: ptr.To[int32](0), Quota: cpuQuota(0)}
	leaves.mirror.Spec.Revision = o.status.Shares[0].Revision
	leaves.mirror.Status.Held = ptr.To(limits.ShareOf(shares.Share{limits.Seats: 2, "cpu": 4000}))
	step()
	require.EqualValues(t, 18, *o.status.Local.Concurrency, "two run there")
	require.Len(t, o.status.Shares, 1)
	leaves.mirror.Status.Held = ptr.To(limits.ShareOf(shares.Share{limits.Seats: 0, "cpu": 0}))
	step()
	require.Empty(t, o.status.Shares)
	require.Equal(t, map[string]int64{limits.Seats: 20, "cpu": 16_000}, limits.OfShare(o.status.Local))
}

// An agent that is drained or deleted is in contact: its share goes where the demand is.
func TestWhoIsHeard(t *testing.T) {
	for reason, heard := range map[string]bool{"Serving": true, "Draining": true, "Deleting": true, v1alpha1.ReasonUnreachable: false, v1alpha1.ReasonNotJoined: false} {
		a := &v1alpha1.Agent{Status: v1alpha1.AgentStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionFalse, Reason: reason}}}}
		require.Equal(t, heard, isHeard(a), reason)
		a.Spec.State = v1alpha1.AgentEvicted
		require.False(t, isHeard(a), "it may have come back: it keeps its share until its Lease is taken")
	}
	require.True(t, isHeard(&v1alpha1.Agent{}), "nobody has looked yet")
}
