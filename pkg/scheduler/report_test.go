package scheduler

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// reported does what the reporter does with the findings of a moment, and names the pods.
func (w *world) reported(budget int) map[string]v1.PodCondition {
	found := map[string]v1.PodCondition{}
	for _, f := range w.room.findings(budget) {
		found[f.pod.Name] = f.condition
		w.change(f.pod.UID, func(p *v1.Pod) {
			var kept []v1.PodCondition
			for _, c := range p.Status.Conditions {
				if c.Type != f.condition.Type {
					kept = append(kept, c)
				}
			}
			p.Status.Conditions = append(kept, f.condition)
		})
	}
	w.settle()
	return found
}

// A standby writes nothing, so it lines up nothing, however many pods come and go. When it leads all that wait say why.
func TestStandbyLinesUpNoReports(t *testing.T) {
	w := newStandby(testContext(t))
	w.queue("q", 0)
	says := func(p *v1.Pod) {
		p.Status.Conditions = []v1.PodCondition{{Type: v1alpha1.AdmittedCondition, Status: v1.ConditionFalse, Reason: "QueueFull"}}
	}
	for i := range 100 {
		uid := types.UID(fmt.Sprint("pod", i))
		w.create(testPod(string(uid), "q"))
		w.change(uid, says)
		w.change(uid, func(p *v1.Pod) { p.Spec.NodeName = "node" })
		w.remove(uid)
	}
	w.create(testPod("waits", "q"))
	w.create(testPod("runs", "q", says, func(p *v1.Pod) { p.Spec.NodeName = "node" }))
	for len(w.feed) > 0 {
		w.deliverFeed()
	}
	require.Empty(t, w.room.reports.waiting)
	require.Empty(t, w.room.reports.ahead)

	w.room.countOn(nil, w.clock.Now())
	w.settle()
	w.clock.Step(w.room.args.ReportDelay.Duration)
	found := w.reported(10)
	require.Equal(t, v1.ConditionFalse, found["waits"].Status)
	require.Equal(t, v1.ConditionTrue, found["runs"].Status)
}

func TestReportOfAWait(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	for _, name := range []string{"a", "b", "c"} {
		w.create(testPod(name, "q"))
	}
	w.settle()
	require.Empty(t, w.reported(10), "not before the delay")

	w.clock.Step(w.room.args.ReportDelay.Duration)
	found := w.reported(10)
	require.Len(t, found, 2, "the admitted pod says nothing")
	require.Equal(t, v1.ConditionFalse, found["c"].Status)
	require.Equal(t, "QueueFull", found["c"].Reason)
	require.Equal(t, "queue q: 1/1 operations running; position 2 of 2", found["c"].Message)

	w.clock.Step(reportAgain)
	require.Empty(t, w.reported(10), "numbers may change, the reason did not")

	w.cycle(t, true, "")
	w.bind(t, true)
	w.remove("a")
	w.settle()
	w.cycle(t, true, "")
	w.bind(t, true)
	w.settle()
	w.clock.Step(reportAgain)
	found = w.reported(10)
	require.Len(t, found, 1)
	require.Equal(t, v1.ConditionTrue, found["b"].Status, "b is on a node now")
	require.Empty(t, w.reported(10))
}

func TestReportsAreFew(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 0)
	for i := range 20 {
		w.create(testPod(fmt.Sprint("pod", i), "q"))
	}
	w.settle()
	w.clock.Step(w.room.args.ReportDelay.Duration)
	seen := map[string]bool{}
	for range 10 {
		found := w.reported(2)
		require.Len(t, found, 2)
		for name := range found {
			require.False(t, seen[name])
			seen[name] = true
		}
	}
	w.clock.Step(time.Minute)
	require.Empty(t, w.reported(2))
}

func TestReportOfAPodThatKeepsIdleRoom(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.create(testPod("big", "q"))
	w.settle()
	w.cycle(t, false, "")
	w.settle()
	w.clock.Step(w.room.args.ReportDelay.Duration)
	found := w.reported(1)
	require.Equal(t, "Unschedulable", found["big"].Reason)
	require.Contains(t, found["big"].Message, "no node fits it; it keeps its room while nobody else waits for it")
}
