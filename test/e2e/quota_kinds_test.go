package e2e

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
)

// Resources that no node of the sandbox has unless a test gives it some.
var someKinds = corev1.ResourceList{
	"google.com/tpu":      resource.MustParse("8"),
	"example.com/licence": resource.MustParse("100"),
}

// equip gives the simulated nodes resources as device plugins would.
func (s *scenario) equip(kinds corev1.ResourceList) {
	s.Helper()
	nodes := &corev1.NodeList{}
	require.NoError(s, s.objects.List(s.Context(), nodes, client.MatchingLabels{"type": "simulated"}))
	require.NotEmpty(s, nodes.Items)
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"capacity": kinds, "allocatable": kinds}})
	require.NoError(s, err)
	for _, n := range nodes.Items {
		_, err := s.client.CoreV1().Nodes().Patch(s.Context(), n.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		require.NoError(s, err)
	}
}

// Each queue bounds another kind of resource to 5, and its pods ask for 2, or are one pod.
func TestQuotaKinds(t *testing.T) {
	s := begin(t, "quota-kinds")
	s.equip(someKinds)
	const jobs = 6
	queues := map[string]int{} // -> how many may run at a time
	for i, kind := range []struct {
		name        corev1.ResourceName
		quota, each string
		peak        int
	}{
		{"cpu", "5", "2", 2},
		{"memory", "5Gi", "2Gi", 2},
		{"ephemeral-storage", "5Gi", "2Gi", 2},
		{"nvidia.com/gpu", "5", "2", 2},
		{"google.com/tpu", "5", "2", 2},
		{"example.com/licence", "5", "2", 2},
		{"pods", "3", "", 3},
	} {
		q := s.queue(fmt.Sprintf("kind-%d", i), quota(kind.name, kind.quota))
		queues[q] = kind.peak
		template := simulated("1")
		if kind.each != "" {
			template = asking(template, kind.name, kind.each)
		}
		var all []client.Object
		for j := range jobs {
			all = append(all, s.job(fmt.Sprintf("%s-%d", q, j), q, template))
		}
		s.createTogether(all)
	}
	for q, peak := range queues {
		s.until("all succeed", q, succeed(jobs))
		require.Equal(t, peak, s.peak(q), q)
	}
}

// A running pod is resized: it is charged for what it asks for now, by a restarted scheduler too, and runs on.
func TestResizedInPlace(t *testing.T) {
	s := begin(t, "resize")
	q := s.queue("q", quota("cpu", "4"))
	s.create(s.pod("first", q, burstable("2")))
	usage := func(cpu string) {
		s.Helper()
		s.eventually("queue charges cpu "+cpu, func() (bool, any) {
			got := &v1alpha1.Queue{}
			if err := s.objects.Get(s.Context(), client.ObjectKey{Name: q}, got); err != nil {
				return false, err
			}
			return got.Status.Usage.Cpu().String() == cpu, got.Status.Usage
		})
	}
	resize := func(cpu string) {
		s.Helper()
		patch := fmt.Sprintf(`{"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":%q}}}]}}`, cpu)
		_, err := s.client.CoreV1().Pods(s.namespace).Patch(s.Context(), "first", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "resize")
		require.NoError(s, err)
	}
	// A simulated node does not resize: the test says what a kubelet would say.
	given := func(cpu string) {
		s.Helper()
		patch := fmt.Sprintf(`{"status":{"containerStatuses":[{"name":"main","allocatedResources":{"cpu":%[1]q},"resources":{"requests":{"cpu":%[1]q}}}]}}`, cpu)
		_, err := s.client.CoreV1().Pods(s.namespace).Patch(s.Context(), "first", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
		require.NoError(s, err)
	}
	s.eventually("it runs", func() (bool, any) {
		status := s.get("first").Status
		return status.Phase == corev1.PodRunning && len(status.ContainerStatuses) == 1, status
	})
	given("2")
	usage("2")
	resize("5")
	usage("5")
	given("5")
	s.create(s.pod("second", q, burstable("2")))
	require.Contains(t, s.says("second", "QueueQuota"), "cpu 5/4 used, needs 2")
	require.NoError(t, s.sandbox.Kill(sandbox.Scheduler))
	s.until("it runs on, alone", q, func(c counts) bool { return c.running == 1 && c.waiting == 1 })
	resize("2")
	require.Equal(t, 1, s.count(q).running, "it has not given anything back yet")
	given("2")
	s.until("the second runs beside it", q, func(c counts) bool { return c.running == 2 })
	usage("4")
	require.Zero(t, s.get("first").Status.ContainerStatuses[0].RestartCount)
}

// burstable is a pod that asks for so much cpu and runs for long.
func burstable(cpu string) corev1.PodTemplateSpec {
	t := simulated("3600")
	t.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse(cpu)}}
	return t
}
