package scheduler

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A pod that no node fits says whether its room is idle or serves others.
func TestNoNodeFitsSaysWhoHasItsRoom(t *testing.T) {
	verdict := func(w *world) string {
		w.room.mu.Lock()
		defer w.room.mu.Unlock()
		reason, message := w.room.verdict(w.room.entries["huge"])
		require.Equal(t, "Unschedulable", reason)
		return message
	}
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.create(testPod("huge", "q"))
	w.settle()
	w.cycle(t, false, "")
	w.settle()
	require.Contains(t, verdict(w), "it keeps its room while nobody else waits for it")

	w.create(testPod("small", "q"))
	w.settle()
	require.Contains(t, verdict(w), "its room serves others until it is tried again")
}
