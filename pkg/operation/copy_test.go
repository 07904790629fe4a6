package operation

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// A copy that is withdrawn ends when nothing of it is left that could begin. What has a node has begun, and goes on.
func TestGiveBack(t *testing.T) {
	for _, phase := range []v1alpha1.Status{v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable} {
		for stage, want := range map[Stage]string{
			Absent: "stopped", Waiting: "=+DeleteRun", Unschedulable: "=+DeleteRun", Gone: "=+ReleaseRun",
			Scheduled: "scheduled", Starting: "starting", Running: "running", Lost: "unknown", Succeeded: "succeeded+ReleaseRun", Failed: "failed+ReleaseRun",
		} {
			op := operationIn(phase)
			op.Annotations = map[string]string{v1alpha1.AssignmentAnnotation: "a", v1alpha1.WithdrawnAnnotation: "true"}
			s := situation(op, seen(stage))
			s.Policy = s.Policy.Once()
			d := Decide(s)
			require.Equal(t, want, outcome(op, d), "%s, %s", phase, stage)
			require.Equal(t, stage == Absent, GivenBack(&d.Status))
			require.Equal(t, order[d.Status.Phase] > 0 || d.Status.Phase == v1alpha1.StatusUnknown || d.Status.Phase == v1alpha1.StatusSucceeded || d.Status.Phase == v1alpha1.StatusFailed, Began(&d.Status))
			op.Status = d.Status
			s.Run, s.Held = Observation{Stage: Absent}, false
			if stage == Absent {
				require.Equal(t, "=", outcome(op, Decide(s)), "it does not resume")
			}
		}
	}
	running := operationIn(v1alpha1.StatusRunning)
	running.Annotations = map[string]string{v1alpha1.AssignmentAnnotation: "a", v1alpha1.WithdrawnAnnotation: "true"}
	require.Equal(t, "=", outcome(running, Decide(situation(running, seen(Running)))))
	deleting := seen(Waiting)
	deleting.Deleting = true
	op := operationIn(v1alpha1.StatusQueued)
	op.Annotations = running.Annotations
	require.Equal(t, "=", outcome(op, Decide(situation(op, deleting))), "it is being deleted already")
}
