package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/testenv"
)

var env *testenv.Env

func TestMain(m *testing.M) {
	var err error
	if env, err = testenv.StartShared(testenv.WithCRDs()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	env.Stop()
	os.Exit(code)
}

// fixture is a hub with one agent, and the clock in its controller's hand.
type fixture struct {
	*testing.T
	client.Client
	reconciler *Reconciler
	clock      *testclock.FakeClock
	agent      *v1alpha1.Agent
}

func begin(t *testing.T, name string) *fixture {
	scheme := runtime.NewScheme()
	require.NoError(t, errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)))
	c, err := client.New(env.Config, client.Options{Scheme: scheme})
	require.NoError(t, err)
	f := &fixture{T: t, Client: c, clock: testclock.NewFakeClock(time.Now().Truncate(time.Microsecond))}
	f.agent = &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.AgentSpec{Remote: true}}
	require.NoError(t, c.Create(t.Context(), f.agent))
	f.restart()
	return f
}

// restart is a controller that remembers nothing.
func (f *fixture) restart() {
	f.reconciler = &Reconciler{client: f.Client, live: f.Client, clock: f.clock}
}

// after lets time go by and has the agent looked at.
func (f *fixture) after(d time.Duration) {
	f.Helper()
	f.look(d)
	require.NoError(f, f.Get(f.Context(), client.ObjectKeyFromObject(f.agent), f.agent))
}

// look is after for an agent that may be gone then.
func (f *fixture) look(d time.Duration) {
	f.Helper()
	f.clock.Step(d)
	_, err := f.reconciler.Reconcile(f.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(f.agent)})
	require.NoError(f, err)
}

func (f *fixture) make(objects ...client.Object) {
	f.Helper()
	for _, o := range objects {
		require.NoError(f, f.Create(f.Context(), o), "%T", o)
	}
}

func (f *fixture) edit(o client.Object, change func()) {
	f.Helper()
	require.NoError(f, f.Get(f.Context(), client.ObjectKeyFromObject(o), o))
	before := o.DeepCopyObject().(client.Object)
	change()
	require.NoError(f, f.Patch(f.Context(), o, client.MergeFrom(before)))
}

func (f *fixture) setState(state v1alpha1.AgentState) {
	f.Helper()
	f.edit(f.agent, func() { f.agent.Spec.State = state })
}

func (f *fixture) ready() *metav1.Condition {
	f.Helper()
	c := meta.FindStatusCondition(f.agent.Status.Conditions, v1alpha1.ReadyCondition)
	require.NotNil(f, c)
	return c
}

// joins makes the agent's namespace and its lease.
func (f *fixture) joins() *coordinationv1.Lease {
	f.Helper()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.AgentNamespace(f.agent.Name), Name: v1alpha1.AgentLease}}
	f.make(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: lease.Namespace}}, lease)
	f.renews(lease)
	return lease
}

func (f *fixture) renews(lease *coordinationv1.Lease) {
	f.Helper()
	// Its clock is far from the hub's.
	f.edit(lease, func() { lease.Spec.RenewTime = ptr.To(metav1.NewMicroTime(f.clock.Now().Add(-24 * time.Hour))) })
}

func (f *fixture) mirrored() map[string]v1alpha1.Mirror {
	f.Helper()
	all := &v1alpha1.MirrorList{}
	require.NoError(f, f.List(f.Context(), all, client.InNamespace(v1alpha1.AgentNamespace(f.agent.Name))))
	named := map[string]v1alpha1.Mirror{}
	for _, m := range all.Items {
		named[m.Name] = m
	}
	return named
}

func TestContact(t *testing.T) {
	f := begin(t, "contact")
	f.after(0)
	assert.Equal(t, "NotJoined", f.ready().Reason)
	assert.Contains(t, f.ready().Message, "qy agents join contact")
	lease := f.joins()
	f.after(time.Second)
	assert.Equal(t, metav1.ConditionTrue, f.ready().Status)
	first := f.agent.Status.LastContact.Time
	f.after(silence - time.Second)
	assert.Equal(t, metav1.ConditionTrue, f.ready().Status)
	f.after(time.Second)
	assert.Equal(t, v1alpha1.ReasonUnreachable, f.ready().Reason)
	assert.Contains(t, f.ready().Message, "agent contact unreachable since "+first.UTC().Format(time.RFC3339))
	f.renews(lease)
	f.after(time.Second)
	assert.Equal(t, metav1.ConditionTrue, f.ready().Status)
	assert.True(t, f.agent.Status.LastContact.After(first))
	f.restart()
	f.after(silence - time.Second)
	assert.Equal(t, metav1.ConditionTrue, f.ready().Status, "a controller that has just begun gives it time")
	f.after(silence)
	assert.Equal(t, v1alpha1.ReasonUnreachable, f.ready().Reason)
	f.setState(v1alpha1.AgentDraining)
	f.renews(lease)
	f.after(time.Second)
	assert.Equal(t, "Draining", f.ready().Reason)
}

// What was unreachable is so for a controller that has just begun, too, until it hears of it.
func TestUnreachableOverARestart(t *testing.T) {
	f := begin(t, "silence")
	lease := f.joins()
	f.after(time.Second)
	f.after(silence)
	since := f.agent.Status.LastContact.Time
	require.Equal(t, v1alpha1.ReasonUnreachable, f.ready().Reason)
	f.restart()
	f.after(time.Hour)
	assert.Equal(t, v1alpha1.ReasonUnreachable, f.ready().Reason)
	assert.Contains(t, f.ready().Message, since.UTC().Format(time.RFC3339))
	assert.True(t, f.agent.Status.LastContact.Time.Equal(since))

	// It may have been heard of while nobody listened, so its lease is not taken yet.
	f.setState(v1alpha1.AgentEvicted)
	f.after(time.Second)
	assert.False(t, f.agent.Status.Fenced)
	f.after(silence)
	assert.True(t, f.agent.Status.Fenced)

	g := begin(t, "silence-ends")
	lease = g.joins()
	g.after(time.Second)
	g.after(silence)
	g.restart()
	g.after(time.Second)
	g.renews(lease)
	g.after(time.Second)
	assert.Equal(t, metav1.ConditionTrue, g.ready().Status)
}

func TestMirrors(t *testing.T) {
	f := begin(t, "mirrors")
	queue := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "mirrors-q"}, Spec: v1alpha1.QueueSpec{Agent: "mirrors", Concurrency: ptr.To[int32](3)}}
	f.make(queue, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "mirrors-other"}, Spec: v1alpha1.QueueSpec{Agent: "default"}},
		&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "mirrors-p"}}, &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "mirrors-o"}})
	f.joins()
	f.after(time.Second)
	there := f.mirrored()
	for _, name := range []string{"agent.mirrors", "queue.mirrors-q", "project.mirrors-p", "organization.mirrors-o"} {
		assert.Contains(t, there, name)
	}
	assert.NotContains(t, there, "queue.mirrors-other")
	assert.False(t, there["agent.mirrors"].Spec.Agent.Remote, "in its own cluster it is at home")
	assert.EqualValues(t, 3, *there["queue.mirrors-q"].Spec.Queue.Concurrency)

	// What the agent says comes back.
	said, own := there["queue.mirrors-q"], there["agent.mirrors"]
	said.Status.Queue = &v1alpha1.QueueStatus{Admitted: 2, Pending: 5, Conditions: []metav1.Condition{}}
	require.NoError(t, f.Status().Update(t.Context(), &said))
	own.Status.Agent = &v1alpha1.AgentReport{Version: "v1", Nodes: 4, Admitted: 2, Pending: 5}
	require.NoError(t, f.Status().Update(t.Context(), &own))
	f.edit(queue, func() { queue.Spec.Concurrency = ptr.To[int32](7) })
	f.after(time.Second)
	assert.EqualValues(t, 7, *f.mirrored()["queue.mirrors-q"].Spec.Queue.Concurrency)
	assert.EqualValues(t, 1, f.agent.Status.Queues)
	assert.EqualValues(t, 5, f.agent.Status.Pending)
	assert.EqualValues(t, 4, f.agent.Status.Report.Nodes)
	require.NoError(t, f.Get(t.Context(), client.ObjectKeyFromObject(queue), queue))
	assert.EqualValues(t, 2, queue.Status.Admitted)
	assert.True(t, meta.IsStatusConditionTrue(queue.Status.Conditions, v1alpha1.ReadyCondition))

	// What is not in force there, or not heard of, is not ready.
	said = f.mirrored()["queue.mirrors-q"]
	said.Status.Message = "a queue of that name is not the hub's"
	require.NoError(t, f.Status().Update(t.Context(), &said))
	f.after(time.Second)
	require.NoError(t, f.Get(t.Context(), client.ObjectKeyFromObject(queue), queue))
	assert.Equal(t, "NotInForce", meta.FindStatusCondition(queue.Status.Conditions, v1alpha1.ReadyCondition).Reason)
	f.after(silence)
	require.NoError(t, f.Get(t.Context(), client.ObjectKeyFromObject(queue), queue))
	assert.Contains(t, meta.FindStatusCondition(queue.Status.Conditions, v1alpha1.ReadyCondition).Message, "agent mirrors unreachable since")

	f.edit(queue, func() { queue.Spec.Agent = "default" })
	f.after(time.Second)
	assert.NotContains(t, f.mirrored(), "queue.mirrors-q")
}

func TestAMirrorHasTheShareOfItsAgent(t *testing.T) {
	f := begin(t, "sharing")
	project := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "sharing"}, Spec: v1alpha1.ProjectSpec{Concurrency: ptr.To[int32](20)}}
	organization := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "sharing"}, Spec: v1alpha1.OrganizationSpec{Concurrency: ptr.To[int32](30)}}
	f.make(project, organization)
	f.joins()
	f.after(time.Second)
	t.Cleanup(func() { // it is in everybody's mirrors
		require.NoError(t, errors.Join(f.Delete(context.Background(), project), f.Delete(context.Background(), organization)))
	})
	of := func(kind string) v1alpha1.MirrorSpec { return f.mirrored()[kind+".sharing"].Spec }
	assert.EqualValues(t, 0, *of("project").Project.Concurrency, "it has no share yet")
	assert.EqualValues(t, 0, *of("organization").Organization.Concurrency)
	assert.EqualValues(t, 30, *of("organization").Whole.Concurrency)

	give := func(seats int32, revision int64) {
		project.Status.Shares = []v1alpha1.AgentShare{{Agent: "sharing", Share: v1alpha1.Share{Concurrency: &seats, Revision: revision}}}
		require.NoError(t, f.Status().Update(t.Context(), project))
		f.after(time.Second)
	}
	give(6, 2)
	assert.EqualValues(t, 6, *of("project").Project.Concurrency)
	assert.EqualValues(t, 20, *of("project").Whole.Concurrency)
	assert.EqualValues(t, 2, of("project").Revision)
	give(9, 1)
	assert.EqualValues(t, 6, *of("project").Project.Concurrency, "what the cache has is older than what was published")
	give(5, 3)
	assert.EqualValues(t, 5, *of("project").Project.Concurrency)
}

// claimed is an assignment that an agent has claimed.
func (f *fixture) claimed(name string) *v1alpha1.Assignment {
	f.Helper()
	a := &v1alpha1.Assignment{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.AgentNamespace(f.agent.Name), Name: name, Finalizers: []string{v1alpha1.AgentFinalizer, v1alpha1.OperationFinalizer}},
		Spec: v1alpha1.AssignmentSpec{Namespace: "team", Origin: v1alpha1.OperationReference{Namespace: "team", Name: name, UID: "uid"},
			Operation: v1alpha1.OperationSpec{Template: &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: []byte(`{}`)}}}},
	}
	f.make(a)
	return a
}

func TestEviction(t *testing.T) {
	f := begin(t, "evicted")
	lease := f.joins()
	one := f.claimed("one")
	f.after(time.Second)
	f.setState(v1alpha1.AgentEvicted)
	f.after(time.Second)
	assert.False(t, f.agent.Status.Fenced, "it is there: it is drained instead")
	f.renews(lease)
	f.after(silence / 2)
	f.after(silence)
	assert.True(t, f.agent.Status.Fenced)
	require.NoError(t, f.Get(t.Context(), client.ObjectKeyFromObject(lease), lease))
	assert.Contains(t, lease.Annotations, v1alpha1.FencedAnnotation)
	f.after(time.Second)
	require.NoError(t, f.Get(t.Context(), client.ObjectKeyFromObject(one), one))
	assert.False(t, one.DeletionTimestamp.IsZero())
	assert.Equal(t, []string{v1alpha1.OperationFinalizer}, one.Finalizers, "the hub has yet to write down what became of it")

	// Open again, it leads as soon as nothing of it is left.
	two := f.claimed("two")
	f.setState(v1alpha1.AgentOpen)
	f.after(time.Second)
	f.after(time.Second)
	assert.True(t, f.agent.Status.Fenced)
	f.after(time.Second)
	assert.False(t, f.agent.Status.Fenced)
	require.NoError(t, f.Get(t.Context(), client.ObjectKeyFromObject(lease), lease))
	assert.NotContains(t, lease.Annotations, v1alpha1.FencedAnnotation)
	require.NoError(t, f.Get(t.Context(), client.ObjectKeyFromObject(two), two))
	assert.Equal(t, []string{v1alpha1.OperationFinalizer}, two.Finalizers)
}

// An agent that renews its lease at the very moment keeps it.
func TestEvictionRaces(t *testing.T) {
	f := begin(t, "races")
	lease := f.joins()
	stale := lease.DeepCopy()
	f.after(time.Second)
	f.setState(v1alpha1.AgentEvicted)
	f.after(silence / 2)
	f.renews(lease)
	fenced, err := f.reconciler.fence(t.Context(), f.agent, stale, f.clock.Now().Add(-silence))
	require.NoError(t, err)
	assert.False(t, fenced)
	require.NoError(t, f.Get(t.Context(), client.ObjectKeyFromObject(lease), lease))
	assert.NotContains(t, lease.Annotations, v1alpha1.FencedAnnotation)

	// Without a lease there is none to take: it is made, so that nobody leads with it.
	require.NoError(t, f.Delete(t.Context(), lease))
	f.after(time.Second)
	require.NoError(t, f.Get(t.Context(), client.ObjectKeyFromObject(lease), lease))
	assert.Contains(t, lease.Annotations, v1alpha1.FencedAnnotation)
	assert.True(t, f.agent.Status.Fenced)
	assert.False(t, apierrors.IsNotFound(f.Get(t.Context(), client.ObjectKeyFromObject(f.agent), f.agent)))
}

// A deleted agent goes when it has given back what it has, and cannot come back with it.
func TestDeletion(t *testing.T) {
	f := begin(t, "deleted")
	lease := f.joins()
	one := f.claimed("one")
	project := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "deleted"}, Spec: v1alpha1.ProjectSpec{Concurrency: ptr.To[int32](20)}}
	f.make(project)
	t.Cleanup(func() { require.NoError(t, f.Delete(context.Background(), project)) })
	project.Status.Shares = []v1alpha1.AgentShare{{Agent: "deleted", Share: v1alpha1.Share{Concurrency: ptr.To[int32](6), Revision: 1}}}
	require.NoError(t, f.Status().Update(t.Context(), project))
	f.after(time.Second)
	require.NoError(t, f.Delete(t.Context(), f.agent))
	f.after(time.Second)
	assert.Equal(t, "Deleting", f.ready().Reason)
	assert.Equal(t, "it gets no operations, and is deleted when it has given back 1 operation and its shares of the limits of project deleted", f.ready().Message)
	f.after(silence)
	assert.Equal(t, v1alpha1.ReasonUnreachable, f.ready().Reason)
	assert.Contains(t, f.ready().Message, "or is evicted because its cluster is gone for good (qy agents evict deleted)")
	f.renews(lease)
	f.after(time.Second)
	assert.NotContains(t, lease.Annotations, v1alpha1.FencedAnnotation, "something of it may run")

	f.edit(one, func() { one.Finalizers = []string{v1alpha1.OperationFinalizer} })
	f.after(time.Second)
	assert.Equal(t, "it gets no operations, and is deleted when it has given back its shares of the limits of project deleted", f.ready().Message)
	project.Status.Shares = nil
	require.NoError(t, f.Status().Update(t.Context(), project))
	f.look(time.Second)
	assert.True(t, apierrors.IsNotFound(f.Get(t.Context(), client.ObjectKeyFromObject(f.agent), f.agent)))
	require.NoError(t, f.Get(t.Context(), client.ObjectKeyFromObject(lease), lease))
	assert.Contains(t, lease.Annotations, v1alpha1.FencedAnnotation, "it claims nothing any more")
}

// An agent whose cluster is gone is deleted after its eviction; what it has a share of does not keep it.
func TestDeletionOfAnEvictedAgent(t *testing.T) {
	f := begin(t, "gone")
	lease := f.joins()
	one := f.claimed("one")
	organization := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "gone"}, Spec: v1alpha1.OrganizationSpec{Concurrency: ptr.To[int32](20)}}
	f.make(organization)
	t.Cleanup(func() { require.NoError(t, f.Delete(context.Background(), organization)) })
	organization.Status.Shares = []v1alpha1.AgentShare{{Agent: "gone", Share: v1alpha1.Share{Concurrency: ptr.To[int32](6), Revision: 1}}}
	require.NoError(t, f.Status().Update(t.Context(), organization))
	f.after(time.Second)
	require.NoError(t, f.Delete(t.Context(), f.agent))
	f.after(silence)
	f.setState(v1alpha1.AgentEvicted)
	f.renews(lease)
	f.after(time.Second)
	assert.Contains(t, f.ready().Message, "it was evicted and is in contact: it is drained")
	assert.False(t, f.agent.Status.Fenced)
	f.after(silence) // its lease is taken, and what it had is given up
	assert.True(t, f.agent.Status.Fenced)
	f.look(time.Second)
	assert.True(t, apierrors.IsNotFound(f.Get(t.Context(), client.ObjectKeyFromObject(f.agent), f.agent)))
	require.NoError(t, f.Get(t.Context(), client.ObjectKeyFromObject(one), one))
	assert.Equal(t, []string{v1alpha1.OperationFinalizer}, one.Finalizers)
}

// One that never joined is deleted at once, and so is one whose lease somebody deleted, if it has nothing.
func TestDeletionWithoutALease(t *testing.T) {
	f := begin(t, "never-joined")
	f.after(time.Second)
	require.NoError(t, f.Delete(t.Context(), f.agent))
	f.look(time.Second)
	assert.True(t, apierrors.IsNotFound(f.Get(t.Context(), client.ObjectKeyFromObject(f.agent), f.agent)))

	g := begin(t, "leaseless")
	lease := g.joins()
	one := g.claimed("one")
	g.after(time.Second)
	require.NoError(t, g.Delete(t.Context(), lease))
	require.NoError(t, g.Delete(t.Context(), g.agent))
	g.after(time.Second)
	require.NoError(t, g.Get(t.Context(), client.ObjectKeyFromObject(one), one))
	assert.Len(t, one.Finalizers, 2, "it may run: the agent makes its lease again")
	g.edit(one, func() { one.Finalizers = nil })
	g.look(time.Second)
	assert.True(t, apierrors.IsNotFound(g.Get(t.Context(), client.ObjectKeyFromObject(g.agent), g.agent)))
	require.NoError(t, g.Get(t.Context(), client.ObjectKeyFromObject(lease), lease))
	assert.Contains(t, lease.Annotations, v1alpha1.FencedAnnotation)
}

// The finalizer is that of agents in other clusters alone.
func TestFinalizerOfRemoteAgents(t *testing.T) {
	f := begin(t, "remote-once")
	f.after(0)
	assert.Contains(t, f.agent.Finalizers, v1alpha1.RemoteAgentFinalizer)
	f.edit(f.agent, func() { f.agent.Spec.Remote = false })
	f.after(time.Second)
	assert.Empty(t, f.agent.Finalizers)
	require.NoError(t, f.Delete(t.Context(), f.agent))
}
