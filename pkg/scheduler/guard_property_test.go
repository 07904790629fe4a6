package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

// load is small pods that never stop coming, in two queues of a project of 6 cpus, and one that wants all of
// them. Every second that ends which is due.
type load struct {
	*world
	due  map[types.UID]time.Time
	made int
	// longest is how long a small pod runs at most, whatever it declares.
	longest time.Duration
	lies    bool // pods may run longer than they declare
	silent  bool // they may declare nothing
}

func newLoad(t *testing.T, otherLevel int32) *load {
	l := &load{world: newWorld(testContext(t)), due: map[types.UID]time.Time{}, longest: 90 * time.Second}
	l.room.projectSeen(&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: v1alpha1.ProjectSpec{
		Namespaces: v1alpha1.ProjectNamespaces{Names: []string{"ns"}},
		Quota:      &v1alpha1.Quota{Resources: map[v1.ResourceName]resource.Quantity{v1.ResourceCPU: resource.MustParse("6")}}}})
	l.queue("q", -1, func(q *v1alpha1.Queue) { q.Spec.Priority = ptr.To[int32](5) })
	l.queue("other", -1, func(q *v1alpha1.Queue) { q.Spec.Priority = &otherLevel })
	return l
}

// second lets a second pass, in which up to so many pods come.
func (l *load) second(t *rapid.T, come int) {
	l.clock.Step(time.Second)
	for _, uid := range slices.Sorted(maps.Keys(l.due)) {
		if !l.clock.Now().Before(l.due[uid]) {
			delete(l.due, uid)
			l.remove(uid)
		}
	}
	for range come {
		l.come(t)
	}
	l.settle()
	l.place(t)
	for _, uid := range slices.Sorted(maps.Keys(l.pods)) {
		pod := l.pods[uid]
		if pod.Spec.NodeName == "" || !l.due[uid].IsZero() {
			continue
		}
		runs := time.Duration(rapid.Int64Range(1, int64(l.longest/time.Second)).Draw(t, "runs")) * time.Second
		if declared := longestHold(pod); declared > 0 && !l.lies {
			runs = min(runs, declared)
		}
		l.due[uid] = l.clock.Now().Add(runs)
	}
}

func (l *load) come(t *rapid.T) {
	l.made++
	pod := testPod(fmt.Sprint("s", l.made), rapid.SampledFrom([]string{"q", "q", "other"}).Draw(t, "queue"),
		asksCPU(rapid.SampledFrom([]string{"1", "1", "2"}).Draw(t, "cpu")))
	if !l.silent || rapid.Bool().Draw(t, "declares") {
		maxRuntime(fmt.Sprintf("%ds", rapid.IntRange(1, int(l.longest/time.Second)).Draw(t, "declared")))(pod)
	}
	l.create(pod)
}

// starve runs the load until room is held for the large pod.
func (l *load) starve(t *rapid.T) {
	l.room.args.StarvationTimeout.Duration = 30 * time.Second
	for range 2 {
		l.second(t, 4)
	}
	l.create(testPod("big", "q", asksCPU("6")))
	for range 300 {
		l.second(t, rapid.IntRange(0, 3).Draw(t, "come"))
		if l.room.ledger.Reserved("big") || l.holds("big") {
			return
		}
	}
	t.Skip("higher levels took all")
}

func (l *load) holds(uid string) bool { return l.room.ledger.State(uid).Holds() }

// The moment by which the head has its room never becomes later once it was reckoned, whoever comes, whatever
// runs longer than it said, and whatever higher levels take.
func TestTheHeadsMomentNeverBecomesLater(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLoad(t, rapid.SampledFrom([]int32{1, 5, 9}).Draw(rt, "level"))
		l.lies, l.silent = true, true
		l.starve(rt)
		var reckoned time.Time
		for range 60 {
			h := l.room.guard.held["q"]
			if h == nil || l.holds("big") {
				return
			}
			if !reckoned.IsZero() {
				require.False(rt, h.fitsBy.IsZero() || h.fitsBy.After(reckoned), "%s, then %s", reckoned, h.fitsBy)
			}
			reckoned = h.fitsBy
			l.second(rt, rapid.IntRange(0, 3).Draw(rt, "come"))
		}
	})
}

// Where all that run end when they said, and no higher level competes, the head has its room by the moment that was
// reckoned first, though small pods use the room until then.
func TestTheHeadStartsByTheMomentReckonedFirst(t *testing.T) {
	backfilled := 0
	rapid.Check(t, func(rt *rapid.T) {
		l := newLoad(t, rapid.SampledFrom([]int32{1, 5}).Draw(rt, "level"))
		l.starve(rt)
		var reckoned time.Time
		for ; reckoned.IsZero(); l.second(rt, 1) { // not while room is held for another before it
			if l.holds("big") {
				return
			}
			reckoned = l.room.guard.held["q"].fitsBy
		}
		for !l.holds("big") {
			require.True(rt, l.clock.Now().Before(reckoned), "it was to start by %s", reckoned)
			before := l.bound("q") + l.bound("other")
			l.second(rt, rapid.IntRange(0, 3).Draw(rt, "come"))
			if l.bound("q")+l.bound("other") > before {
				backfilled++
			}
		}
	})
	require.Positive(t, backfilled, "the room that gathers is used meanwhile")
}

// Whatever pods say, the head waits no longer than for those that run when its room is held and for those that were
// to end before its moment: twice as long as a small pod runs.
func TestTheHeadStartsWhateverPodsSay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLoad(t, rapid.SampledFrom([]int32{1, 5}).Draw(rt, "level"))
		l.lies, l.silent = rapid.Bool().Draw(rt, "lies"), rapid.Bool().Draw(rt, "silent")
		l.starve(rt)
		held := l.clock.Now()
		for !l.holds("big") {
			require.Less(rt, l.clock.Since(held), 2*l.longest)
			l.second(rt, rapid.IntRange(0, 3).Draw(rt, "come"))
		}
		require.Equal(rt, ledger.Running, l.room.ledger.State("big"))
	})
}
