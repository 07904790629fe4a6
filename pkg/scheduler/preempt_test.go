package scheduler

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

func onLevel(n int32) func(*v1alpha1.Queue) { return func(q *v1alpha1.Queue) { q.Spec.Priority = &n } }
func preempts(q *v1alpha1.Queue)            { q.Spec.Preemption = v1alpha1.PreemptLowerPriority }

func ownedBy(job string) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: job, UID: types.UID(job), Controller: ptr.To(true)}}
	}
}

func notPreemptible(p *v1.Pod) {
	metav1.SetMetaDataAnnotation(&p.ObjectMeta, v1alpha1.PreemptibleAnnotation, "false")
}

// contest is an agent of so many seats, with a queue that preempts above one that does not.
func contest(t *testing.T, seats int32) *world {
	w := newWorld(testContext(t))
	w.room.agentSeen(&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: v1alpha1.AgentSpec{Concurrency: &seats}})
	w.queue("high", -1, onLevel(9), preempts)
	w.queue("low", -1, onLevel(1))
	return w
}

// run has pods of the low queue on nodes, the last one the youngest.
func (w *world) runLow(t *testing.T, names ...string) {
	for _, name := range names {
		w.create(testPod(name, "low"))
	}
	w.settle()
	w.place(t)
}

// evictAll does what the evictor does, with an API server that answers as refusals say: an accepted eviction
// marks the pod as being deleted.
func (w *world) evictAll(refusals map[string]error) (evicted []string) {
	w.clock.Step(preemptPeriod)
	w.settle()
	for range 100 {
		next := w.room.nextEviction()
		if next == nil {
			break
		}
		err := refusals[next.victim.Name]
		for _, pod := range next.rehearse {
			if apierrors.IsTooManyRequests(refusals[pod.Name]) {
				err = refusals[pod.Name]
			}
		}
		next.asked = true
		if err == nil {
			evicted = append(evicted, next.victim.Name)
			w.change(next.victim.UID, func(p *v1.Pod) {
				p.DeletionTimestamp = ptr.To(metav1.NewTime(w.clock.Now().Add(30 * time.Second)))
				p.Status.Conditions = []v1.PodCondition{{Type: v1alpha1.AdmittedCondition, Status: v1.ConditionFalse, Reason: reasonPreempted, Message: next.message}}
			})
		}
		w.room.evicted(next, err)
		w.settle()
	}
	return evicted
}

var tooMany = apierrors.NewTooManyRequests("a budget", 10)

func TestPreemptionTakesASeat(t *testing.T) {
	w := contest(t, 2)
	w.runLow(t, "a", "b")
	w.create(testPod("x", "high"))
	w.settle()
	require.Empty(t, w.active())
	require.Equal(t, []string{"b"}, w.evictAll(nil), "the youngest")
	reason, message := w.room.verdict(w.room.entries["x"])
	require.Equal(t, "Preempting", reason)
	require.Contains(t, message, "operations of lower priority make way; room is being held for it since ")
	for range 5 {
		w.clock.Step(time.Second)
		w.settle()
		require.Empty(t, w.evictAll(nil), "its room is on its way")
	}
	w.create(testPod("c", "low"))
	w.remove("b")
	w.settle()
	require.Equal(t, []string{"x"}, w.active())
	w.place(t)
	w.clock.Step(time.Minute)
	w.settle()
	require.Empty(t, w.evictAll(nil), "c does not take it back, and x needs no more")
	require.Empty(t, w.room.preempt.making)
	require.Empty(t, w.room.preempt.ordered)
	require.Empty(t, w.room.preempt.leaving)
	require.Empty(t, w.room.guard.held)
	require.NoError(t, w.room.ledger.CheckInvariants())
	notes := map[string]string{}
	for _, n := range w.room.takeNotes() {
		notes[n.about.Name+" "+n.reason] = n.message
	}
	require.Equal(t, map[string]string{
		"b Preempted":  "preempted by ns/x in queue high",
		"x Preempting": "evicts ns/b in queue low to have its room",
	}, notes)
}

func TestNobodyMakesWay(t *testing.T) {
	for _, tt := range []struct {
		name string
		play func(w *world)
	}{
		{"for a queue that does not preempt", func(w *world) { w.queue("high", -1, onLevel(9)) }},
		{"for one of the same level", func(w *world) { w.queue("high", -1, onLevel(1), preempts) }},
		{"who opted out", func(w *world) {
			for _, name := range []types.UID{"a", "b"} {
				w.change(name, notPreemptible)
			}
		}},
		{"for one whom no node fitted before", func(w *world) {
			w.remove("b")
			w.create(testPod("x", "high"))
			w.settle()
			w.create(testPod("c", "low"))
			w.settle()
			w.cycle(&testing.T{}, false, "")
			w.settle()
			w.clock.Step(2 * time.Second)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := contest(t, 2)
			w.runLow(t, "a", "b")
			tt.play(w)
			w.settle()
			w.place(t)
			if w.pods["x"] == nil {
				w.create(testPod("x", "high"))
			}
			w.settle()
			require.Equal(t, ledger.Waiting, w.room.ledger.State("x"))
			w.clock.Step(time.Minute)
			w.settle()
			require.Empty(t, w.evictAll(nil))
		})
	}
}

func TestWhoHasNoNodeYetWaitsAgain(t *testing.T) {
	w := contest(t, 1)
	w.create(testPod("a", "low"))
	w.settle()
	require.Equal(t, []string{"a"}, w.active())
	w.create(testPod("x", "high"))
	w.settle()
	require.Empty(t, w.evictAll(nil))
	require.Equal(t, []string{"x"}, w.active())
	require.Equal(t, ledger.Waiting, w.room.ledger.State("a"))
	require.Empty(t, w.room.preempt.making)
	w.remove("x")
	w.settle()
	require.Equal(t, []string{"a"}, w.active())
}

func TestABindUnderWayIsAwaited(t *testing.T) {
	for _, binds := range []bool{true, false} {
		t.Run(fmt.Sprint("binds ", binds), func(t *testing.T) {
			w := contest(t, 1)
			w.create(testPod("a", "low"))
			w.settle()
			_, ok := w.cycle(t, true, "")
			require.True(t, ok)
			w.create(testPod("x", "high"))
			w.settle()
			require.Empty(t, w.evictAll(nil))
			w.bind(t, binds)
			w.settle()
			evicted := w.evictAll(nil)
			if binds {
				require.Equal(t, []string{"a"}, evicted)
				w.remove("a")
			} else {
				require.Empty(t, evicted)
			}
			w.settle()
			require.Equal(t, []string{"x"}, w.active())
			require.NoError(t, w.room.ledger.CheckInvariants())
		})
	}
}

// A Job makes a new pod as soon as one is being deleted. With the seat that the Job still has that would go
// first, and the seat would never be free.
func TestAnOperationMakesWayAsAWhole(t *testing.T) {
	w := contest(t, 1)
	for _, name := range []string{"j0", "j1"} {
		w.create(testPod(name, "low", ownedBy("j")))
	}
	w.settle()
	w.place(t)
	w.create(testPod("x", "high"))
	w.settle()
	require.Equal(t, []string{"j0", "j1"}, w.evictAll(nil))
	w.create(testPod("j2", "low", ownedBy("j")))
	w.settle()
	require.Empty(t, w.active())
	reason, message := w.room.verdict(w.room.entries["j2"])
	require.Equal(t, "Preempted", reason)
	require.Equal(t, "its operation was preempted by ns/x in queue high; it waits in line again when the pods that were evicted are gone", message)
	w.remove("j0")
	w.settle()
	require.Empty(t, w.active())
	w.remove("j1")
	w.settle()
	require.Equal(t, []string{"x"}, w.active())
	require.Equal(t, ledger.Waiting, w.room.ledger.State("j2"))
	w.remove("x")
	w.settle()
	require.Equal(t, []string{"j2"}, w.active())
}

func TestADisruptionBudgetIsRespected(t *testing.T) {
	t.Run("another is chosen, and the first after a while", func(t *testing.T) {
		w := contest(t, 2)
		w.runLow(t, "a", "b")
		w.create(testPod("x", "high"))
		w.settle()
		require.Empty(t, w.evictAll(map[string]error{"b": tooMany}))
		require.Empty(t, w.room.preempt.making)
		w.clock.Step(preemptPeriod)
		w.settle()
		require.Equal(t, []string{"a"}, w.evictAll(map[string]error{"b": tooMany}))
	})
	t.Run("none of an operation is evicted when one may not be", func(t *testing.T) {
		w := contest(t, 1)
		w.create(testPod("j0", "low", ownedBy("j")))
		w.create(testPod("j1", "low", ownedBy("j")))
		w.settle()
		w.place(t)
		w.create(testPod("x", "high"))
		w.settle()
		require.Empty(t, w.evictAll(map[string]error{"j1": tooMany}))
		w.clock.Step(preemptPeriod)
		w.settle()
		require.Empty(t, w.evictAll(nil), "too soon")
		require.Empty(t, w.room.guard.held, "room that nobody leaves is not held")
		w.clock.Step(spareFor)
		w.settle()
		require.Equal(t, []string{"j0", "j1"}, w.evictAll(nil))
	})
}

func TestAFailedEvictionIsTriedAgain(t *testing.T) {
	w := contest(t, 1)
	w.runLow(t, "a")
	w.create(testPod("x", "high"))
	w.settle()
	require.Empty(t, w.evictAll(map[string]error{"a": errors.New("connection refused")}))
	w.clock.Step(evictRetry)
	w.settle()
	require.Equal(t, []string{"a"}, w.evictAll(nil))
}

// A pod may be gone before the API server has answered, and an answer may be lost: both sides say so all the same.
func TestBothSidesSayThatAPodMadeWay(t *testing.T) {
	leaves := func(w *world) {
		w.change("a", func(p *v1.Pod) { p.DeletionTimestamp = ptr.To(metav1.NewTime(w.clock.Now())) })
	}
	isGone := func(w *world) { w.remove("a") }
	lost := errors.New("connection reset")
	for _, tt := range []struct {
		name          string
		asked         bool
		before, after func(w *world) // the answer
		err           error
		said          bool
	}{
		{name: "it leaves after the answer", asked: true, after: leaves, said: true},
		{name: "it leaves before the answer", asked: true, before: leaves, said: true},
		{name: "it is gone before the answer", asked: true, before: isGone, said: true},
		{name: "the answer is lost and it leaves", asked: true, err: lost, after: leaves, said: true},
		{name: "the answer is lost and it is gone", asked: true, err: lost, after: isGone, said: true},
		{name: "it is gone before the answer is lost", asked: true, err: lost, before: isGone, said: true},
		{name: "it was not asked, and leaves", err: lost, after: leaves},
		{name: "it was not asked, and is gone", err: lost, after: isGone},
		{name: "it was gone when it was asked", asked: true, err: apierrors.NewNotFound(v1.Resource("pods"), "a"), before: isGone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := contest(t, 1)
			w.runLow(t, "a")
			w.create(testPod("x", "high"))
			w.settle()
			w.clock.Step(preemptPeriod)
			w.settle()
			next := w.room.nextEviction()
			require.NotNil(t, next)
			next.asked = tt.asked
			if tt.before != nil {
				tt.before(w)
				w.settle()
			}
			w.room.evicted(next, tt.err)
			if tt.after != nil {
				tt.after(w)
				w.settle()
			}
			w.clock.Step(evictRetry)
			require.Nil(t, w.room.nextEviction())
			notes := map[string]int{}
			for _, n := range w.room.takeNotes() {
				notes[n.about.Name+" "+n.reason]++
			}
			want := map[string]int{}
			if tt.said {
				want = map[string]int{"a Preempted": 1, "x Preempting": 1}
			}
			require.Equal(t, want, notes)
			require.Empty(t, w.room.preempt.orders)
		})
	}
}

func TestNobodyIsEvictedWhenRoomComesBefore(t *testing.T) {
	w := contest(t, 2)
	w.runLow(t, "a", "b")
	w.create(testPod("x", "high"))
	w.settle()
	w.remove("a")
	w.settle()
	require.Equal(t, []string{"x"}, w.active())
	require.Empty(t, w.evictAll(nil))
	require.Empty(t, w.room.preempt.ordered)
	require.Empty(t, w.room.preempt.making)
}

func TestNobodyIsEvictedInPlaceOfWhoLeaves(t *testing.T) {
	w := contest(t, 2)
	w.runLow(t, "a", "b")
	w.change("a", func(p *v1.Pod) { p.DeletionTimestamp = ptr.To(metav1.NewTime(w.clock.Now().Add(time.Minute))) })
	w.create(testPod("x", "high"))
	w.settle()
	require.Empty(t, w.evictAll(nil))
	w.create(testPod("y", "high"))
	w.settle()
	require.Equal(t, []string{"b"}, w.evictAll(nil), "a's seat is for x")
}

func TestANewLeaderKnowsWhoIsOnTheWay(t *testing.T) {
	w := contest(t, 1)
	w.create(testPod("j0", "low", ownedBy("j")))
	w.settle()
	w.place(t)
	w.create(testPod("x", "high"))
	w.settle()
	require.Equal(t, []string{"j0"}, w.evictAll(nil))
	w.create(testPod("j1", "low", ownedBy("j")))
	w.settle()

	next := contest(t, 1)
	next.queue("lower", -1, onLevel(0))
	for _, uid := range []types.UID{"x", "j1", "j0"} {
		next.create(w.pods[uid])
	}
	next.settle()
	require.Empty(t, next.evictAll(nil))
	require.Empty(t, next.active())
	reason, message := next.room.verdict(next.room.entries["j1"])
	require.Equal(t, "Preempted", reason)
	require.Contains(t, message, "preempted by ns/x in queue high")
	next.remove("j0")
	next.settle()
	require.Equal(t, []string{"x"}, next.active())
}

func TestAVictimSaysSoUntilItIsGone(t *testing.T) {
	w := contest(t, 1)
	w.runLow(t, "a")
	w.create(testPod("x", "high"))
	w.settle()
	w.evictAll(nil)
	w.clock.Step(reportAgain)
	_, rewritten := w.reported(10)["a"]
	require.False(t, rewritten)
	// One that says so, though nobody evicts it: a scheduler was killed between the two.
	w.change("a", func(p *v1.Pod) { p.DeletionTimestamp = nil })
	delete(w.room.preempt.ordered, "a")
	w.settle()
	require.Equal(t, v1.ConditionTrue, w.reported(10)["a"].Status)
}
