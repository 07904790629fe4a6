package processnode

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRestarts(t *testing.T) {
	for policy, want := range map[corev1.RestartPolicy][2]bool{
		corev1.RestartPolicyAlways:    {true, true},
		corev1.RestartPolicyOnFailure: {false, true},
		corev1.RestartPolicyNever:     {false, false},
	} {
		require.Equal(t, want, [2]bool{restarts(policy, 0), restarts(policy, 1)}, policy)
	}
}

func TestCrashBackoff(t *testing.T) {
	b := &crashBackoff{}
	var delays []time.Duration
	for range 5 {
		delays = append(delays, b.next(time.Second))
	}
	require.Equal(t, []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}, delays)
	for range 10 {
		b.next(time.Second)
	}
	require.Equal(t, crashLastDelay, b.next(time.Second))
	require.Zero(t, b.next(crashHealthyRun), "a long run starts the delays anew")
}

func TestPodStatus(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	conditions := func(s corev1.PodStatus) map[corev1.PodConditionType]string {
		result := map[corev1.PodConditionType]string{}
		for _, c := range s.Conditions {
			result[c.Type] = string(c.Status) + " " + c.Reason
		}
		return result
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "init"}}, Containers: []corev1.Container{{Name: "main"}},
	}}
	s := newPodStatus(pod)
	s.start()

	s.running("init", "id0", at, 0)
	require.Equal(t, corev1.PodPending, s.compute(at).Phase)
	require.Equal(t, "False ContainersNotInitialized", conditions(s.compute(at))[corev1.PodInitialized])

	s.terminated("init", "id0", at, at, exit{reason: "Completed"})
	s.initialized = true
	require.Equal(t, corev1.PodPending, s.compute(at).Phase, "the main container never ran")

	s.running("main", "id1", at, 0)
	running := s.compute(at)
	require.Equal(t, corev1.PodRunning, running.Phase)
	require.True(t, running.InitContainerStatuses[0].Ready)
	require.Equal(t, "True ", conditions(running)[corev1.PodReady])

	s.terminated("main", "id1", at, at, exit{code: 2, reason: "Error"})
	s.waiting("main", "CrashLoopBackOff", "later")
	crashing := s.compute(at.Add(time.Minute))
	require.Equal(t, corev1.PodRunning, crashing.Phase, "a pod in back-off is still running")
	require.Equal(t, "False ContainersNotReady", conditions(crashing)[corev1.PodReady])
	require.Equal(t, int32(2), crashing.ContainerStatuses[0].LastTerminationState.Terminated.ExitCode)

	again := s.compute(at.Add(time.Hour))
	require.Equal(t, crashing.Conditions, again.Conditions, "a condition keeps its time until it changes")

	s.running("main", "id2", at, 1)
	s.fail("NodeRestarted", "gone")
	failed := s.compute(at)
	require.Equal(t, corev1.PodFailed, failed.Phase)
	require.Equal(t, "NodeRestarted", failed.Reason)
	require.NotNil(t, failed.ContainerStatuses[0].State.Terminated)
	require.Equal(t, "False PodFailed", conditions(failed)[corev1.PodReady])
}

func TestUnsupportedVolume(t *testing.T) {
	token := corev1.Volume{Name: "kube-api-access", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{}}}}}}
	scratch := corev1.Volume{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
	require.Empty(t, unsupportedVolume(&corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{token}}}))
	require.Equal(t, "scratch", unsupportedVolume(&corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{token, scratch}}}))
}
