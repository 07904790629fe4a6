package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/agentidentity"
	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
)

// join makes an agent at the hub, which is the home of the case, and brings up a cluster that serves it and reaches the hub
// at an address.
func (s *scenario) join(agent, hub string) (*sandbox.Sandbox, client.Client) {
	s.Helper()
	s.create(&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: agent}, Spec: v1alpha1.AgentSpec{Remote: true, Namespace: "work"}})
	s.create(agentidentity.Objects(agent)...)
	token, _, err := agentidentity.Token(s.Context(), s.client, agent, time.Hour)
	require.NoError(s, err)
	kubeconfig, err := agentidentity.Kubeconfig(agent, agentidentity.Hub{Server: hub, CA: s.config.CAData}, token, "")
	require.NoError(s, err)
	dir := s.TempDir()
	file := filepath.Join(dir, "hub.kubeconfig")
	require.NoError(s, os.WriteFile(file, kubeconfig, 0o600))
	bin, err := programs(filepath.Join(dir, "bin"))
	require.NoError(s, err)
	worker, err := sandbox.Up(s.Context(), sandbox.Options{
		Dir: filepath.Join(dir, "sandbox"), BinDir: bin, WorkDir: dir, SimulatedNodes: 1, Capacity: simulation.DefaultCapacity(),
		Agent: agent, HubKubeconfig: file,
	})
	if opened, openErr := sandbox.Open(filepath.Join(dir, "sandbox")); openErr == nil {
		s.Cleanup(func() {
			if s.Failed() {
				printLogs(dir)
			}
			assert.NoError(s, opened.Down(context.Background()))
			s.leave(agent)
		})
	}
	require.NoError(s, err)
	config, err := worker.Config()
	require.NoError(s, err)
	objects, err := client.New(config, client.Options{Scheme: s.objects.Scheme()})
	require.NoError(s, err)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "work", Labels: map[string]string{v1alpha1.ManagedLabel: "true"}}}
	require.NoError(s, objects.Create(s.Context(), namespace))
	return worker, objects
}

// leave takes an agent away whose cluster is down, so that it keeps no share of any limit from the next case: it is evicted, without the
// silence that the hub waits for.
func (s *scenario) leave(agent string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	object, lease := &v1alpha1.Agent{}, &coordinationv1.Lease{}
	namespace := v1alpha1.AgentNamespace(agent)
	if err := s.objects.Get(ctx, client.ObjectKey{Name: agent}, object); apierrors.IsNotFound(err) {
		return // the case has deleted it
	} else {
		require.NoError(s, err)
	}
	before := object.DeepCopy()
	object.Spec.State = v1alpha1.AgentEvicted
	require.NoError(s, s.objects.Patch(ctx, object, client.MergeFrom(before)))
	require.NoError(s, s.objects.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.AgentLease}, lease))
	held := lease.DeepCopy()
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, v1alpha1.FencedAnnotation, "true")
	require.NoError(s, s.objects.Patch(ctx, lease, client.MergeFrom(held)))
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		left := &v1alpha1.AssignmentList{}
		err := s.objects.List(ctx, left, client.InNamespace(namespace))
		return err == nil && !slices.ContainsFunc(left.Items, func(a v1alpha1.Assignment) bool { return slices.Contains(a.Finalizers, v1alpha1.AgentFinalizer) }), nil
	})
	require.NoError(s, err, "something of agent %s is left", agent)
	require.NoError(s, s.objects.Delete(ctx, object))
}

// An operation of a queue that another cluster serves runs there, and its timeline and outputs are at the hub, also when hub and agent are
// away meanwhile.
func TestOperationsInAnotherCluster(t *testing.T) {
	s := begin(t, "elsewhere")
	worker, there := s.join("e2e-east", s.config.Host)
	queue := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "e2e-east"}, Spec: v1alpha1.QueueSpec{Agent: "e2e-east"}}
	s.create(queue)

	run := func(name, script string) *v1alpha1.Operation {
		op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.namespace}, Spec: v1alpha1.OperationSpec{Queue: queue.Name, Template: shell(script)}}
		s.create(op)
		return op
	}
	becomes := func(op *v1alpha1.Operation, want v1alpha1.Status) {
		t.Helper()
		s.eventually(fmt.Sprintf("operation %s becomes %s", op.Name, want), func() (bool, any) {
			err := s.objects.Get(s.Context(), client.ObjectKeyFromObject(op), op)
			return err == nil && op.Status.Phase == want, fmt.Sprint(err, op.Status.Timeline)
		})
	}
	first := run("first", `echo '{"loss": 0.25}' > $TERMINATION_MESSAGE_PATH`)
	becomes(first, v1alpha1.StatusSucceeded)
	assert.JSONEq(t, "0.25", string(first.Status.Outputs["loss"].Raw))
	assert.Contains(t, fmt.Sprint(first.Status.Timeline), "of agent e2e-east")
	assert.Empty(t, s.pods(s.Context()), "nothing ran at the hub")

	long := run("long", `sleep 15; echo '{"loss": 0.5}' > $TERMINATION_MESSAGE_PATH`)
	becomes(long, v1alpha1.StatusRunning)
	require.NoError(t, worker.Kill(sandbox.Controller))
	require.NoError(t, s.sandbox.Kill(sandbox.Controller))
	becomes(long, v1alpha1.StatusSucceeded)
	assert.EqualValues(t, 1, long.Status.Attempt, "it ran once")
	assert.JSONEq(t, "0.5", string(long.Status.Outputs["loss"].Raw))
	s.eventually("nothing is left in the cluster of the agent", func() (bool, any) {
		copies := &v1alpha1.OperationList{}
		err := there.List(s.Context(), copies)
		return err == nil && len(copies.Items) == 0, len(copies.Items)
	})
	s.overflows("e2e-east")
	s.deletes("e2e-east")
}

// overflows has a queue of this cluster's agent and another run more than there are seats here.
func (s *scenario) overflows(agent string) {
	s.Helper()
	edit(s, &v1alpha1.Agent{}, s.agent, func(a *v1alpha1.Agent) { a.Spec.Concurrency = ptr.To[int32](1) })
	both := s.queue("both", seats(2), func(q *v1alpha1.QueueSpec) { q.Agent, q.Agents = "", []string{s.agent, agent} })
	over := filepath.Join(s.TempDir(), "over")
	lasts := shell("until [ -e " + over + " ]; do sleep 0.1; done")
	s.create(s.operation("both-0", both, lasts))
	assert.Empty(s, s.reach("both-0", v1alpha1.StatusRunning).Status.Agent, "the first in the list is of this cluster")
	assert.Len(s, s.pods(s.Context()), 1)
	s.create(s.operation("both-1", both, lasts))
	second := s.reach("both-1", v1alpha1.StatusRunning)
	assert.Equal(s, agent, second.Status.Agent)
	assert.Contains(s, fmt.Sprint(second.Status.Timeline), fmt.Sprintf("agent %s: none of 1 seats free", s.agent))
	s.create(s.operation("both-2", both, lasts))
	s.eventually("the queue says why the third waits, and counts both clusters", func() (bool, any) {
		q, op := &v1alpha1.Queue{}, &v1alpha1.Operation{}
		require.NoError(s, s.objects.Get(s.Context(), client.ObjectKey{Name: both}, q))
		require.NoError(s, s.objects.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: "both-2"}, op))
		shared := q.Status.Local != nil && len(q.Status.Shares) == 1 && *q.Status.Local.Concurrency+*q.Status.Shares[0].Concurrency == 2
		return shared && q.Status.Admitted == 2 && op.Status.Phase == v1alpha1.StatusQueued && op.Status.Run == nil, fmt.Sprint(q.Status, op.Status)
	})
	require.NoError(s, os.WriteFile(over, nil, 0o600))
	for i := range 3 {
		s.reach(fmt.Sprint("both-", i), v1alpha1.StatusSucceeded)
	}
}

// deletes has an agent that is in contact go: what it has a share of comes back, and then it is gone.
func (s *scenario) deletes(agent string) {
	s.Helper()
	require.NoError(s, s.objects.Delete(s.Context(), &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: agent}}))
	s.eventually("the deleted agent is gone", func() (bool, any) {
		a := &v1alpha1.Agent{}
		err := s.objects.Get(s.Context(), client.ObjectKey{Name: agent}, a)
		return apierrors.IsNotFound(err), a.Status.Conditions
	})
	s.eventually("its share of a queue is this cluster's", func() (bool, any) {
		q := &v1alpha1.Queue{}
		require.NoError(s, s.objects.Get(s.Context(), client.ObjectKey{Name: s.agent + "-both"}, q))
		return len(q.Status.Shares) == 0 && (q.Status.Local == nil || *q.Status.Local.Concurrency == 2), fmt.Sprint(q.Status.Local, q.Status.Shares)
	})
	lease := &coordinationv1.Lease{}
	require.NoError(s, s.objects.Get(s.Context(), client.ObjectKey{Namespace: v1alpha1.AgentNamespace(agent), Name: v1alpha1.AgentLease}, lease))
	assert.Contains(s, lease.Annotations, v1alpha1.FencedAnnotation, "it does nothing any more")
}
