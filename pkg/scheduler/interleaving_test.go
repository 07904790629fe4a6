package scheduler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Whatever the order in which the streams, the pump, scheduling cycles, failed binds, deletions and
// relabelling reach the room, for pods and gangs: no queue is ever over its concurrency, and in the end everything runs.
func TestAnyInterleaving(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		w := newWorld(ctx)
		bounds := map[string]int{"p": rapid.IntRange(1, 3).Draw(t, "p"), "q": rapid.IntRange(1, 2).Draw(t, "q")}
		queues := slices.Sorted(maps.Keys(bounds))
		for _, name := range queues {
			w.queue(name, int32(bounds[name]))
		}
		created, moved := 0, false
		var gangs []string
		some := func(label string, of func(*v1.Pod) bool) (types.UID, bool) {
			var uids []types.UID
			for uid, pod := range w.pods {
				if of(pod) {
					uids = append(uids, uid)
				}
			}
			if len(uids) == 0 {
				return "", false
			}
			slices.Sort(uids)
			return rapid.SampledFrom(uids).Draw(t, label), true
		}
		waiting := func(p *v1.Pod) bool { return p.Spec.NodeName == "" }
		running := func(p *v1.Pod) bool { return p.Spec.NodeName != "" }
		inFlight := func(uid types.UID) bool {
			for _, info := range w.flying {
				if info.Pod.UID == uid {
					return true
				}
			}
			return false
		}
		actions := map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				created++
				w.create(testPod(fmt.Sprint("pod", created), rapid.SampledFrom(queues).Draw(t, "queue")))
			},
			"gang": func(t *rapid.T) {
				created++
				name := fmt.Sprint("gang", created)
				gangs = append(gangs, name)
				w.gang(name, rapid.SampledFrom(queues).Draw(t, "queue"), int32(rapid.IntRange(2, 3).Draw(t, "members")))
			},
			"feed":    func(*rapid.T) { w.deliverFeed() },
			"handler": func(*rapid.T) { w.deliverHandler() },
			"pump":    func(*rapid.T) { w.room.pumpDry(ctx) },
			"cycle": func(t *rapid.T) {
				w.cycle(t, rapid.Bool().Draw(t, "fits"), rapid.SampledFrom([]string{"", "node"}).Draw(t, "nominated"))
			},
			"bind": func(t *rapid.T) { w.bind(t, rapid.Bool().Draw(t, "succeeds")) },
			"finish": func(*rapid.T) {
				if uid, ok := some("finished", running); ok {
					w.remove(uid)
				}
			},
			"delete": func(*rapid.T) {
				if uid, ok := some("deleted", waiting); ok {
					w.remove(uid)
				}
			},
			"move": func(t *rapid.T) {
				// A move that meets a bind half-way counts where the pod ends up: not a limit's business.
				if uid, ok := some("moved", waiting); ok && !inFlight(uid) {
					moved = true
					w.change(uid, func(p *v1.Pod) { p.Labels[v1alpha1.QueueLabel] = rapid.SampledFrom(queues).Draw(t, "to") })
				}
			},
			"time": func(t *rapid.T) { w.clock.Step(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second) },
		}
		check := func() {
			if err := w.room.ledger.CheckInvariants(); err != nil {
				t.Fatalf("%v", err)
			}
			for _, name := range queues {
				if n := w.bound(name); !moved && n > bounds[name] {
					t.Fatalf("queue %s: %d operations on nodes, concurrency %d", name, n, bounds[name])
				}
			}
		}
		// Streams and cycles come more often than what people do.
		names := append(slices.Sorted(maps.Keys(actions)), "create", "create", "feed", "feed", "handler", "handler", "pump", "cycle", "cycle", "bind")
		for range rapid.IntRange(20, 200).Draw(t, "steps") {
			actions[rapid.SampledFrom(names).Draw(t, "action")](t)
			check()
		}

		for _, name := range gangs { // some have lost pods
			w.room.podGroupSeen(testGroup(name, 1))
		}
		for step := 0; len(w.pods) > 0; step++ {
			if step > 1000 {
				t.Fatalf("stuck: %d pods left, %d of them in the room", len(w.pods), len(w.room.entries))
			}
			w.settle()
			for {
				if _, ok := w.cycle(t, true, ""); !ok {
					break
				}
			}
			for len(w.flying) > 0 {
				w.bind(t, true)
			}
			w.settle()
			for uid, pod := range w.pods {
				if running(pod) {
					w.remove(uid)
				}
			}
			w.clock.Step(time.Minute)
			w.retryAll()
		}
		w.settle()
		if len(w.room.entries) > 0 {
			t.Fatalf("%d entries are left of pods that are gone", len(w.room.entries))
		}
		if err := w.room.ledger.CheckInvariants(); err != nil {
			t.Fatalf("%v", err)
		}
	})
}
