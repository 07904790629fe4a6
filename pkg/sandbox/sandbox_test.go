package sandbox_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
	"github.com/queueyard/queueyard/pkg/sandbox/supervisor"
	"github.com/queueyard/queueyard/test/testenv"
)

const patience = 2 * time.Minute

// sandboxTest works on one sandbox through the program people use.
type sandboxTest struct {
	*testing.T
	bin, dir string
}

func newSandboxTest(t *testing.T) *sandboxTest {
	bin, err := testenv.BinDir()
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(bin, "sandbox"), "run make build")
	st := &sandboxTest{T: t, bin: bin, dir: filepath.Join(t.TempDir(), "sandbox")}
	t.Cleanup(func() {
		if _, err := os.Stat(st.dir); err == nil {
			_, out := st.run("down", "--delete")
			t.Log(out)
		}
	})
	return st
}

// run gives the exit code and the output of the sandbox command.
func (st *sandboxTest) run(args ...string) (int, string) {
	st.Helper()
	var out bytes.Buffer
	cmd := exec.Command(filepath.Join(st.bin, "sandbox"), append(args, "--dir", st.dir)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String()
}

func (st *sandboxTest) ok(args ...string) string {
	st.Helper()
	code, out := st.run(args...)
	require.Zero(st, code, out)
	return out
}

func (st *sandboxTest) client(s *sandbox.Sandbox) kubernetes.Interface {
	st.Helper()
	config, err := s.Config()
	require.NoError(st, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(st, err)
	return client
}

func (st *sandboxTest) eventually(what string, holds func() bool) {
	st.Helper()
	require.Eventually(st, holds, patience, 100*time.Millisecond, what)
}

func TestLife(t *testing.T) {
	st := newSandboxTest(t)
	code, out := st.run("status")
	require.Equal(t, 1, code)
	require.Contains(t, out, "is not a sandbox")

	st.ok("up", "--no-queueyard", "--no-process-node", "--simulated-nodes", "1")
	require.Contains(t, st.ok("status"), "control-plane")
	s, err := sandbox.Open(st.dir)
	require.NoError(t, err)
	require.Equal(t, s.Kubeconfig()+"\n", st.ok("kubeconfig"))
	client := st.client(s)
	kept := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}
	_, err = client.CoreV1().ConfigMaps("default").Create(t.Context(), kept, metav1.CreateOptions{})
	require.NoError(t, err)
	isKept := func(t *testing.T) {
		t.Helper()
		_, err := client.CoreV1().ConfigMaps("default").Get(t.Context(), "kept", metav1.GetOptions{})
		require.NoError(t, err)
	}

	t.Run("up adds what is missing and leaves the rest alone", func(t *testing.T) {
		before, _, err := s.Status()
		require.NoError(t, err)
		st.ok("up", "--no-queueyard", "--simulated-nodes", "2")
		after, _, err := s.Status()
		require.NoError(t, err)
		require.Equal(t, before, after[:len(before)])
		require.Equal(t, sandbox.ProcessNode, after[len(before)].Name)
		nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, nodes.Items, 3)
	})

	t.Run("a component that dies is started again", func(t *testing.T) {
		require.NoError(t, s.Kill(sandbox.SimulatedNodes))
		st.eventually("restart", func() bool {
			components, _, err := s.Status()
			return err == nil && components[1].Restarts == 1 && components[1].State == supervisor.Running
		})
	})

	t.Run("everything comes back after the supervisor was killed", func(t *testing.T) {
		require.NoError(t, s.KillSupervisor())
		st.eventually("death", func() bool { code, _ := st.run("status"); return code == 1 })
		st.ok("up", "--no-queueyard")
		isKept(t)
	})

	t.Run("data survive down and up", func(t *testing.T) {
		st.ok("down")
		code, _ := st.run("status")
		require.Equal(t, 1, code)
		st.ok("down")
		st.ok("up", "--no-queueyard", "--no-process-node")
		isKept(t)
	})

	t.Run("logs", func(t *testing.T) {
		require.Contains(t, st.ok("logs", "control-plane"), "kube-apiserver")
		code, out := st.run("logs", "nosuch")
		require.Equal(t, 1, code)
		require.Contains(t, out, "the components are control-plane, process-node, simulated-nodes, supervisor")
	})

	components, _, err := s.Status()
	require.NoError(t, err)
	st.ok("down", "--delete")
	require.NoDirExists(t, st.dir)
	for _, c := range components {
		require.ErrorIs(t, syscall.Kill(c.PID, 0), syscall.ESRCH, "%s still runs", c.Name)
	}
}

// TestEtcdApart kills etcd alone. Whether it runs apart changes nothing about its data.
func TestEtcdApart(t *testing.T) {
	st := newSandboxTest(t)
	options := sandbox.Options{Dir: st.dir, BinDir: st.bin, NoProcessNode: true, NoQueueyard: true, EtcdApart: true}
	s, err := sandbox.Up(t.Context(), options)
	require.NoError(t, err)
	maps := st.client(s).CoreV1().ConfigMaps("default")
	_, err = maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	before, _, err := s.Status()
	require.NoError(t, err)
	require.Len(t, before, 2)

	require.NoError(t, s.Kill(sandbox.Etcd))
	st.eventually("etcd is back", func() bool {
		components, _, err := s.Status()
		require.NoError(t, err)
		require.Equal(t, before[1], components[1], "the API server lives on")
		_, err = maps.Get(t.Context(), "kept", metav1.GetOptions{})
		return components[0].Restarts == 1 && err == nil
	})

	require.NoError(t, s.Down(t.Context()))
	options.EtcdApart = false
	s, err = sandbox.Up(t.Context(), options)
	require.NoError(t, err)
	after, _, err := s.Status()
	require.NoError(t, err)
	require.Len(t, after, 1)
	_, err = st.client(s).CoreV1().ConfigMaps("default").Get(t.Context(), "kept", metav1.GetOptions{})
	require.NoError(t, err)
}

func TestRefusesForeignDirectory(t *testing.T) {
	st := newSandboxTest(t)
	require.NoError(t, os.Mkdir(st.dir, 0o700))
	mine := filepath.Join(st.dir, "thesis.txt")
	require.NoError(t, os.WriteFile(mine, nil, 0o600))
	for _, args := range [][]string{{"up"}, {"down", "--delete"}} {
		code, out := st.run(args...)
		require.Equal(t, 1, code)
		require.Contains(t, out, "not a sandbox")
		require.FileExists(t, mine)
	}
}

func TestSimulatedPods(t *testing.T) {
	st := newSandboxTest(t)
	s, err := sandbox.Up(t.Context(), sandbox.Options{
		Dir: st.dir, BinDir: st.bin, SimulatedNodes: 1, Capacity: simulation.DefaultCapacity(), NoProcessNode: true, NoQueueyard: true,
	})
	require.NoError(t, err)
	client := st.client(s)

	node, err := client.CoreV1().Nodes().Get(t.Context(), "sim-0", metav1.GetOptions{})
	require.NoError(t, err)
	for name, want := range map[corev1.ResourceName]string{"cpu": "32", "memory": "256Gi", "pods": "110", "nvidia.com/gpu": "8"} {
		got := node.Status.Allocatable[name]
		require.Equal(t, want, got.String(), name)
	}
	require.Equal(t, []corev1.Taint{{Key: simulation.Taint, Effect: corev1.TaintEffectNoSchedule}}, node.Spec.Taints)

	pods := client.CoreV1().Pods("default")
	create := func(name string, policy corev1.RestartPolicy, annotations map[string]string) {
		_, err := pods.Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations},
			Spec: corev1.PodSpec{
				NodeName: "sim-0", RestartPolicy: policy, Containers: []corev1.Container{{Name: "main", Image: "ignored"}},
			},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	until := func(name string, phase corev1.PodPhase) *corev1.Pod {
		var pod *corev1.Pod
		err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
			var err error
			pod, err = pods.Get(ctx, name, metav1.GetOptions{})
			return err == nil && pod.Status.Phase == phase, err
		})
		require.NoError(t, err, "pod %s: %+v", name, pod)
		return pod
	}
	create("plain", corev1.RestartPolicyNever, nil)
	create("service", corev1.RestartPolicyAlways, nil)
	create("failing", corev1.RestartPolicyAlways, map[string]string{
		"sandbox.queueyard.io/duration":            "2s",
		"sandbox.queueyard.io/exit-code":           "7",
		"sandbox.queueyard.io/termination-message": `{"said": "no"}`,
	})
	until("plain", corev1.PodSucceeded)
	end := until("failing", corev1.PodFailed).Status.ContainerStatuses[0].State.Terminated
	require.Equal(t, int32(7), end.ExitCode)
	require.Equal(t, `{"said": "no"}`, end.Message)
	require.True(t, end.StartedAt.Before(&end.FinishedAt))

	until("service", corev1.PodRunning)
	require.NoError(t, pods.Delete(t.Context(), "service", metav1.DeleteOptions{}))
	st.eventually("deletion", func() bool {
		_, err := pods.Get(t.Context(), "service", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}
