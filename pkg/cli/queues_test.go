package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

const queues = `
kind: Agent
metadata: {name: default}
---
kind: Queue
metadata: {name: gpu}
spec:
  priority: 10
  concurrency: 4
  guaranteed: 1
  quota: {resources: {nvidia.com/gpu: 8, memory: 64Gi}, cost: "20", budget: {amount: 1000, window: month}}
status:
  pending: 7
  admitted: 4
  running: 3
  oldestPending: "2026-03-01T11:18:00Z"
  usage: {nvidia.com/gpu: "4", cpu: "16"}
  costRate: "8.00"
  budget: {windowStart: "2026-03-01T00:00:00Z", windowEnd: "2026-04-01T00:00:00Z", spent: "12.50", left: "987.50", accountedUntil: "2026-03-01T12:00:00Z"}
  operations: {waiting: 40}
  conditions: [{type: Ready, status: "True", reason: Ready, message: "", lastTransitionTime: "2026-03-01T11:00:00Z"}]
---
kind: Queue
metadata: {name: cpu}
spec: {state: Paused, strategy: StrictFIFO}
status:
  pending: 0
  admitted: 0
  running: 0
  conditions: [{type: Ready, status: "False", reason: Paused, message: "spec.state is Paused", lastTransitionTime: "2026-03-01T11:00:00Z"}]
`

const gpuLine = `{"kind":"PendingOperationList","queue":"gpu","waiting":7,"items":[
 {"metadata":{"name":"train","namespace":"team","creationTimestamp":"2026-03-01T11:18:00Z"},"kind":"Operation","pod":"train-x-1","pods":1,"position":1,"priority":5,"reason":"QueueFull","message":"queue gpu: 4/4 operations running; position 1 of 7"},
 {"metadata":{"name":"huge","namespace":"team","creationTimestamp":"2026-03-01T11:20:00Z"},"kind":"Job","pod":"huge-y","pods":2,"position":0,"priority":0,"reason":"NeverFits","message":"queue gpu allows 8 nvidia.com/gpu and it asks for 16"}]}`

func TestQueues(t *testing.T) {
	s := begin(t)
	s.answers = map[string]string{"/apis/visibility.queueyard.io/v1alpha1/queues/gpu/pendingoperations": gpuLine}
	s.given(queues)
	s.qy("queues")
	s.qy("queues", "list", "-o", "wide")
	s.qy("queues", "list", "-o", "json")
	s.qy("queues", "describe", "gpu")
	s.qy("queues", "describe", "cpu")
	s.qy("queues", "describe", "gppu")
	s.qy("__complete", "queues", "describe", "")
	s.qy("__complete", "list", "--status", "s")
	s.colours = true
	s.qy("queues", "list")
}

func TestQueuesEdit(t *testing.T) {
	s := begin(t)
	s.given(queues)
	spec := func(name string) v1alpha1.QueueSpec { return object(s, &v1alpha1.Queue{}, "", name).Spec }
	s.qy("queues", "create", "night", "--agent", "gpu-east", "--budget", "100/day", "--priority", "0", "--dry-run=client")
	s.qy("queues", "create", "night", "--agent", "defualt", "--budget", "100/day", "--quota", "cpu=500m", "--concurrency", "2", "--strategy", "StrictFIFO")
	require.Equal(t, ptr.To[int32](2), spec("night").Concurrency)
	require.Equal(t, "day", spec("night").Quota.Budget.Window)
	s.qy("queues", "create", "night")
	s.qy("queues", "create", "fast", "--strategy", "LIFO")

	s.qy("queues", "edit-limits", "gpu")
	s.qy("queues", "edit-limits", "gpu", "--concurrency", "16", "--quota", "nvidia.com/gpu=32", "--quota", "memory=none", "--priority", "-1", "--cost", "2.50")
	require.EqualValues(t, 16, *spec("gpu").Concurrency)
	require.Len(t, spec("gpu").Quota.Resources, 1)
	require.Equal(t, "32", ptr.To(spec("gpu").Quota.Resources[corev1.ResourceName("nvidia.com/gpu")]).String())
	s.qy("queues", "edit-limits", "gpu", "--concurrency", "16")
	s.qy("queues", "edit-limits", "gpu", "--quota", "nvidia.com/gpu=none", "--cost", "none", "--budget", "none")
	require.Nil(t, spec("gpu").Quota)
	for _, line := range [][]string{
		{"--quota", "cpu"}, {"--quota", "cpu=much"}, {"--cost", "cheap"}, {"--budget", "100"}, {"--budget", "100/week"}, {"--concurrency", "many"}, {"--concurrency", "-2"},
	} {
		_, code := s.qy(append([]string{"queues", "edit-limits", "gpu"}, line...)...)
		require.Equal(t, codeError, code, line)
	}
	s.qy("queues", "pause", "gpu", "cpu")
	require.Equal(t, v1alpha1.QueuePaused, spec("gpu").State)
	s.qy("queues", "drain", "gpu")
	require.Equal(t, v1alpha1.QueueDraining, spec("gpu").State)
	s.qy("queues", "open", "gpu", "cup")
	require.Equal(t, v1alpha1.QueueOpen, spec("gpu").State)
	full := object(s, &v1alpha1.Queue{}, "", "gpu")
	controllerutil.AddFinalizer(full, v1alpha1.QueueFinalizer)
	require.NoError(t, shared.admin.Update(t.Context(), full))
	s.qy("queues", "delete", "gpu", "cpu")
	s.qy("queues", "delete", "cpu")
	s.qy("queues", "open", "gpu")
	full = object(s, &v1alpha1.Queue{}, "", "gpu")
	controllerutil.RemoveFinalizer(full, v1alpha1.QueueFinalizer)
	require.NoError(t, shared.admin.Update(t.Context(), full))
}

func TestTenants(t *testing.T) {
	s := begin(t)
	s.given(queues)
	s.given(`
kind: Organization
metadata: {name: acme}
spec: {concurrency: 100, quota: {resources: {cpu: 400}, budget: {amount: 1000, window: day}}}
status:
  admitted: 12
  usage: {cpu: "48"}
  budget: {windowStart: "2026-03-01T00:00:00Z", windowEnd: "2026-03-02T00:00:00Z", spent: "1000.00", left: "0.00", accountedUntil: "2026-03-01T12:00:00Z"}
  withheld: "agent gpu-east, unreachable since 2026-03-01T10:30:00Z, keeps 40 of 100 operations: until it is back, or evicted because its cluster is gone for good (qy agents evict gpu-east)"
  local: {concurrency: 60, resources: {cpu: "300"}, revision: 1}
  shares: [{agent: gpu-east, concurrency: 40, resources: {cpu: "100"}, budget: "250", revision: 2}]
---
kind: Project
metadata: {name: vision}
spec: {organization: acme, defaultQueue: gpux, namespaces: {names: [vision], selector: {matchLabels: {team: vision}}}}
status: {conditions: [{type: Ready, status: "False", reason: NotFound, message: 'spec.defaultQueue: queue "gpux" does not exist: create it, or choose another', lastTransitionTime: "2026-03-01T11:00:00Z"}]}
---
kind: Project
metadata: {name: speech}
`)
	s.qy("projects")
	s.qy("projects", "list", "-o", "wide")
	s.qy("projects", "describe", "vision")
	s.qy("projects", "describe", "speech")
	s.qy("projects", "describe", "visoin")
	s.qy("projects", "set", "vision", "--default-queue", "gpu", "--allowed-queues", "gpu,cpu-*", "--concurrency", "20")
	project := object(s, &v1alpha1.Project{}, "", "vision")
	require.Equal(t, []string{"gpu", "cpu-*"}, project.Spec.AllowedQueues)
	require.Equal(t, "gpu", project.Spec.DefaultQueue)
	s.qy("projects", "set", "vision", "--allowed-queues", "", "--default-queue", "gup")
	require.Empty(t, object(s, &v1alpha1.Project{}, "", "vision").Spec.AllowedQueues)
	s.qy("projects", "set", "vision")
	s.qy("orgs")
	s.qy("orgs", "describe", "acme")
	s.qy("orgs", "set", "acme", "--default-queue", "cpu")
	require.Equal(t, "cpu", object(s, &v1alpha1.Organization{}, "", "acme").Spec.DefaultQueue)
	s.qy("organizations", "set", "acmee", "--default-queue", "cpu")
}

func TestRoot(t *testing.T) {
	s := begin(t)
	s.scrub = [][2]string{{`qy: \S+`, "qy: VERSION"}, {`context "[^"]*"`, "context CONTEXT"}, {`: v1\.\d+\.\d+`, ": v1"}}
	s.qy()
	s.qy("version")
	s.qy("version", "--client")
	s.qy("qeues")
	s.qy("queues", "--no-header")
	s.qy("agents", "--server", "https://127.0.0.1:1")
	s.qy("agents", "--as", "nobody")
	s.qy("queues", "create", "q", "--as", "nobody")
	s.qy("agents", "--context", "elsewhere")
}
