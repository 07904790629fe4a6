package scheduler

import (
	"testing"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/queueyard/queueyard/pkg/ledger"
)

// sweep sweeps twice: a difference is repaired when it is seen the second time.
func (w *world) sweep(t *testing.T) {
	t.Helper()
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	for _, pod := range w.pods {
		require.NoError(t, indexer.Add(pod))
	}
	s := &sweeper{room: w.room, pods: corelisters.NewPodLister(indexer)}
	require.NoError(t, s.sweep(w.ctx))
	before := len(s.found)
	require.NoError(t, s.sweep(w.ctx))
	require.Empty(t, s.found, "%d differences before the second sweep", before)
	w.settle()
}

func TestSweepRepairs(t *testing.T) {
	placed := func(p *v1.Pod) { p.Spec.NodeName = "node" }
	tests := []struct {
		name   string
		damage func(w *world)
		holds  func(t *testing.T, w *world)
	}{
		{
			name: "a pod whose end nobody told us of",
			damage: func(w *world) {
				w.create(testPod("ended", "q", placed))
				w.create(testPod("next", "q"))
				w.settle()
				delete(w.pods, "ended")
			},
			holds: func(t *testing.T, w *world) { require.Equal(t, []string{"next"}, w.active()) },
		},
		{
			name: "a pod whose creation nobody told us of",
			damage: func(w *world) {
				w.create(testPod("unknown", "q"))
				w.feed, w.handler = nil, nil
			},
			holds: func(t *testing.T, w *world) { require.Equal(t, []string{"unknown"}, w.active()) },
		},
		{
			name: "a bind nobody told us of",
			damage: func(w *world) {
				w.create(testPod("bound", "q"))
				w.settle()
				w.change("bound", placed)
				w.feed = nil
			},
			holds: func(t *testing.T, w *world) { require.Equal(t, ledger.Running, w.room.ledger.State("bound")) },
		},
		{
			name: "an admitted pod that the scheduler's queue lost",
			damage: func(w *world) {
				w.create(testPod("lost", "q"))
				w.settle()
				w.room.SchedulingQueue.Delete(w.pods["lost"])
			},
			holds: func(t *testing.T, w *world) { require.Equal(t, []string{"lost"}, w.active()) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(testContext(t))
			w.queue("q", 1)
			tt.damage(w)
			w.sweep(t)
			tt.holds(t, w)
			require.NoError(t, w.room.ledger.CheckInvariants())
		})
	}
}

func TestSweepLeavesAHealthyRoomAlone(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.create(testPod("running", "q", func(p *v1.Pod) { p.Spec.NodeName = "node" }))
	w.create(testPod("waiting", "q"))
	w.create(testPod("refused", "no-such-queue"))
	w.create(testPod("gated", "q", func(p *v1.Pod) { p.Spec.SchedulingGates = []v1.PodSchedulingGate{{Name: "x"}} }))
	w.settle()
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	for _, pod := range w.pods {
		require.NoError(t, indexer.Add(pod))
	}
	s := &sweeper{room: w.room, pods: corelisters.NewPodLister(indexer)}
	require.NoError(t, s.sweep(w.ctx))
	require.Empty(t, s.found)
}
