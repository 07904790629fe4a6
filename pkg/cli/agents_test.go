package cli

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/agentidentity"
	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

const twoAgents = `
kind: Agent
metadata: {name: default}
spec: {prices: {cpu: "0.04"}}
status: {queues: 1, pending: 0, admitted: 2}
---
kind: Agent
metadata: {name: gpu-east}
spec: {remote: true, concurrency: 8, namespace: ml}
status:
  queues: 1
  pending: 5
  admitted: 3
  lastContact: "2026-03-01T11:59:52.000000Z"
  levels: [{priority: -1, seats: 8, demand: 8, used: 3}]
  report: {version: v0.1.0, kubernetesVersion: v1.36.3, nodes: 4, allocatable: {cpu: "32", nvidia.com/gpu: "8"}, pending: 5, admitted: 3}
  conditions: [{type: Ready, status: "True", reason: Serving, message: "", lastTransitionTime: "2026-03-01T11:00:00Z"}]
---
kind: Agent
metadata: {name: gpu-west}
spec: {remote: true, state: Draining}
status:
  queues: 0
  pending: 0
  admitted: 0
  lastContact: "2026-03-01T10:30:00.000000Z"
  conditions: [{type: Ready, status: "False", reason: AgentUnreachable, message: "agent gpu-west unreachable since 2026-03-01T10:30:00Z", lastTransitionTime: "2026-03-01T10:30:40Z"}]
---
kind: Queue
metadata: {name: gpu}
spec: {agent: gpu-east, concurrency: 4}
status: {pending: 5, admitted: 3, running: 3}
`

// taken is an assignment that the agent has claimed and begun.
func taken(name string) string {
	return `
kind: Assignment
metadata: {name: ` + name + `, namespace: queueyard-agent-gpu-west, finalizers: [queueyard.io/agent]}
spec: {origin: {namespace: team, name: train-` + name + `, uid: u}, namespace: team, operation: {template: {pod: {spec: {}}}}}
status: {operation: {phase: running, startTime: "2026-03-01T10:00:00.000000Z"}}
`
}

// drained agents: one that is in contact and whose clock is wrong, and one that nobody has looked at.
const drained = `
kind: Agent
metadata: {name: gpu-north}
spec: {remote: true, state: Draining}
status:
  queues: 0
  pending: 0
  admitted: 0
  lastContact: "2026-03-01T11:59:57.000000Z"
  conditions: [{type: Ready, status: "False", reason: Draining, message: "it gets no operations", lastTransitionTime: "2026-03-01T10:30:40Z"}]
---
kind: Agent
metadata: {name: gpu-new}
spec: {remote: true}
`

func TestAgents(t *testing.T) {
	s := begin(t)
	s.given(twoAgents)
	s.given(taken("a") + "---" + taken("b"))
	s.qy("agents")
	s.qy("agents", "list", "-o", "wide", "--no-headers")
	s.qy("agents", "list", "-o", "name")
	s.qy("agents", "list", "-o", "jsonpath={.items[*].metadata.name}")
	s.qy("agents", "list", "-o", "tree")
	s.qy("agents", "describe", "default")
	s.qy("agents", "describe", "gpu-east")
	s.qy("agents", "describe", "gpu-west")
	s.qy("agents", "describe", "gpu-west", "-o", "yaml")
	s.qy("agents", "describe", "gpu-esat")
	s.qy("agents", "describe")
	s.qy("agents", "drian")
	s.qy("agents", "drain", "default")
	s.qy("agents", "drain", "gpu-east")
	require.Equal(t, v1alpha1.AgentDraining, object(s, &v1alpha1.Agent{}, "", "gpu-east").Spec.State)
	s.qy("agents", "drain", "gpu-east")
	s.qy("agents", "open", "gpu-east")
	require.Equal(t, v1alpha1.AgentOpen, object(s, &v1alpha1.Agent{}, "", "gpu-east").Spec.State)
	s.colours = true
	s.qy("agents", "list")
}

func TestAgentsJoin(t *testing.T) {
	s := begin(t)
	s.scrub = [][2]string{
		{`certificate-authority-data: \S+`, "certificate-authority-data: CA"}, {`token: ey\S+`, "token: TOKEN"},
		{`token-expires: "[^"]+"`, `token-expires: "TIME"`}, {`good until \S+ \S+:`, "good until TIME:"},
	}
	s.given(`{kind: Agent, metadata: {name: local}}`)
	s.qy("agents", "join", "lab", "--namespace", "ml", "--dry-run=client")
	require.True(t, apierrors.IsNotFound(shared.admin.Get(t.Context(), client.ObjectKey{Name: "lab"}, &v1alpha1.Agent{})), "a dry run changes nothing")

	printed, code := s.qy("agents", "join", "lab", "--namespace", "ml", "--concurrency", "16")
	require.Zero(t, code)
	agent := object(s, &v1alpha1.Agent{}, "", "lab")
	require.Equal(t, v1alpha1.AgentSpec{Remote: true, Namespace: "ml", Concurrency: ptr.To[int32](16), State: v1alpha1.AgentOpen}, agent.Spec)
	for _, o := range agentidentity.Objects("lab") {
		require.NoError(t, shared.admin.Get(t.Context(), client.ObjectKeyFromObject(o), o), "%T", o)
	}
	first := tokenOf(t, printed)
	require.NoError(t, asAgent(t, first), "the token is that of the agent")

	// Again: what was not given stays, and there is a new token beside the first.
	printed, code = s.qy("agents", "join", "lab", "--concurrency", "-1", "--hub-server", "https://hub.example.com:443", "--token-duration", "1h")
	require.Zero(t, code)
	agent = object(s, &v1alpha1.Agent{}, "", "lab")
	require.Equal(t, v1alpha1.AgentSpec{Remote: true, Namespace: "ml", Concurrency: ptr.To[int32](-1), State: v1alpha1.AgentOpen}, agent.Spec)
	second := tokenOf(t, printed)
	require.NotEqual(t, first, second)
	require.NoError(t, asAgent(t, first), "tokens given before stay good")

	printed, code = s.qy("agents", "join", "lab", "--revoke", "-o", "kubeconfig")
	require.Zero(t, code)
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(printed))
	require.NoError(t, err)
	require.NoError(t, asAgent(t, config.BearerToken))
	require.Eventually(t, func() bool { return apierrors.IsUnauthorized(asAgent(t, first)) }, time.Minute, 100*time.Millisecond,
		"revoked, once the API server's cache of tokens forgets it")

	for _, line := range [][]string{
		{"local"}, {"default"}, {"Lab.East"}, {"a-name-of-forty-eight-characters-is-one-too-long"},
		{"lab", "--concurrency=-2"}, {"lab", "--namespace=No"}, {"lab", "--hub-server=hub"}, {"lab", "--dry-run=server"}, {"lab", "-o", "json"},
		{"lab", "--token-duration=1m"}, {"lab", "--hub-certificate-authority=/nowhere/ca.crt"}, {},
	} {
		_, code := s.qy(append([]string{"agents", "join"}, line...)...)
		require.Equal(t, codeError, code, line)
	}
	agent.Spec.State = v1alpha1.AgentEvicted
	require.NoError(t, shared.admin.Update(t.Context(), agent))
	s.qy("agents", "join", "lab")
}

// tokenOf reads the Secret that is applied at the worker.
func tokenOf(t *testing.T, printed string) string {
	secret := &corev1.Secret{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(printed), secret))
	config, err := clientcmd.Load([]byte(secret.StringData["kubeconfig"]))
	require.NoError(t, err)
	require.Equal(t, "token", config.AuthInfos["lab"].TokenFile)
	return secret.StringData["token"]
}

// asAgent does as somebody with a token what an agent may.
func asAgent(t *testing.T, token string) error {
	config := *shared.env.Config
	config.CertData, config.KeyData, config.BearerToken = nil, nil, token
	c, err := client.New(&config, client.Options{Scheme: scheme, Mapper: shared.admin.RESTMapper()})
	require.NoError(t, err)
	return c.List(t.Context(), &v1alpha1.AssignmentList{}, client.InNamespace("queueyard-agent-lab"))
}

func TestAgentsEvict(t *testing.T) {
	s := begin(t)
	s.given(twoAgents)
	s.given(taken("a") + "---" + taken("b"))
	s.qy("agents", "evict", "default", "--yes")
	s.qy("agents", "evict", "gpu-east", "--yes")
	s.given(drained)
	s.qy("agents", "evict", "gpu-north", "--yes")
	s.qy("agents", "evict", "gpu-new", "--yes")

	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "queueyard-agent-gpu-west", Name: v1alpha1.AgentLease}}
	lease.Spec.RenewTime = &metav1.MicroTime{Time: noon.Add(-12 * time.Second)}
	require.NoError(t, shared.admin.Create(t.Context(), lease))
	t.Cleanup(func() { require.NoError(t, shared.admin.Delete(context.Background(), lease)) })
	s.qy("agents", "evict", "gpu-west", "--yes")
	lease.Spec.RenewTime = &metav1.MicroTime{Time: noon.Add(-90 * time.Minute)}
	require.NoError(t, shared.admin.Update(t.Context(), lease))

	s.qy("agents", "evict", "gpu-west")
	s.answer = "gpu-east\n"
	s.qy("agents", "evict", "gpu-west")
	require.Equal(t, v1alpha1.AgentDraining, object(s, &v1alpha1.Agent{}, "", "gpu-west").Spec.State, "nothing was confirmed")
	s.answer = "gpu-west\n"
	s.qy("agents", "evict", "gpu-west", "--wait=false")
	require.Equal(t, v1alpha1.AgentEvicted, object(s, &v1alpha1.Agent{}, "", "gpu-west").Spec.State)
	s.answer = ""
	s.qy("agents", "evict", "gpu-west", "--timeout", "1ms")
	s.qy("agents", "drain", "gpu-west")

	lease.Annotations = map[string]string{v1alpha1.FencedAnnotation: "true"}
	require.NoError(t, shared.admin.Update(t.Context(), lease))
	s.qy("agents", "evict", "gpu-west", "--timeout", "1ms")
	for _, name := range []string{"a", "b"} {
		s.letGo(object(s, &v1alpha1.Assignment{}, "queueyard-agent-gpu-west", name))
	}
	s.qy("agents", "evict", "gpu-west")

	// That nothing of it is left is not enough: it may still claim.
	lease.Annotations = nil
	require.NoError(t, shared.admin.Update(t.Context(), lease))
	s.qy("agents", "evict", "gpu-west", "--timeout", "1ms")
	s.then = map[string]func(){"/apis/coordination.k8s.io/v1/namespaces/queueyard-agent-gpu-west/leases/agent": func() {
		lease.Spec.RenewTime = &metav1.MicroTime{Time: lease.Spec.RenewTime.Add(time.Second)}
		require.NoError(t, shared.admin.Update(t.Context(), lease))
	}}
	s.qy("agents", "evict", "gpu-west", "--timeout", "1ms")
}
