package harness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// film plays what the watches show.
type film struct {
	*Watched
	at int
}

func newFilm(enough, n int) *film {
	f := &film{Watched: NewWatched(1, map[string]int{"q": n}, enough)}
	f.now = func() time.Time { return epoch.Add(time.Duration(f.at) * time.Millisecond) }
	return f
}

func (f *film) pod(at int, name, node string, phase corev1.PodPhase, deleted bool) {
	f.at = at
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name + "-x-1", Labels: map[string]string{v1alpha1.OperationLabel: name, v1alpha1.QueueLabel: "q"}}}
	pod.Spec.NodeName, pod.Status.Phase = node, phase
	f.seePod(pod, deleted)
}

func (f *film) operation(at int, name string, phase v1alpha1.Status, queue ...string) {
	f.at = at
	op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Name: name}}
	op.Spec.Queue = append(queue, "q")[0]
	if phase != "" {
		op.Status.Phase, op.Status.QueuedTime = phase, &metav1.MicroTime{Time: epoch}
		op.Status.Timeline = []v1alpha1.TimelineEntry{{Status: phase, Message: "because"}}
	}
	f.seeOperation(op, false)
}

func TestWatched(t *testing.T) {
	f := newFilm(2, 3)
	f.operation(1, "a", "")
	f.operation(2, "another run's", v1alpha1.StatusQueued, "other")
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

	got := f.Figures()
	require.Equal(t, 3, f.Queued())
	require.Equal(t, 3, got.MostWaiting)
	require.Equal(t, 15.0, got.TurnoverP50)
	require.Equal(t, 30.0, got.RecordedP99)
	require.Len(t, f.OnNodes(), 2)
	require.Equal(t, epoch.Add(40*time.Millisecond), got.FirstNode)
	require.Equal(t, epoch.Add(50*time.Millisecond), got.FirstRunning)
}

func TestWatchedTellsWhatDidNotSucceed(t *testing.T) {
	f := newFilm(1, 2)
	f.operation(1, "a", v1alpha1.StatusFailed)
	f.operation(2, "b", v1alpha1.StatusSucceeded)
	require.ErrorContains(t, <-f.Done, "operation a is failed: because")
	require.Empty(t, f.Done)
}
