package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedulerqueue "k8s.io/kubernetes/pkg/scheduler/backend/queue"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/metrics"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/scheduler/config"
	configv1 "github.com/queueyard/queueyard/pkg/scheduler/config/v1"
)

// world is an API, a room over the scheduler's real queue, and a scheduler whose every step a test
// takes itself. Changes of the API reach the room in two streams that a test delivers as late as
// it likes: the feed's, and the scheduler's own handlers'.
type world struct {
	ctx     context.Context
	room    *Room
	clock   *testingclock.FakeClock
	pods    map[types.UID]*v1.Pod
	feed    []func()
	handler []func()
	flying  []*framework.QueuedPodInfo // bound or not, nobody knows yet
	version int
}

func init() { metrics.Register() }

func newWorld(ctx context.Context) *world {
	w := newStandby(ctx)
	w.room.leading = true
	return w
}

// newStandby is a world whose room does not lead yet.
func newStandby(ctx context.Context) *world {
	clock := testingclock.NewFakeClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	room := newRoom(clock)
	var args configv1.QueueGateArgs
	configv1.SetDefaults(&args)
	scheme := runtime.NewScheme()
	if err := configv1.AddToScheme(scheme); err != nil {
		panic(err)
	}
	var internal config.QueueGateArgs
	if err := scheme.Convert(&args, &internal, nil); err != nil {
		panic(err)
	}
	room.args = internal
	room.profiles[v1alpha1.SchedulerName] = true
	room.SchedulingQueue = schedulerqueue.NewTestQueue(ctx, room.ranks.less, schedulerqueue.WithClock(clock))
	room.agentSeen(&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
	room.namespaceSeen(&v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns"}})
	return &world{ctx: ctx, room: room, clock: clock, pods: map[types.UID]*v1.Pod{}}
}

func (w *world) queue(name string, concurrency int32, edit ...func(*v1alpha1.Queue)) {
	q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QueueSpec{Concurrency: ptr.To(concurrency)}}
	for _, e := range edit {
		e(q)
	}
	w.room.queueSeen(q)
}

func testPod(name, queue string, edit ...func(*v1.Pod)) *v1.Pod {
	pod := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name), Labels: map[string]string{}},
		Spec: v1.PodSpec{SchedulerName: v1alpha1.SchedulerName, Containers: []v1.Container{{
			Resources: v1.ResourceRequirements{Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse("1")}},
		}}},
	}
	if queue != "" {
		pod.Labels[v1alpha1.QueueLabel] = queue
	}
	for _, e := range edit {
		e(pod)
	}
	return pod
}

// create, change and remove are what happens in the API. Their events wait to be delivered.
func (w *world) create(pod *v1.Pod) {
	w.version++
	pod.ResourceVersion = fmt.Sprint(w.version)
	if pod.CreationTimestamp.IsZero() {
		pod.CreationTimestamp = metav1.Time{Time: w.clock.Now().Add(time.Duration(w.version))}
	}
	w.pods[pod.UID] = pod
	w.feed = append(w.feed, func() { w.room.podSeen(pod) })
	w.handler = append(w.handler, func() { w.room.Add(w.ctx, pod) })
}

func (w *world) change(uid types.UID, edit func(*v1.Pod)) {
	before := w.pods[uid]
	after := before.DeepCopy()
	edit(after)
	w.version++
	after.ResourceVersion = fmt.Sprint(w.version)
	w.pods[uid] = after
	w.feed = append(w.feed, func() { w.room.podSeen(after) })
	w.handler = append(w.handler, func() {
		switch {
		case before.Spec.NodeName != "":
		case after.Spec.NodeName != "":
			w.room.Delete(before)
		default:
			w.room.Update(w.ctx, before, after)
		}
	})
}

func (w *world) remove(uid types.UID) {
	pod := w.pods[uid]
	delete(w.pods, uid)
	w.feed = append(w.feed, func() { w.room.podGone(pod) })
	w.handler = append(w.handler, func() {
		if pod.Spec.NodeName == "" {
			w.room.Delete(pod)
		} else {
			w.room.MoveAllToActiveOrBackoffQueue(klog.Background(), framework.EventAssignedPodDelete, pod, nil, nil)
		}
	})
}

func (w *world) deliverFeed() {
	if len(w.feed) > 0 {
		next := w.feed[0]
		w.feed = w.feed[1:]
		next()
	}
}

func (w *world) deliverHandler() {
	if len(w.handler) > 0 {
		next := w.handler[0]
		w.handler = w.handler[1:]
		next()
	}
}

// settle delivers everything and pumps.
func (w *world) settle() {
	for len(w.feed) > 0 || len(w.handler) > 0 {
		w.deliverFeed()
		w.deliverHandler()
	}
	w.room.pumpDry(w.ctx)
}

// cycle runs a scheduling cycle for the pod at the head of the scheduler's queue, if there is one.
// Without a node for it the cycle fails; with one its bind is left in flight.
func (w *world) cycle(t tester, fits bool, nominate string) (*v1.Pod, bool) {
	if !w.canPop() {
		return nil, false
	}
	info, err := w.room.Pop(klog.Background())
	if err != nil {
		t.Fatalf("Pop: %v", err)
	}
	gate := queueGate{w.room}
	if _, status := gate.PreFilter(w.ctx, nil, info.Pod, nil); !status.IsSuccess() {
		w.fail(t, info, sets.New(QueueGateName), "")
		return info.Pod, false
	}
	if !fits {
		w.fail(t, info, sets.New("NodeResourcesFit"), nominate)
		return info.Pod, false
	}
	if status, _ := gate.Permit(w.ctx, nil, info.Pod, "node"); !status.IsSuccess() {
		gate.Unreserve(w.ctx, nil, info.Pod, "node")
		w.fail(t, info, sets.New(QueueGateName), "")
		return info.Pod, false
	}
	w.flying = append(w.flying, info)
	return info.Pod, true
}

// canPop says whether Pop would return a pod instead of waiting for one: it discards pods that are
// still in flight.
func (w *world) canPop() bool {
	inFlight := map[types.UID]bool{}
	for _, pod := range w.room.InFlightPods() {
		inFlight[pod.UID] = true
	}
	return slices.ContainsFunc(w.room.PodsInActiveQ(), func(pod *v1.Pod) bool { return !inFlight[pod.UID] })
}

// bind ends the oldest bind in flight. A pod deleted meanwhile cannot be bound.
func (w *world) bind(t tester, succeeds bool) {
	if len(w.flying) == 0 {
		return
	}
	info := w.flying[0]
	w.flying = w.flying[1:]
	uid := info.Pod.UID
	if w.pods[uid] != nil && succeeds {
		w.change(uid, func(pod *v1.Pod) { pod.Spec.NodeName = "node" })
		w.room.Done(uid)
		return
	}
	queueGate{w.room}.Unreserve(w.ctx, nil, info.Pod, "node")
	w.fail(t, info, nil, "")
}

// fail does what kube-scheduler does with a pod whose cycle failed.
func (w *world) fail(t tester, info *framework.QueuedPodInfo, plugins sets.Set[string], nominate string) {
	info.UnschedulablePlugins = plugins
	if w.pods[info.Pod.UID] == nil {
		w.room.Done(info.Pod.UID)
	} else if err := w.room.AddUnschedulableIfNotPresent(klog.Background(), info, w.room.SchedulingCycle()); err != nil {
		t.Logf("AddUnschedulableIfNotPresent: %v", err)
	}
	nominating := &fwk.NominatingInfo{NominatingMode: fwk.ModeOverride, NominatedNodeName: nominate}
	w.room.AddNominatedPod(klog.Background(), info.PodInfo, nominating)
}

// retryAll has the scheduler's own queue try everything again that it holds back.
func (w *world) retryAll() {
	again := map[string]*v1.Pod{}
	for _, pod := range append(w.room.UnschedulablePods(), w.room.PodsInBackoffQ()...) {
		again[pod.Name] = pod
	}
	w.room.Activate(klog.Background(), again)
}

// bound counts the operations of a queue on nodes, as the API has them.
func (w *world) bound(queue string) int {
	operations := sets.New[string]()
	for _, pod := range w.pods {
		if pod.Spec.NodeName != "" && pod.Labels[v1alpha1.QueueLabel] == queue {
			operations.Insert(cmp.Or(pod.Labels[podgroups.PodGroupLabel], pod.Name))
		}
	}
	return operations.Len()
}

// active names the pods in the scheduler's own active queue.
func (w *world) active() []string {
	names := []string{}
	for _, pod := range w.room.PodsInActiveQ() {
		names = append(names, pod.Name)
	}
	return names
}

type tester interface {
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx
}
