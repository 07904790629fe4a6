package scheduler

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/queueyard/queueyard/pkg/ledger"
)

// backedOff has so many pods in a back-off of an hour.
func backedOff(t *testing.T, n int) *world {
	w := newWorld(testContext(t))
	w.room.args.AdmissionTimeout.Duration = 0
	w.queue("q", -1)
	for i := range n {
		w.create(testPod(fmt.Sprintf("p%04d", i), "q"))
	}
	w.settle()
	initial, longest := w.room.args.InitialBackoff, w.room.args.MaxBackoff
	w.room.args.InitialBackoff.Duration, w.room.args.MaxBackoff.Duration = time.Hour, time.Hour
	for range n {
		w.cycle(t, false, "")
	}
	w.room.reclaimIdleNow()
	w.room.args.InitialBackoff, w.room.args.MaxBackoff = initial, longest
	for _, e := range w.room.entries {
		e.attempts = 20 // and in the longest after it
	}
	w.settle()
	require.Len(t, w.room.retries, n)
	require.Empty(t, w.active())
	return w
}

func (r *Room) reclaimIdleNow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reclaimIdle(r.clock.Now())
}

func (w *world) happens(event fwk.ClusterEvent) {
	w.room.MoveAllToActiveOrBackoffQueue(klog.Background(), event, &v1.Pod{}, nil, nil)
}

func TestRoomOnNodesWakesWhatIsInBackoff(t *testing.T) {
	for _, tt := range []struct {
		name  string
		event fwk.ClusterEvent
		wakes bool
	}{
		{"a pod of anybody's went", framework.EventAssignedPodDelete, true},
		{"a pod asks for less", fwk.ClusterEvent{Resource: framework.EventAssignedPodDelete.Resource, ActionType: fwk.UpdatePodScaleDown}, true},
		{"a node came", fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Add}, true},
		{"a node went", fwk.ClusterEvent{Resource: fwk.Node, ActionType: fwk.Delete}, false},
		{"a pod was placed", framework.EventAssignedPodAdd, false},
		{"a label changed", fwk.ClusterEvent{Resource: framework.EventAssignedPodDelete.Resource, ActionType: fwk.UpdatePodLabel}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := backedOff(t, 1)
			w.clock.Step(time.Minute)
			w.happens(tt.event)
			w.settle()
			require.Equal(t, tt.wakes, len(w.active()) == 1)
		})
	}
}

func TestWakeUpsComeInRounds(t *testing.T) {
	const n = 3 * wakeBatch
	w := backedOff(t, n)
	w.clock.Step(time.Minute)
	tried := map[string]bool{}
	for round := range 3 {
		for range 100 { // any number of events is one round
			w.happens(framework.EventAssignedPodDelete)
		}
		w.settle()
		awake := w.active()
		require.LessOrEqual(t, len(awake), wakeBatch)
		for range awake {
			pod, _ := w.cycle(t, false, "")
			require.False(t, tried[pod.Name], "round %d wakes %s again before others", round, pod.Name)
			tried[pod.Name] = true
		}
		w.room.reclaimIdleNow()
		w.settle()
		require.Empty(t, w.active(), "the next round comes later")
		require.LessOrEqual(t, w.room.nextDue(w.clock.Now()), time.Second)
		w.clock.Step(time.Second)
	}
	require.Len(t, tried, n, "in three rounds everything was tried")
	require.NoError(t, w.room.ledger.CheckInvariants())
}

// A pod's attempt saw the nodes as they were when it began.
func TestRoomThatComesDuringAnAttemptWakesThePodAfterIt(t *testing.T) {
	w := newWorld(testContext(t))
	w.room.args.InitialBackoff.Duration = time.Hour
	w.room.args.MaxBackoff.Duration = time.Hour
	w.queue("q", 1)
	w.create(testPod("a", "q"))
	w.create(testPod("b", "q"))
	w.settle()
	w.clock.Step(time.Millisecond)
	w.happens(framework.EventAssignedPodDelete)
	w.clock.Step(time.Millisecond)
	w.cycle(t, false, "")
	require.Equal(t, ledger.Suspended, w.room.ledger.State("a"))
	w.settle()
	require.NotEqual(t, ledger.Suspended, w.room.ledger.State("a"))
}
