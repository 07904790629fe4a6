package scheduler

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

func cpus(amount string) func(*v1alpha1.Queue) {
	return func(q *v1alpha1.Queue) {
		q.Spec.Quota = &v1alpha1.Quota{Resources: map[v1.ResourceName]resource.Quantity{v1.ResourceCPU: resource.MustParse(amount)}}
	}
}

func asksCPU(amount string) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.Spec.Containers[0].Resources.Requests[v1.ResourceCPU] = resource.MustParse(amount)
	}
}

func maxRuntime(text string) func(*v1.Pod) {
	return func(p *v1.Pod) { metav1.SetMetaDataAnnotation(&p.ObjectMeta, v1alpha1.MaxRuntimeAnnotation, text) }
}

// place binds everything in the scheduler's queue, as started now.
func (w *world) place(t tester) {
	for {
		pod, ok := w.cycle(t, true, "")
		if !ok {
			return
		}
		w.bind(t, true)
		w.change(pod.UID, func(p *v1.Pod) { p.Status.StartTime = ptr.To(metav1.NewTime(w.clock.Now())) })
		w.settle()
	}
}

// stream runs a queue of 4 cpus full of pods of one cpu, s0 to s3, with "big" behind them that wants all four.
func stream(t *testing.T, edit ...func(*v1.Pod)) *world {
	w := newWorld(testContext(t))
	w.stream(t, edit...)
	return w
}

func (w *world) stream(t *testing.T, edit ...func(*v1.Pod)) {
	w.queue("q", -1, cpus("4"))
	for i := range 4 {
		w.create(testPod(fmt.Sprint("old", i), "q"))
	}
	w.create(testPod("big", "q", asksCPU("4")))
	w.settle()
	w.place(t)
	w.clock.Step(time.Second)
	for i := range 4 { // younger ones pass it
		w.remove(types.UID(fmt.Sprint("old", i)))
		w.create(testPod(fmt.Sprint("s", i), "q", edit...))
		w.settle()
		w.place(t)
	}
	require.Equal(t, 4, w.bound("q"))
}

func TestStarvingHeadGathersRoom(t *testing.T) {
	w := stream(t)
	timeout := w.room.args.StarvationTimeout.Duration
	w.clock.Step(timeout - 2*time.Second)
	w.settle()
	require.False(t, w.room.ledger.Reserved("big"), "not yet")
	w.clock.Step(2 * time.Second)
	w.settle()
	for i := range 4 {
		w.remove(types.UID(fmt.Sprint("s", i)))
		w.create(testPod(fmt.Sprint("t", i), "q"))
		w.settle()
		if i < 3 {
			require.Empty(t, w.active(), "its room is held")
		}
	}
	require.Equal(t, []string{"big"}, w.active())
}

func TestGuardIsOff(t *testing.T) {
	w := stream(t)
	w.room.args.StarvationTimeout.Duration = 0
	w.clock.Step(time.Hour)
	w.settle()
	w.remove("s0")
	w.create(testPod("t", "q"))
	w.settle()
	require.Equal(t, []string{"t"}, w.active())
}

// Those that wait their turn are not passed over: nothing is held, and seats go on going by turns.
func TestGuardLeavesTurnsAlone(t *testing.T) {
	w := newWorld(testContext(t))
	w.room.agentSeen(&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: v1alpha1.AgentSpec{Concurrency: ptr.To[int32](2)}})
	w.queue("a", -1)
	w.queue("b", -1)
	for i := range 3 {
		w.create(testPod(fmt.Sprint("a", i), "a"))
		w.create(testPod(fmt.Sprint("b", i), "b"))
	}
	w.settle()
	w.place(t)
	w.clock.Step(time.Hour)
	w.settle()
	require.Empty(t, w.room.guard.held)
}

func TestHeldRoomIsExplained(t *testing.T) {
	w := stream(t)
	w.clock.Step(w.room.args.StarvationTimeout.Duration)
	since := w.clock.Now()
	w.remove("s0")
	w.create(testPod("t", "q"))
	w.settle()
	reason, message := w.room.verdict(w.room.entries["big"])
	require.Equal(t, "RoomReserved", reason)
	require.Equal(t, "room is being held for it since "+clockTime(since)+"; queue q: cpu 3/4 used, needs 4; position 1 of 2", message)
	reason, message = w.room.verdict(w.room.entries["t"])
	require.Equal(t, "RoomHeld", reason)
	require.Contains(t, message, "room is held for ns/big, waiting since 2030-01-01T00:00:00Z; declare queueyard.io/max-runtime to use what it cannot use yet; queue q: cpu 3/4 used")
}

// Of many that wait, the one that room is held for says so first.
func TestHeldRoomIsReportedFirst(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("full", 0)
	for i := range 50 {
		w.create(testPod(fmt.Sprint("w", i), "full"))
	}
	w.stream(t)
	w.clock.Step(w.room.args.StarvationTimeout.Duration)
	w.settle()
	found := w.reported(1)
	require.Equal(t, "RoomReserved", found["big"].Reason, "%v", found)
}

func TestBackfill(t *testing.T) {
	for _, tt := range []struct {
		name    string
		running string // what those that run declare
		small   string
		goes    bool
	}{
		{name: "through before the head can start", running: "20m", small: "10m", goes: true},
		{name: "not through by then", running: "20m", small: "1h"},
		{name: "declares nothing", running: "20m"},
		{name: "nobody can say when the head can start", small: "1s"},
		{name: "those that run are late", running: "4m", small: "1s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			declare := func(text string) func(*v1.Pod) {
				return func(p *v1.Pod) {
					if text != "" {
						maxRuntime(text)(p)
					}
				}
			}
			w := stream(t, declare(tt.running))
			w.clock.Step(w.room.args.StarvationTimeout.Duration)
			w.settle()
			w.remove("s0")
			w.create(testPod("small", "q", declare(tt.small)))
			w.settle()
			if !tt.goes {
				require.Empty(t, w.active())
				return
			}
			require.Equal(t, []string{"small"}, w.active())
		})
	}
}

func TestHeldRoomSurvives(t *testing.T) {
	reserved := func(t *testing.T) *world {
		w := stream(t)
		w.clock.Step(w.room.args.StarvationTimeout.Duration)
		w.settle()
		require.True(t, w.room.ledger.Reserved("big"))
		w.remove("s0")
		w.create(testPod("t", "q"))
		w.settle()
		return w
	}
	t.Run("an edit of its queue", func(t *testing.T) {
		w := reserved(t)
		w.queue("q", 7, cpus("4"))
		w.settle()
		require.Empty(t, w.active())
		require.True(t, w.room.ledger.Reserved("big"))
	})
	t.Run("a pause", func(t *testing.T) {
		w := reserved(t)
		w.queue("q", -1, cpus("4"), func(q *v1alpha1.Queue) { q.Spec.State = v1alpha1.QueuePaused })
		w.settle()
		w.queue("q", -1, cpus("4"))
		w.settle()
		require.Empty(t, w.active())
	})
	t.Run("a change of leader", func(t *testing.T) {
		w := reserved(t)
		w.change("big", func(p *v1.Pod) {
			reason, message := w.room.verdict(w.room.entries["big"])
			p.Status.Conditions = []v1.PodCondition{{Type: v1alpha1.AdmittedCondition, Status: v1.ConditionFalse, Reason: reason, Message: message}}
		})
		next := newWorld(testContext(t))
		next.clock.SetTime(w.clock.Now())
		next.queue("q", -1, cpus("4"))
		for _, pod := range w.pods {
			if pod.Spec.NodeName != "" {
				pod = pod.DeepCopy() // the last that passed it have ended since
				pod.CreationTimestamp = metav1.NewTime(w.pods["big"].CreationTimestamp.Add(-time.Hour))
			}
			next.create(pod)
		}
		next.settle()
		require.Empty(t, next.active())
		require.True(t, next.room.ledger.Reserved("big"))
	})
	t.Run("but not the end of its wait", func(t *testing.T) {
		w := reserved(t)
		w.remove("big")
		w.settle()
		require.Equal(t, []string{"t"}, w.active())
		require.Empty(t, w.room.guard.held)
	})
}

// What no node fits gets room held only after it has waited anew: else it would keep its queue idle.
func TestNoRoomIsHeldForWhatNoNodeFits(t *testing.T) {
	w := stream(t)
	w.clock.Step(w.room.args.StarvationTimeout.Duration)
	w.settle()
	for i := range 4 {
		w.remove(types.UID(fmt.Sprint("s", i)))
		w.create(testPod(fmt.Sprint("t", i), "q"))
	}
	w.settle()
	require.Equal(t, []string{"big"}, w.active())
	w.cycle(t, false, "")
	w.settle()
	require.Len(t, w.active(), 4)
	w.place(t)
	w.clock.Step(2 * time.Second)
	w.settle()
	require.Equal(t, ledger.Waiting, w.room.ledger.State("big"))
	require.False(t, w.room.ledger.Reserved("big"))
}

func TestLongestHold(t *testing.T) {
	deadline := func(seconds, grace int64) func(*v1.Pod) {
		return func(p *v1.Pod) {
			p.Spec.ActiveDeadlineSeconds, p.Spec.TerminationGracePeriodSeconds = &seconds, &grace
		}
	}
	require.Zero(t, longestHold(testPod("a", "q")))
	require.Equal(t, 20*time.Minute, longestHold(testPod("a", "q", maxRuntime("20m"))))
	require.Equal(t, 70*time.Second, longestHold(testPod("a", "q", deadline(60, 10))))
	require.Equal(t, 70*time.Second, longestHold(testPod("a", "q", maxRuntime("20m"), deadline(60, 10))))
	require.Equal(t, time.Second, longestHold(testPod("a", "q", maxRuntime("1s"), deadline(60, 10))))
	require.Zero(t, longestHold(testPod("a", "q", maxRuntime("soon"))))
	require.Positive(t, longestHold(testPod("a", "q", deadline(1<<62, 1<<62))))
}

func TestCoarse(t *testing.T) {
	distinct := map[time.Duration]bool{}
	for d := time.Second; d < 40*24*time.Hour; d += d/50 + 1 {
		c := coarse(d)
		require.GreaterOrEqual(t, c, d)
		require.LessOrEqual(t, c, d+d/4)
		distinct[c] = true
	}
	require.Less(t, len(distinct), 200)
	require.Zero(t, coarse(0))
	require.Equal(t, 250*time.Millisecond, coarse(time.Millisecond))
	require.Positive(t, coarse(1<<63-1))
}
