package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/perf/harness"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// film plays what the watches show.
type film struct {
	*watched
	at int
}

func newFilm(enough int, names ...string) *film {
	f := &film{watched: newWatched(harness.NewRecorder(1, map[string]int{"q": len(names)}), enough)}
	f.now = func() time.Time { return epoch.Add(time.Duration(f.at) * time.Millisecond) }
	for _, name := range names {
		f.created(name, "q")
	}
	return f
}

func (f *film) pod(at int, name, node string, phase corev1.PodPhase, deleted bool) {
	f.at = at
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name + "-x-1", Labels: map[string]string{v1alpha1.OperationLabel: name}}}
	pod.Spec.NodeName, pod.Status.Phase = node, phase
	f.seePod(pod, deleted)
}

func (f *film) operation(at int, name string, phase v1alpha1.Status) {
	f.at = at
	op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if phase != "" {
		op.Status.Phase, op.Status.QueuedTime = phase, &metav1.MicroTime{Time: epoch}
		op.Status.Timeline = []v1alpha1.TimelineEntry{{Status: phase, Message: "because"}}
	}
	f.seeOperation(op, false)
}

func TestWatched(t *testing.T) {
	f := newFilm(2, "a", "b", "c")
	f.operation(1, "a", "")
	f.operation(2, "another run's", v1alpha1.StatusQueued)
	for i, name := range []string{"a", "b", "c"} {
		f.operation(10+i, name, v1alpha1.StatusQueued)
		f.pod(20+i, name, "", corev1.PodPending, false)
	}
	f.pod(30, "c", "", corev1.PodPending, true) // it gave its pod back
	f.pod(40, "a", "n", corev1.PodPending, false)
	f.operation(50, "a", v1alpha1.StatusRunning)
	f.pod(100, "a", "n", corev1.PodSucceeded, false)
	f.pod(115, "b", "n", corev1.PodPending, false)
	f.operation(130, "a", v1alpha1.StatusSucceeded)
	f.operation(131, "a", v1alpha1.StatusSucceeded)
	require.Empty(t, f.Done)
	f.operation(200, "b", v1alpha1.StatusSucceeded) // before its pod is seen to end
	require.NoError(t, <-f.Done)

	got := f.figures()
	require.Equal(t, 3, got.queued)
	require.Equal(t, 3, got.MostWaiting)
	require.Equal(t, 15.0, got.TurnoverP50)
	require.Equal(t, 30.0, got.RecordedP99)
	require.Len(t, got.bound, 2)
	require.Equal(t, epoch.Add(50*time.Millisecond), got.firstRunning)
}

func TestWatchedTellsWhatDidNotSucceed(t *testing.T) {
	f := newFilm(1, "a", "b")
	f.operation(1, "a", v1alpha1.StatusFailed)
	f.operation(2, "b", v1alpha1.StatusSucceeded)
	require.ErrorContains(t, <-f.Done, "operation a is failed: because")
	require.Empty(t, f.Done)
}
