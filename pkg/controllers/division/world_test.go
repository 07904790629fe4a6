package division

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/shares"
	"github.com/queueyard/queueyard/test/testenv"
)

var seed = flag.Uint64("seed", 0, "of what happens; 0: a new one")

var steps = flag.Int("steps", 300, "how much happens")

// api is a real API server.
var api client.WithWatch

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	env, err := testenv.StartShared(testenv.WithCRDs())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer env.Stop()
	env.Config.QPS, env.Config.Burst = -1, -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		panic(err)
	}
	if api, err = client.NewWithWatch(env.Config, client.Options{Scheme: scheme}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

var dims = []string{limits.Seats, "cpu"}

// world is a hub with its own scheduler, and the clusters of agents, all of which see things late. The hub's controller
// is replaced in the middle of its work.
type world struct {
	t       *testing.T
	ctx     context.Context
	random  *rand.Rand
	tenant  tenant
	seen    map[string]client.Object // what a cache has
	clock   *testingclock.FakeClock
	divider *divider
	nested  int
	fail    bool // some writes

	hub     *place
	workers map[string]*worker
}

// place is a scheduler: what it goes by, and what it admitted.
type place struct {
	enforced shares.Share
	revision int64
	of       int64 // the generation
	used     shares.Share
	demand   shares.Share
}

func (p *place) held() shares.Share {
	held := maps.Clone(p.enforced)
	for dim := range held {
		held[dim] = max(held[dim], p.used[dim])
	}
	return held
}

// worker is the cluster of an agent.
type worker struct {
	place
	name       string
	applied    shares.Share // the tenant's limits in its cluster; nil: it is not there
	generation int64
	cut        bool
}

const nothing = int64(0)

func bound(s shares.Share, dim string) int64 {
	if s == nil {
		return nothing
	}
	if n, limited := s[dim]; limited {
		return n
	}
	return 1 << 40
}

func newWorld(t *testing.T, divided tenant, agents ...string) *world {
	w := &world{
		t: t, ctx: t.Context(), tenant: divided, seen: map[string]client.Object{},
		clock: testingclock.NewFakeClock(time.Now()), hub: &place{used: shares.Share{}, demand: shares.Share{}}, workers: map[string]*worker{},
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("again: -seed %d", *seed)
	w.random = rand.New(rand.NewPCG(*seed, 0))
	w.lead()
	for _, a := range agents {
		w.join(a)
	}
	o := divided.empty()
	o.SetName(divided.name)
	if q, is := o.Object.(*v1alpha1.Queue); is {
		q.Spec.Agents = append([]string{"home"}, agents...)
		require.NoError(t, client.IgnoreAlreadyExists(api.Create(w.ctx, &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "home"}})))
	}
	o.bind(ptr.To[int32](20), cpuQuota(16))
	require.NoError(t, api.Create(w.ctx, o.Object))
	return w
}

// bind sets the limits.
func (o *object) bind(concurrency *int32, quota *v1alpha1.Quota) {
	switch is := o.Object.(type) {
	case *v1alpha1.Organization:
		is.Spec.Concurrency, is.Spec.Quota = concurrency, quota
	case *v1alpha1.Queue:
		is.Spec.Concurrency, is.Spec.Quota = concurrency, quota
	}
	o.concurrency, o.quota = concurrency, quota
}

func cpuQuota(n int64) *v1alpha1.Quota {
	return &v1alpha1.Quota{Resources: limits.ShareOf(shares.Share{"cpu": n * 1000}).Resources}
}

func (w *world) join(agent string) {
	require.NoError(w.t, client.IgnoreAlreadyExists(api.Create(w.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.AgentNamespace(agent)}})))
	require.NoError(w.t, api.Create(w.ctx, &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: agent}, Spec: v1alpha1.AgentSpec{Remote: true}}))
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.AgentNamespace(agent), Name: v1alpha1.AgentLease}}
	require.NoError(w.t, client.IgnoreNotFound(api.Delete(w.ctx, lease)))
	require.NoError(w.t, api.Create(w.ctx, lease))
	w.workers[agent] = &worker{name: agent, place: place{used: shares.Share{}, demand: shares.Share{}}}
}

// lead has a new controller take over, that knows nothing of what the one before it did.
func (w *world) lead() {
	late := interceptor.NewClient(api, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			return w.lateGet(ctx, c, key, o)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			return w.write(func() error { return c.SubResource(sub).Patch(ctx, o, p, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return w.write(func() error { return c.Update(ctx, o, opts...) })
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			return w.write(func() error { return c.Create(ctx, o, opts...) })
		},
	})
	w.divider = &divider{client: late, live: api, demands: newDemands(func(tenant) {}), clock: w.clock, wrote: map[tenant]time.Time{}}
}

var errKilled = errors.New("killed")

// write is a write of the controller: others act before it arrives, also a controller that took over, and the one
// that sends it may not live to hear of it.
func (w *world) write(do func() error) error {
	if w.nested > 0 || !w.fail {
		return do()
	}
	fate := w.random.IntN(10)
	if fate == 0 {
		return errKilled
	}
	w.nested++
	for range w.random.IntN(8) {
		w.step()
	}
	w.nested--
	err := do()
	if fate == 1 {
		return errKilled
	}
	return err
}

// lateGet answers from a cache that may be late, but never goes back.
func (w *world) lateGet(ctx context.Context, c client.Client, key client.ObjectKey, o client.Object) error {
	id := fmt.Sprintf("%T %s", o, key)
	if before := w.seen[id]; before == nil || w.random.IntN(3) > 0 || !w.fail {
		if err := c.Get(ctx, key, o); err != nil {
			return err
		}
		w.seen[id] = o.DeepCopyObject().(client.Object)
		return nil
	}
	return assign(o, w.seen[id])
}

func assign(to, from client.Object) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// get is what is divided, as it is now.
func (w *world) get() *object { return w.read(api) }

func (w *world) read(reader client.Reader) *object {
	o := w.tenant.empty()
	require.NoError(w.t, reader.Get(w.ctx, client.ObjectKey{Name: w.tenant.name}, o.Object))
	o.read()
	return &o
}

func (w *world) mirror(agent string) *v1alpha1.Mirror {
	m := &v1alpha1.Mirror{}
	err := api.Get(w.ctx, client.ObjectKey{Namespace: v1alpha1.AgentNamespace(agent), Name: w.tenant.mirror()}, m)
	if apierrors.IsNotFound(err) {
		return nil
	}
	require.NoError(w.t, err)
	return m
}

// could is what all clusters together may use before anybody is told anything else.
func (w *world) could(dim string) int64 {
	o := w.get()
	local := max(bound(w.hub.enforced, dim), w.hub.used[dim], bound(narrowed(o), dim))
	sum := local
	for _, k := range w.workers {
		n := max(bound(k.enforced, dim), bound(k.applied, dim), k.used[dim])
		if m := w.mirror(k.name); m != nil {
			n = max(n, bound(published(&m.Spec), dim))
		}
		if is := shareOf(o.status, k.name); is != nil {
			n = max(n, bound(limits.OfShare(&is.Share), dim)) // is about to be published
		}
		sum += n
	}
	return sum
}

// narrowed is what the hub's scheduler makes of limits. Of a queue that others have shares of, it has nothing before it has one.
func narrowed(o *object) shares.Share {
	s := shares.Share(limits.OfTenant(o.concurrency, o.quota))
	if _, queue := o.Object.(*v1alpha1.Queue); queue && o.status.Local == nil && len(o.status.Shares) > 0 {
		for dim := range s {
			s[dim] = 0
		}
	}
	for dim, n := range limits.OfShare(o.status.Local) {
		if whole, limited := s[dim]; limited {
			s[dim] = min(whole, n)
		}
	}
	return s
}

func (w *world) step() {
	dim := dims[w.random.IntN(len(dims))]
	names := []string{"east", "north", "west"}
	k := w.workers[names[w.random.IntN(len(names))]]
	switch w.random.IntN(14) {
	case 0, 1:
		w.clock.Step(period)
		w.divide()
	case 2:
		w.publish(k.name)
	case 3:
		k.apply(w)
	case 4:
		k.schedule()
	case 5:
		k.report(w)
	case 6:
		k.use(w.random, dim)
	case 7:
		w.schedule()
	case 8:
		w.report()
	case 9:
		w.hub.use(w.random, dim)
	case 10:
		k.demand[dim] = w.random.Int64N(30) * scale(dim)
	case 11:
		w.hub.demand[dim] = w.random.Int64N(30) * scale(dim)
	case 12:
		w.lead()
	case 13:
		switch w.random.IntN(4) {
		case 0:
			w.limit(dim)
		case 1:
			k.cut = !k.cut
			w.ready(k.name, !k.cut)
		}
	}
}

func scale(dim string) int64 {
	if dim == "cpu" {
		return 1000
	}
	return 1
}

func (w *world) divide() {
	_, err := w.divider.Reconcile(w.ctx, w.tenant.request())
	if errors.Is(err, errKilled) {
		w.lead()
		return
	}
	require.NoError(w.t, err)
}

// publish is what the hub's controller does: the mirror says what the status of the tenant says.
func (w *world) publish(agent string) {
	m := &v1alpha1.Mirror{}
	err := w.divider.client.Get(w.ctx, client.ObjectKey{Namespace: v1alpha1.AgentNamespace(agent), Name: w.tenant.mirror()}, m)
	fresh := apierrors.IsNotFound(err)
	if !fresh {
		require.NoError(w.t, err)
	}
	o := w.get()
	if !fresh {
		o = w.read(w.divider.client)
	}
	spec := v1alpha1.MirrorSpec{Name: w.tenant.name}
	switch is := o.Object.(type) {
	case *v1alpha1.Organization:
		spec.Organization = is.Spec.DeepCopy()
	case *v1alpha1.Queue:
		spec.Queue = is.Spec.DeepCopy()
		spec.Queue.Agent, spec.Queue.Agents = agent, nil
	}
	if fresh {
		Give(&spec, o.status.Shares, agent, nil)
		m.Namespace, m.Name, m.Spec = v1alpha1.AgentNamespace(agent), w.tenant.mirror(), spec
		err = w.divider.client.Create(w.ctx, m)
	} else if Give(&spec, o.status.Shares, agent, &m.Spec) {
		m.Spec = spec
		err = w.divider.client.Update(w.ctx, m)
	}
	if err != nil && !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !errors.Is(err, errKilled) {
		require.NoError(w.t, err)
	}
}

func (k *worker) apply(w *world) {
	if m := w.mirror(k.name); m != nil && !k.cut {
		if next := shares.Share(published(&m.Spec)); k.applied == nil || !maps.Equal(next, k.applied) {
			k.applied = next
			k.generation++
		}
	}
}

func (k *worker) schedule() {
	if k.applied != nil {
		k.enforced, k.of = k.applied, k.generation
	}
}

func (k *worker) report(w *world) {
	m := w.mirror(k.name)
	if m == nil || k.cut || k.enforced == nil {
		return
	}
	m.Status.Held = ptr.To(limits.ShareOf(k.held()))
	m.Status.Demand = ptr.To(limits.ShareOf(k.demand))
	if m.Spec.Queue != nil { // that of one is told with its numbers
		m.Status.Demand = &v1alpha1.Share{Concurrency: ptr.To(int32(k.demand[limits.Seats]))}
		m.Status.Queue = &v1alpha1.QueueStatus{Admitted: int32(k.used[limits.Seats]), Usage: limits.Quantities(map[string]int64{"cpu": k.used["cpu"]}), Conditions: []metav1.Condition{}}
	}
	if maps.Equal(published(&m.Spec), k.applied) && k.of == k.generation {
		m.Status.ObservedGeneration = m.Generation
	}
	require.NoError(w.t, client.IgnoreNotFound(api.Status().Update(w.ctx, m)))
}

func (p *place) use(random *rand.Rand, dim string) {
	if random.IntN(2) == 0 {
		p.used[dim] = max(0, p.used[dim]-random.Int64N(9)*scale(dim))
		return
	}
	if to := p.used[dim] + random.Int64N(9)*scale(dim); to <= bound(p.enforced, dim) && to <= p.demand[dim] {
		p.used[dim] = to
	}
}

// schedule is the hub's scheduler: it sees the limits.
func (w *world) schedule() {
	o := w.get()
	w.hub.enforced, w.hub.of, w.hub.revision = narrowed(o), o.GetGeneration(), 0
	if o.status.Local != nil {
		w.hub.revision = o.status.Local.Revision
	}
}

// report is the status, as the hub's scheduler writes it. That of a queue says what is used where that is more, and counts all clusters.
func (w *world) report() {
	if w.hub.enforced == nil {
		return
	}
	o, enforced := w.get(), v1alpha1.EnforcedLimits{Share: limits.ShareOf(w.hub.enforced), Generation: w.hub.of}
	status := map[string]any{"admitted": w.hub.used[limits.Seats], "usage": limits.Quantities(map[string]int64{"cpu": w.hub.used["cpu"]})}
	if q, is := o.Object.(*v1alpha1.Queue); is {
		enforced.Share = limits.ShareOf(w.hub.held())
		status["pending"] = max(w.hub.demand[limits.Seats]-w.hub.used[limits.Seats], 0)
		status["running"], status["conditions"] = 0, append([]metav1.Condition{}, q.Status.Conditions...)
	} else {
		status["demand"] = limits.ShareOf(w.hub.demand)
	}
	enforced.Revision = w.hub.revision
	status["enforced"] = enforced
	patch, err := json.Marshal(map[string]any{"status": status})
	require.NoError(w.t, err)
	require.NoError(w.t, api.Status().Patch(w.ctx, o.Object, client.RawPatch(types.MergePatchType, patch)))
}

func (w *world) limit(dim string) {
	o := w.get()
	n := w.random.Int64N(30)
	if dim == limits.Seats {
		o.bind(ptr.To(int32(n)), o.quota)
	} else {
		o.bind(o.concurrency, cpuQuota(n))
	}
	require.NoError(w.t, client.IgnoreNotFound(api.Update(w.ctx, o.Object)))
}

func (w *world) ready(agent string, ready bool) {
	a := &v1alpha1.Agent{}
	require.NoError(w.t, api.Get(w.ctx, client.ObjectKey{Name: agent}, a))
	is := metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionTrue, Reason: "Serving"}
	if !ready {
		is.Status, is.Reason = metav1.ConditionFalse, v1alpha1.ReasonUnreachable
	}
	meta.SetStatusCondition(&a.Status.Conditions, is)
	require.NoError(w.t, api.Status().Update(w.ctx, a))
}

// settle lets everybody act until nothing changes.
func (w *world) settle() {
	w.fail = false
	quiet := 0
	for range 12 {
		before := *w.get().status
		w.schedule()
		w.report()
		w.clock.Step(period)
		w.divide()
		for _, k := range w.workers {
			w.publish(k.name)
			k.apply(w)
			k.schedule()
			k.report(w)
		}
		if now := *w.get().status; maps.EqualFunc(given(&before), given(&now), maps.Equal) && w.acknowledged(&now) {
			quiet++
		} else {
			quiet = 0
		}
		if quiet == 2 { // what is told in one round is heard in the next
			return
		}
	}
	w.t.Fatal("it does not settle")
}

func (w *world) acknowledged(status *v1alpha1.TenantStatus) bool {
	for _, s := range status.Shares {
		m := w.mirror(s.Agent)
		if m == nil || m.Spec.Revision != s.Revision || m.Status.ObservedGeneration != m.Generation {
			return w.workers[s.Agent].cut
		}
	}
	return status.Local == nil || status.Enforced.Revision == status.Local.Revision
}

func given(status *v1alpha1.TenantStatus) map[string]shares.Share {
	out := map[string]shares.Share{"": limits.OfShare(status.Local)}
	for i := range status.Shares {
		out[status.Shares[i].Agent] = limits.OfShare(&status.Shares[i].Share)
	}
	return out
}
