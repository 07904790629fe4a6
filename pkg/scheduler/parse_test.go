package scheduler

import (
	"encoding/json"
	"math"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

func asks(pairs ...string) v1.ResourceRequirements {
	list := v1.ResourceList{}
	for i := 0; i < len(pairs); i += 2 {
		list[v1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return v1.ResourceRequirements{Requests: list}
}

func container(pairs ...string) v1.Container {
	return v1.Container{Name: "main", Resources: asks(pairs...)}
}

func sidecar(pairs ...string) v1.Container {
	c := container(pairs...)
	c.Name, c.RestartPolicy = "side", ptr.To(v1.ContainerRestartPolicyAlways)
	return c
}

func TestWhatAPodIsChargedFor(t *testing.T) {
	given := func(pairs ...string) []v1.ContainerStatus {
		r := asks(pairs...)
		return []v1.ContainerStatus{{Name: "main", Resources: &r, AllocatedResources: r.Requests}}
	}
	prices := cost.Prices{"cpu": resource.MustParse("0.5"), "nvidia.com/gpu": resource.MustParse("2")}
	for _, tt := range []struct {
		name   string
		pod    v1.Pod
		prices cost.Prices
		want   map[string]int64
	}{
		{"nothing but a pod", v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{container()}}}, nil, map[string]int64{"pods": 1}},
		{"every kind", v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{
			container("cpu", "1500m", "memory", "1Gi", "ephemeral-storage", "2Gi", "nvidia.com/gpu", "2", "google.com/tpu", "4", "example.com/licence", "7")}}}, nil,
			map[string]int64{"pods": 1, "cpu": 1500, "memory": 1 << 30, "ephemeral-storage": 2 << 30, "nvidia.com/gpu": 2, "google.com/tpu": 4, "example.com/licence": 7}},
		{"containers together", v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{container("cpu", "1"), container("cpu", "2")}}}, nil,
			map[string]int64{"pods": 1, "cpu": 3000}},
		{"the largest init container, if that is more", v1.Pod{Spec: v1.PodSpec{
			InitContainers: []v1.Container{container("cpu", "4"), container("memory", "9")}, Containers: []v1.Container{container("cpu", "1", "memory", "10")}}}, nil,
			map[string]int64{"pods": 1, "cpu": 4000, "memory": 10}},
		{"sidecars beside containers, and beside the init containers after them", v1.Pod{Spec: v1.PodSpec{
			InitContainers: []v1.Container{sidecar("cpu", "1"), container("cpu", "4")}, Containers: []v1.Container{container("cpu", "2")}}}, nil,
			map[string]int64{"pods": 1, "cpu": 5000}},
		{"overhead", v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{container("cpu", "1")}, Overhead: asks("cpu", "250m", "memory", "5").Requests}}, nil,
			map[string]int64{"pods": 1, "cpu": 1250, "memory": 5}},
		{"pod-level resources instead of containers'", v1.Pod{Spec: v1.PodSpec{
			Containers: []v1.Container{container("cpu", "1", "nvidia.com/gpu", "1")}, Resources: ptr.To(asks("cpu", "3", "memory", "8"))}}, nil,
			map[string]int64{"pods": 1, "cpu": 3000, "memory": 8, "nvidia.com/gpu": 1}},
		{"a resize up that is not given yet", v1.Pod{
			Spec:   v1.PodSpec{Containers: []v1.Container{container("cpu", "5")}},
			Status: v1.PodStatus{ContainerStatuses: given("cpu", "2")}}, nil,
			map[string]int64{"pods": 1, "cpu": 5000}},
		{"a resize down that is not taken yet", v1.Pod{
			Spec:   v1.PodSpec{Containers: []v1.Container{container("cpu", "1")}},
			Status: v1.PodStatus{ContainerStatuses: given("cpu", "2")}}, nil,
			map[string]int64{"pods": 1, "cpu": 2000}},
		{"a resize that cannot be", v1.Pod{
			Spec: v1.PodSpec{Containers: []v1.Container{container("cpu", "500")}},
			Status: v1.PodStatus{ContainerStatuses: given("cpu", "2"),
				Conditions: []v1.PodCondition{{Type: v1.PodResizePending, Status: v1.ConditionTrue, Reason: v1.PodReasonInfeasible}}}}, nil,
			map[string]int64{"pods": 1, "cpu": 2000}},
		{"more than there are numbers", v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{container("cpu", "8E", "memory", "8E"), container("memory", "8E")}}}, nil,
			map[string]int64{"pods": 1, "cpu": math.MaxInt64, "memory": math.MaxInt64}},
		{"no claims", v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{container()}, ResourceClaims: []v1.PodResourceClaim{{Name: "gpu"}}}}, nil,
			map[string]int64{"pods": 1}},
		{"cost at prices", v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{container("cpu", "3", "nvidia.com/gpu", "1")}}}, prices,
			map[string]int64{"pods": 1, "cpu": 3000, "nvidia.com/gpu": 1, ledger.CostPerHour: 3_500_000}},
		{"cost that is declared", v1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.CostLabel: "0.25"}},
			Spec: v1.PodSpec{Containers: []v1.Container{container("cpu", "3")}}}, prices,
			map[string]int64{"pods": 1, "cpu": 3000, ledger.CostPerHour: 250_000}},
		{"cost is no resource, nor are pods", v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{container(ledger.CostPerHour, "3", "pods", "0")}}}, nil,
			map[string]int64{"pods": 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, podOf(&tt.pod, tenancy.Assignment{Queue: "q"}, gang{}, tt.prices, false).Requests)
		})
	}
}

func TestOperationOf(t *testing.T) {
	owner := func(apiVersion, kind string) func(*v1.Pod) {
		return func(p *v1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, UID: "owner", Controller: ptr.To(true)}}
		}
	}
	g := gang{operation: "ns/podgroup g", size: 2}
	operation := owner(v1alpha1.GroupVersion.String(), "Operation")
	require.Equal(t, "p", operationOf(testPod("p", "q"), gang{}))
	require.Equal(t, "ns/owner", operationOf(testPod("p", "q", owner("batch/v1", "Job")), gang{}))
	require.Equal(t, "ns/podgroup g", operationOf(testPod("p", "q", owner("batch/v1", "Job")), g))
	require.Equal(t, "ns/owner", operationOf(testPod("p", "q", operation), g))
	require.Equal(t, "ns/podgroup g", operationOf(testPod("p", "q", owner("example.com/v1", "Operation")), g))
}

// What the controller stamps counts where the webhook guards it, and nowhere else.
func TestMarksAreTrustedWhereTheyAreGuarded(t *testing.T) {
	created := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	pod := func(annotations map[string]string) *v1.Pod {
		return testPod("p", "q", func(p *v1.Pod) {
			p.CreationTimestamp, p.Annotations, p.Spec.Priority = metav1.NewTime(created), annotations, ptr.To[int32](7)
		})
	}
	queued := func(text string) *v1.Pod { return pod(map[string]string{v1alpha1.QueuedTimeAnnotation: text}) }
	earlier := created.Add(-time.Hour + time.Microsecond)
	written := earlier.Format(time.RFC3339Nano)
	require.Equal(t, earlier, queuedAt(queued(written), true))
	for _, text := range []string{"", "yesterday", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"} {
		require.Equal(t, created, queuedAt(queued(text), true), text)
	}
	require.Equal(t, created, queuedAt(queued(written), false))

	origin := func(text string) *v1.Pod { return pod(map[string]string{v1alpha1.OriginAnnotation: text}) }
	require.Equal(t, "origin", originOf(origin("origin"), true))
	require.Equal(t, "ns", originOf(origin("origin"), false))
	require.Equal(t, "ns", originOf(origin("A b"), true))

	priority := func(text string) *v1.Pod { return pod(map[string]string{v1alpha1.PriorityAnnotation: text}) }
	require.EqualValues(t, -3, priorityOf(priority("-3")))
	require.EqualValues(t, 7, priorityOf(priority("high")))
	require.EqualValues(t, 7, priorityOf(pod(nil)))
}

// The limits and the default queue of a pod are those of the project of its operation's namespace,
// wherever it runs.
func TestPodCountsWhereItsOperationIs(t *testing.T) {
	w := newRoom(nil)
	w.args.DefaultQueue = v1alpha1.DefaultName
	q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "q"}}
	w.directory.queues["q"] = q
	w.directory.SetQueue(q)
	w.directory.SetProject(&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "mine"},
		Spec: v1alpha1.ProjectSpec{Namespaces: v1alpha1.ProjectNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "mine"}}}}})
	w.directory.namespaces["origin"] = map[string]string{"team": "mine"}
	pod := testPod("p", "q", func(p *v1.Pod) { p.Annotations = map[string]string{v1alpha1.OriginAnnotation: "origin"} })
	for managed, want := range map[string]string{"true": "mine", "false": ""} {
		w.directory.namespaces["ns"] = map[string]string{v1alpha1.ManagedLabel: managed}
		assignment, refusal := w.assign(pod)
		require.Nil(t, refusal)
		require.Equal(t, want, assignment.Project)
	}
}

// A resize moves what a running pod is charged for; so does a restart after it.
func TestResizeOfARunningPod(t *testing.T) {
	w := newWorld(testContext(t))
	cpus := func(q *v1alpha1.Queue) {
		q.Spec.Quota = &v1alpha1.Quota{Resources: map[v1.ResourceName]resource.Quantity{"cpu": resource.MustParse("3")}}
	}
	w.queue("q", -1, cpus)
	w.create(testPod("p", "q", func(p *v1.Pod) { p.Spec.NodeName = "node" }))
	w.create(testPod("next", "q"))
	w.settle()
	require.Equal(t, []string{"next"}, w.active())
	resize := func(to string) {
		w.change("p", func(p *v1.Pod) { p.Spec.Containers[0].Resources = asks("cpu", to) })
		w.settle()
	}
	used := func(w *world) int64 {
		_, amounts, _ := w.room.ledger.NodeUsage(ledger.Queue, "q")
		return amounts["cpu"]
	}
	resize("9")
	require.EqualValues(t, 10_000, used(w), "above the limit")
	require.Equal(t, ledger.Running, w.room.ledger.State("p"))
	w.create(testPod("last", "q"))
	w.settle()
	require.Equal(t, ledger.Waiting, w.room.ledger.State("last"))

	restarted := newWorld(testContext(t))
	restarted.queue("q", -1, cpus)
	for _, pod := range w.pods {
		restarted.create(pod)
	}
	restarted.settle()
	require.EqualValues(t, 9_000, used(restarted))
	require.Empty(t, restarted.active())

	resize("1")
	require.EqualValues(t, 3_000, used(w))
	require.ElementsMatch(t, []string{"next", "last"}, w.active())
	require.NoError(t, w.room.ledger.CheckInvariants())
}

var endlessNumber = regexp.MustCompile(`[eE][+-]?[0-9]{3}`)

// FuzzPod parses any pod into what the ledger is told of it, and takes it through the ledger. Its seeds are in testdata/fuzz.
func FuzzPod(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte, members int32) {
		if len(text) > 4096 || endlessNumber.Match(text) {
			t.Skip() // Kubernetes itself never ends reading such numbers
		}
		pod := &v1.Pod{}
		if json.Unmarshal(text, pod) != nil {
			t.Skip()
		}
		pod.UID, pod.Namespace = "uid", "ns"
		first, refused := parsed(pod, members)
		second, again := parsed(pod.DeepCopy(), members)
		require.Equal(t, refused, again)
		require.Equal(t, first, second)
		require.NotEmpty(t, first.Queue)
		require.NotEmpty(t, first.Operation)
		require.GreaterOrEqual(t, first.Gang, 0)
		require.EqualValues(t, 1, first.Requests["pods"])
		require.LessOrEqual(t, first.Requests[ledger.CostPerHour], cost.Max)
		for name, amount := range first.Requests {
			require.GreaterOrEqual(t, amount, int64(0), name)
		}
		l := ledger.New()
		l.SetAgent("default", ledger.Limits{Seats: 1})
		l.SetQueue(first.Queue, ledger.QueueConfig{Agent: "default", Limits: ledger.Limits{Seats: 1}})
		l.Enter(first)
		l.Admit(0)
		l.Charge(first)
		require.NoError(t, l.CheckInvariants())
		l.Remove(first.UID)
		require.NoError(t, l.CheckInvariants())
		held, amounts, _ := l.NodeUsage(ledger.Agent, "default")
		require.Zero(t, held)
		require.Empty(t, amounts)
	})
}

// parsed is a pod as a room would tell the ledger of it.
func parsed(pod *v1.Pod, members int32) (ledger.Pod, string) {
	w := newRoom(nil)
	w.args.DefaultQueue = v1alpha1.DefaultName
	w.directory.namespaces["ns"] = map[string]string{v1alpha1.ManagedLabel: "true"}
	for _, name := range []string{v1alpha1.DefaultName, "q"} {
		q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name}}
		w.directory.queues[name] = q
		w.directory.SetQueue(q)
	}
	w.directory.agents[v1alpha1.DefaultName] = &v1alpha1.Agent{Spec: v1alpha1.AgentSpec{Prices: map[v1.ResourceName]resource.Quantity{"cpu": resource.MustParse("0.04")}}}
	w.directory.podGroups[types.NamespacedName{Namespace: "ns", Name: "g"}] = testGroup("g", members)
	assignment, refusal := w.assign(pod)
	reason := ""
	if refusal != nil {
		reason, assignment = refusal.Error(), w.claimed(pod)
	}
	g, _ := w.directory.gangOf(pod)
	return w.describe(pod, assignment, g), reason
}
