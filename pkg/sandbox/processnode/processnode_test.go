package processnode_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/queueyard/queueyard/pkg/sandbox/processnode"
	"github.com/queueyard/queueyard/test/testenv"
)

const patience = time.Minute

type nodeTest struct {
	*testing.T
	env *testenv.Env
}

// TestProcessNode runs the node in this process, so that the race detector sees it, against a real control plane.
func TestProcessNode(t *testing.T) {
	env := testenv.Start(t)
	stop := startNode(t, env)
	cases := map[string]func(nodeTest){
		"output, exit code and termination message": testOutput,
		"init containers run in order":              testInit,
		"restart until success":                     testOnFailure,
		"crash loop":                                testCrashLoop,
		"missing ConfigMap appears later":           testConfigAppears,
		"deletion lets the program end":             testGracefulDeletion,
		"deletion kills a stubborn program":         testForcedDeletion,
		"deadline":                                  testDeadline,
		"sidecar ends with the pod":                 testSidecar,
		"refused pods say why":                      testRefused,
		"conditions of others stay":                 testForeignConditions,
	}
	t.Run("pods", func(t *testing.T) {
		for name, test := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(nodeTest{t, env})
			})
		}
	})
	t.Run("pods fail when the node stops", func(t *testing.T) {
		n := nodeTest{t, env}
		n.create(shell("stopped", "sleep 1000"))
		n.until("stopped", isRunning)
		stop()
		pod := n.until("stopped", isDone)
		require.Equal(t, corev1.PodFailed, pod.Status.Phase)
		require.Equal(t, "Terminated", pod.Status.Reason)
	})
}

func startNode(t *testing.T, env *testenv.Env) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- processnode.Run(ctx, processnode.Options{Dir: env.Dir, Port: env.State.Ports.Kubelet, WorkDir: t.TempDir()})
	}()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-done)
		}
	}
	t.Cleanup(stop)
	return stop
}

func shell(name, script string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Spec: corev1.PodSpec{
			NodeName:      processnode.Name,
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "main", Image: "ignored", Command: []string{"sh", "-c", script}}},
		},
	}
}

func (n nodeTest) create(pod *corev1.Pod) {
	n.Helper()
	_, err := n.env.Client.CoreV1().Pods("default").Create(n.Context(), pod, metav1.CreateOptions{})
	require.NoError(n, err)
}

func (n nodeTest) until(name string, holds func(*corev1.Pod) bool) *corev1.Pod {
	n.Helper()
	var pod *corev1.Pod
	err := wait.PollUntilContextTimeout(n.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		var err error
		pod, err = n.env.Client.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
		return err == nil && holds(pod), err
	})
	require.NoError(n, err, "pod %s: %+v", name, pod)
	return pod
}

func (n nodeTest) untilGone(name string) {
	n.Helper()
	err := wait.PollUntilContextTimeout(n.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		_, err := n.env.Client.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
	require.NoError(n, err)
}

func (n nodeTest) logs(name string, options corev1.PodLogOptions) string {
	n.Helper()
	stream, err := n.env.Client.CoreV1().Pods("default").GetLogs(name, &options).Stream(n.Context())
	require.NoError(n, err)
	defer stream.Close()
	data, err := io.ReadAll(stream)
	require.NoError(n, err)
	return string(data)
}

func isDone(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

func isRunning(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning }

func isWaiting(reason string) func(*corev1.Pod) bool {
	return func(p *corev1.Pod) bool {
		return len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].State.Waiting != nil &&
			p.Status.ContainerStatuses[0].State.Waiting.Reason == reason
	}
}

func testOutput(n nodeTest) {
	pod := shell("output", `echo "$GREETING from $HOSTNAME"; echo oops >&2; printf '{"loss": 0.5}' > "$TERMINATION_MESSAGE_PATH"; exit 3`)
	pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "GREETING", Value: "hello"}}
	n.create(pod)
	pod = n.until("output", isDone)
	require.Equal(n, corev1.PodFailed, pod.Status.Phase)
	end := pod.Status.ContainerStatuses[0].State.Terminated
	require.Equal(n, int32(3), end.ExitCode)
	require.Equal(n, "Error", end.Reason)
	require.Equal(n, `{"loss": 0.5}`, end.Message)
	require.Equal(n, "hello from output\noops\n", n.logs("output", corev1.PodLogOptions{Follow: true}))
	one := int64(1)
	require.Equal(n, "oops\n", n.logs("output", corev1.PodLogOptions{TailLines: &one}))

	require.NoError(n, n.env.Client.CoreV1().Pods("default").Delete(n.Context(), "output", metav1.DeleteOptions{}))
	n.untilGone("output")
}

func testInit(n nodeTest) {
	pod := shell("init", "exit 0")
	pod.Spec.InitContainers = []corev1.Container{
		{Name: "first", Image: "ignored", Command: []string{"true"}},
		{Name: "second", Image: "ignored", Command: []string{"false"}},
		{Name: "third", Image: "ignored", Command: []string{"true"}},
	}
	n.create(pod)
	pod = n.until("init", isDone)
	require.Equal(n, corev1.PodFailed, pod.Status.Phase)
	init := pod.Status.InitContainerStatuses
	require.Equal(n, int32(0), init[0].State.Terminated.ExitCode)
	require.Equal(n, int32(1), init[1].State.Terminated.ExitCode)
	require.NotNil(n, init[2].State.Waiting, "the third must not run after the second failed")
	require.NotNil(n, pod.Status.ContainerStatuses[0].State.Waiting)
}

func testOnFailure(n nodeTest) {
	pod := shell("on-failure", `f=`+n.TempDir()+`/tried; if [ -e $f ]; then exit 0; fi; touch $f; exit 1`)
	pod.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	n.create(pod)
	pod = n.until("on-failure", isDone)
	require.Equal(n, corev1.PodSucceeded, pod.Status.Phase)
	require.Equal(n, int32(1), pod.Status.ContainerStatuses[0].RestartCount)
}

func testCrashLoop(n nodeTest) {
	pod := shell("crash", "echo run; exit 1")
	pod.Spec.RestartPolicy = corev1.RestartPolicyAlways
	n.create(pod)
	pod = n.until("crash", isWaiting("CrashLoopBackOff"))
	require.Equal(n, corev1.PodRunning, pod.Status.Phase)
	require.Equal(n, int32(1), pod.Status.ContainerStatuses[0].LastTerminationState.Terminated.ExitCode)
	require.NoError(n, n.env.Client.CoreV1().Pods("default").Delete(n.Context(), "crash", metav1.DeleteOptions{}))
	n.untilGone("crash")
}

func testConfigAppears(n nodeTest) {
	pod := shell("config", "echo $RATE")
	pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "RATE", ValueFrom: &corev1.EnvVarSource{
		ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "later"}, Key: "rate"}}}}
	n.create(pod)
	n.until("config", isWaiting("CreateContainerConfigError"))
	later := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "later"}, Data: map[string]string{"rate": "0.1"}}
	_, err := n.env.Client.CoreV1().ConfigMaps("default").Create(n.Context(), later, metav1.CreateOptions{})
	require.NoError(n, err)
	pod = n.until("config", isDone)
	require.Equal(n, corev1.PodSucceeded, pod.Status.Phase)
	require.Equal(n, "0.1\n", n.logs("config", corev1.PodLogOptions{}))
}

func testGracefulDeletion(n nodeTest) {
	said := n.TempDir() + "/said"
	n.create(shell("graceful", `trap 'touch `+said+`; exit 0' TERM; echo ready; while :; do sleep 0.1; done`))
	n.until("graceful", isRunning)
	require.Eventually(n, func() bool { return n.logs("graceful", corev1.PodLogOptions{}) == "ready\n" }, patience, 50*time.Millisecond)
	require.NoError(n, n.env.Client.CoreV1().Pods("default").Delete(n.Context(), "graceful", metav1.DeleteOptions{}))
	n.untilGone("graceful")
	require.FileExists(n, said)
}

func testForcedDeletion(n nodeTest) {
	n.create(shell("stubborn", `trap '' TERM; while :; do sleep 0.1; done`))
	n.until("stubborn", isRunning)
	one := int64(1)
	require.NoError(n, n.env.Client.CoreV1().Pods("default").Delete(n.Context(), "stubborn", metav1.DeleteOptions{GracePeriodSeconds: &one}))
	n.untilGone("stubborn")
}

func testDeadline(n nodeTest) {
	one := int64(1)
	pod := shell("deadline", "sleep 1000")
	pod.Spec.ActiveDeadlineSeconds = &one
	n.create(pod)
	pod = n.until("deadline", isDone)
	require.Equal(n, corev1.PodFailed, pod.Status.Phase)
	require.Equal(n, "DeadlineExceeded", pod.Status.Reason)
	require.Equal(n, int32(143), pod.Status.ContainerStatuses[0].State.Terminated.ExitCode)
}

func testSidecar(n nodeTest) {
	always := corev1.ContainerRestartPolicyAlways
	pod := shell("sidecar", "exit 0")
	pod.Spec.InitContainers = []corev1.Container{{Name: "proxy", Image: "ignored", Command: []string{"sleep", "1000"}, RestartPolicy: &always}}
	n.create(pod)
	pod = n.until("sidecar", isDone)
	require.Equal(n, corev1.PodSucceeded, pod.Status.Phase)
	require.NotNil(n, pod.Status.InitContainerStatuses[0].State.Terminated)
}

func testRefused(n nodeTest) {
	volume := shell("volume", "exit 0")
	volume.Spec.Volumes = []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	n.create(volume)
	volume = n.until("volume", isDone)
	require.Equal(n, "UnsupportedVolume", volume.Status.Reason)
	require.Contains(n, volume.Status.Message, `"scratch"`)

	image := shell("image", "")
	image.Spec.Containers[0].Command = nil
	n.create(image)
	image = n.until("image", isWaiting("CreateContainerError"))
	require.Contains(n, image.Status.ContainerStatuses[0].State.Waiting.Message, "ignores images")

	n.create(func() *corev1.Pod {
		pod := shell("nosuch", "")
		pod.Spec.Containers[0].Command = []string{"no-such-program"}
		return pod
	}())
	nosuch := n.until("nosuch", isDone)
	require.Equal(n, "StartError", nosuch.Status.ContainerStatuses[0].State.Terminated.Reason)
	require.Equal(n, int32(128), nosuch.Status.ContainerStatuses[0].State.Terminated.ExitCode)
}

func testForeignConditions(n nodeTest) {
	proceed := filepath.Join(n.TempDir(), "proceed")
	n.create(shell("foreign", `while [ ! -e `+proceed+` ]; do sleep 0.1; done`))
	n.until("foreign", isRunning)
	patch := []byte(`{"status":{"conditions":[{"type":"example.com/Seen","status":"True"}]}}`)
	_, err := n.env.Client.CoreV1().Pods("default").Patch(n.Context(), "foreign", types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	require.NoError(n, err)
	require.NoError(n, os.WriteFile(proceed, nil, 0o600))
	pod := n.until("foreign", isDone)
	require.True(n, slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == "example.com/Seen" }))
}
