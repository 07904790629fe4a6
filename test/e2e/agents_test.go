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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/agentidentity"
	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
)

// join makes an agent at the hub, which is the shared sandbox, and brings up a cluster that serves it and reaches the hub
// at an address.
func (s *scenario) join(agent, hub string) (*sandbox.Sandbox, client.Client) {
	s.Helper()
	s.create(&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: agent}, Spec: v1alpha1.AgentSpec{Remote: true, Namespace: "work"}})
	s.create(agentidentity.Objects(agent)...)
	token, _, err := agentidentity.Token(s.Context(), shared.client, agent, time.Hour)
	require.NoError(s, err)
	kubeconfig, err := agentidentity.Kubeconfig(agent, agentidentity.Hub{Server: hub, CA: shared.config.CAData}, token, "")
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
				printLogs(filepath.Join(dir, "sandbox"))
			}
			assert.NoError(s, opened.Down(context.Background()))
			s.leave(agent)
		})
	}
	require.NoError(s, err)
	config, err := worker.Config()
	require.NoError(s, err)
	objects, err := client.New(config, client.Options{Scheme: shared.objects.Scheme()})
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
	require.NoError(s, shared.objects.Get(ctx, client.ObjectKey{Name: agent}, object))
	before := object.DeepCopy()
	object.Spec.State = v1alpha1.AgentEvicted
	require.NoError(s, shared.objects.Patch(ctx, object, client.MergeFrom(before)))
	require.NoError(s, shared.objects.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.AgentLease}, lease))
	held := lease.DeepCopy()
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, v1alpha1.FencedAnnotation, "true")
	require.NoError(s, shared.objects.Patch(ctx, lease, client.MergeFrom(held)))
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		left := &v1alpha1.AssignmentList{}
		err := shared.objects.List(ctx, left, client.InNamespace(namespace))
		return err == nil && !slices.ContainsFunc(left.Items, func(a v1alpha1.Assignment) bool { return slices.Contains(a.Finalizers, v1alpha1.AgentFinalizer) }), nil
	})
	require.NoError(s, err, "something of agent %s is left", agent)
	require.NoError(s, shared.objects.Delete(ctx, object))
}

// An operation of a queue that another cluster serves runs there, and its timeline and outputs are at the hub, also when hub and agent are
// away meanwhile.
func TestOperationsInAnotherCluster(t *testing.T) {
	s := begin(t, "elsewhere")
	worker, there := s.join("e2e-east", shared.config.Host)
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
			err := shared.objects.Get(s.Context(), client.ObjectKeyFromObject(op), op)
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
	require.NoError(t, shared.sandbox.Kill(sandbox.Controller))
	becomes(long, v1alpha1.StatusSucceeded)
	assert.EqualValues(t, 1, long.Status.Attempt, "it ran once")
	assert.JSONEq(t, "0.5", string(long.Status.Outputs["loss"].Raw))
	s.eventually("nothing is left in the cluster of the agent", func() (bool, any) {
		copies := &v1alpha1.OperationList{}
		err := there.List(s.Context(), copies)
		return err == nil && len(copies.Items) == 0, len(copies.Items)
	})
}
