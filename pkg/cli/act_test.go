package cli

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestAct(t *testing.T) {
	s := beginRuns(t)
	s.given(`
kind: Operation
metadata: {name: halted}
spec: {desiredState: Stopped, restarts: 2, template: {pod: {spec: {}}}}
status: {phase: stopped, observedGeneration: 1, restarts: 2, timeline: [{status: stopped, time: "2026-03-01T11:50:00.000000Z", reason: Stopped}]}
`)
	op := func(name string) v1alpha1.OperationSpec {
		return object(s, &v1alpha1.Operation{}, "team", name).Spec
	}
	s.qy("stop", "train", "sweep", "broken", "-n", "team")
	require.Equal(t, v1alpha1.Stopped, op("train").DesiredState)
	require.Equal(t, v1alpha1.Stopped, object(s, &v1alpha1.Workflow{}, "team", "sweep").Spec.DesiredState)
	require.Equal(t, v1alpha1.Run, op("broken").DesiredState)
	s.qy("stop", "train", "-n", "team")
	s.qy("resume", "train", "halted", "-n", "team")
	require.Equal(t, v1alpha1.Run, op("train").DesiredState)
	require.Equal(t, v1alpha1.Run, op("halted").DesiredState)
	s.qy("resume", "halted", "-n", "team")
	s.qy("resume", "far", "-n", "team")
	s.qy("restart", "broken", "-n", "team")
	require.EqualValues(t, 1, op("broken").Restarts)
	s.qy("restart", "broken", "-n", "team")
	_, code := s.qy("wait", "broken", "-n", "team", "--for", "queued", "--timeout", "1ms")
	require.Equal(t, codeUnfinished, code, "it has queued in the run before")
	s.qy("stop", "broken", "-n", "team")
	_, code = s.qy("wait", "broken", "-n", "team")
	require.Equal(t, codeFailed, code, "it is to be stopped, so it does not begin again")
	s.qy("approve", "held", "-n", "team")
	require.Equal(t, ptr.To(true), op("held").Approved)
	s.qy("approve", "held", "-n", "team")
	s.qy("approve", "train", "-n", "team")
	s.qy("approve", "hedl", "-n", "team")
	s.qy("stop")
}

func TestMove(t *testing.T) {
	s := beginRuns(t)
	s.given(queues)
	s.given(`
apiVersion: v1
kind: Pod
metadata: {name: lone, namespace: team, annotations: {queueyard.io/queue: lab/cpu}}
spec: {schedulerName: nobody, containers: [{name: main, image: none}]}
---
apiVersion: v1
kind: Pod
metadata: {name: bound, namespace: team}
spec: {nodeName: n1, containers: [{name: main, image: none}]}
`)
	t.Cleanup(func() {
		require.NoError(t, shared.admin.DeleteAllOf(context.Background(), &corev1.Pod{}, client.InNamespace("team"), client.GracePeriodSeconds(0)))
	})
	s.qy("move", "far", "sweep", "-n", "team", "--queue", "default/gpu", "--priority", "-3")
	far := object(s, &v1alpha1.Operation{}, "team", "far").Spec
	require.Equal(t, "default/gpu", far.Queue)
	require.EqualValues(t, -3, *far.Priority)
	require.Equal(t, "default/gpu", object(s, &v1alpha1.Workflow{}, "team", "sweep").Spec.Queue)
	s.qy("move", "pod/lone", "-n", "team", "--queue", "default/gpu", "--priority", "7")
	lone := object(s, &corev1.Pod{}, "team", "lone")
	require.Equal(t, "default.gpu", lone.Labels[v1alpha1.QueueLabel])
	require.Equal(t, map[string]string{v1alpha1.PriorityAnnotation: "7"}, lone.Annotations)
	s.qy("move", "bound", "-n", "team", "--queue", "gpu")
	s.qy("move", "broken", "-n", "team", "--queue", "gpu")
	s.qy("move", "far", "-n", "team", "--queue", "gup")
	s.qy("move", "far", "-n", "team")
}

func TestWait(t *testing.T) {
	s := beginRuns(t)
	for _, c := range []struct {
		line []string
		code int
	}{
		{[]string{"done"}, 0},
		{[]string{"done", "broken"}, codeFailed},
		{[]string{"train", "--for", "running"}, 0},
		{[]string{"train", "--for", "retrying", "--timeout", "1ms"}, codeUnfinished},
		{[]string{"done", "--for", "failed"}, codeError},
		{[]string{"broken", "--for", "succeeded"}, codeFailed},
		{[]string{"far", "--for", "condition=Admitted=False"}, 0},
		{[]string{"done", "train", "--timeout", "1s"}, codeUnfinished},
		{[]string{"done", "--for", "finnished"}, codeError},
		{[]string{"dnoe"}, codeError},
	} {
		_, code := s.qy(append([]string{"wait", "-n", "team"}, c.line...)...)
		require.Equal(t, c.code, code, c.line)
	}
	s.then = map[string]func(){"/apis/queueyard.io/v1alpha1/namespaces/team/operations/train": func() {
		require.NoError(t, shared.admin.Delete(t.Context(), object(s, &v1alpha1.Operation{}, "team", "train")))
	}}
	_, code := s.qy("wait", "-n", "team", "train", "--for", "delete")
	require.Zero(t, code)
}

func TestTree(t *testing.T) {
	s := beginRuns(t)
	for _, n := range []string{"10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31"} {
		s.given(`
kind: Operation
metadata: {name: sweep-` + n + `, labels: {queueyard.io/workflow: sweep, queueyard.io/workflow-uid: UID(sweep), queueyard.io/index: "` + n + `"}}
spec: {component: trainer}
status: {phase: succeeded}
`)
	}
	s.qy("tree", "sweep", "-n", "team")
	s.qy("tree", "wf/sweep-nested", "-n", "team", "--all")
	s.qy("tree", "train", "-n", "team")
	out, _ := s.qy("tree", "sweep", "-n", "team", "--all")
	require.Contains(t, out, "sweep-31")
	s.colours = true
	s.qy("tree", "sweep-nested", "-n", "team")
}

// Logs come from nodes: the tests on a sandbox read them. Here is what is said where there are none.
func TestLogs(t *testing.T) {
	s := beginRuns(t)
	s.given(`{kind: Agent, metadata: {name: gpu-east}, spec: {remote: true, namespace: ml}}`)
	s.qy("logs", "far", "-n", "team")
	s.qy("logs", "far", "-n", "team", "-f")
	s.qy("logs", "sweep", "-n", "team")
	s.qy("logs", "held", "-n", "team")
	s.qy("logs", "train", "-n", "team", "--attempt", "7")
	s.given(`{apiVersion: v1, kind: Pod, metadata: {name: waits, namespace: team}, spec: {schedulerName: nobody, containers: [{name: main, image: none}]}}`)
	s.qy("logs", "pod/waits", "-n", "team")
	require.NoError(t, shared.admin.DeleteAllOf(t.Context(), podKind.new(), client.InNamespace("team")))
}

func TestRun(t *testing.T) {
	s := begin(t)
	s.namespace("team")
	s.scrub = [][2]string{{`trainer-[a-z0-9]{5}`, "trainer-XXXXX"}, {t.TempDir(), "DIR"}}
	file := filepath.Join(t.TempDir(), "sweep.yaml")
	s.scrub = append(s.scrub, [2]string{filepath.Dir(file), "DIR"})
	require.NoError(t, os.WriteFile(file, []byte(`
apiVersion: queueyard.io/v1alpha1
kind: Component
metadata: {name: trainer}
spec: {template: {pod: {spec: {containers: [{name: main, image: none}]}}}}
---
apiVersion: queueyard.io/v1alpha1
kind: Workflow
metadata: {name: sweep}
spec: {entrypoint: main, queue: cpu, params: {rate: 1, keep: 2}, templates: [{name: main, operation: {component: trainer}}]}
`), 0o600))
	wrong := filepath.Join(t.TempDir(), "wrong.yaml")
	s.scrub = append(s.scrub, [2]string{filepath.Dir(wrong), "DIR"})
	require.NoError(t, os.WriteFile(wrong, []byte(`{apiVersion: queueyard.io/v1alpha1, kind: Operation, metadata: {name: w}, spec: {componnent: trainer}}`), 0o600))
	t.Cleanup(func() {
		require.NoError(t, shared.admin.DeleteAllOf(context.Background(), &v1alpha1.Component{}, client.InNamespace("team")))
	})

	s.qy("run", "hello", "-n", "team", "--image", "debian", "--queue", "gpu", "--priority", "3", "--project", "vision", "-e", "A=b=c", "--requests", "cpu=1,memory=1Gi", "--limits", "nvidia.com/gpu=1",
		"-p", "rate=0.1", "-p", "name=x", "-p", "layers=[64, 64]", "-l", "team=vision", "--max-retries", "2", "--timeout", "1h", "--ttl", "168h", "--dry-run=client", "--", "bash", "-c", "echo hello")
	s.qy("run", "hello", "-n", "team", "--image", "debian", "--", "true")
	require.JSONEq(t, `{"spec":{"containers":[{"name":"main","image":"debian","command":["true"]}]}}`,
		string(object(s, &v1alpha1.Operation{}, "team", "hello").Spec.Template.Pod.Raw))
	s.qy("run", "hello", "-n", "team", "--image", "debian")
	s.qy("run", "-n", "team", "--component", "trainer")
	s.qy("run", "-n", "team", "-f", file, "--queue", "gpu", "-p", "rate=2")
	sweep := object(s, &v1alpha1.Workflow{}, "team", "sweep").Spec
	require.Equal(t, "gpu", sweep.Queue)
	require.Equal(t, "keep: 2, rate: 2", values(sweep.Params))
	for _, line := range [][]string{
		{}, {"--image", "a", "--component", "b"}, {"a", "b", "--image", "c"}, {"a", "-f", file}, {"--component", "b", "--", "true"},
		{"--image", "a", "-p", "rate"}, {"--image", "a", "-e", "A"}, {"--image", "a", "--requests", "cpu"}, {"--image", "a", "-l", "x y"},
		{"--image", "a", "--dry-run", "server"}, {"-f", wrong}, {"-f", "/nowhere.yaml"},
	} {
		_, code := s.qy(append([]string{"run", "-n", "team"}, line...)...)
		require.Equal(t, codeError, code, line)
	}
}
