package operation

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// What a rule of its workflow stops says which, whether it runs, waits or pauses; it is not retried. What goes on after
// that and is stopped again was stopped by somebody else.
func TestStoppedByARule(t *testing.T) {
	for _, reason := range []string{v1alpha1.ReasonStoppedByPolicy, v1alpha1.ReasonStoppedEarly} {
		for phase, stage := range map[v1alpha1.Status]Stage{
			v1alpha1.StatusQueued: Absent, v1alpha1.StatusUnschedulable: Absent, v1alpha1.StatusRetrying: Absent, v1alpha1.StatusRunning: Gone, v1alpha1.StatusStarting: Failed,
		} {
			op := operationIn(phase)
			op.Annotations = map[string]string{v1alpha1.StopReasonAnnotation: reason, v1alpha1.StopMessageAnnotation: "loss at step 3 is 9"}
			op.Spec.DesiredState = v1alpha1.Stopped
			s := situation(op, seen(stage))
			s.Policy.MaxRetries = 5
			d := Decide(s)
			require.Equal(t, v1alpha1.StatusStopped, d.Status.Phase, phase)
			end := last(&d.Status)
			require.Equal(t, reason, end.Reason)
			require.Contains(t, end.Message, "loss at step 3 is 9")

			op.Status = d.Status
			op.Spec.DesiredState = v1alpha1.Run
			d = Decide(situation(op, seen(Absent)))
			require.Equal(t, v1alpha1.StatusQueued, d.Status.Phase)
			op.Status = d.Status
			op.Spec.DesiredState = v1alpha1.Stopped
			d = Decide(situation(op, seen(Absent)))
			require.Equal(t, v1alpha1.StatusStopped, d.Status.Phase)
			require.Equal(t, reasonStopped, last(&d.Status).Reason)
			require.Equal(t, "its desiredState is Stopped", last(&d.Status).Message)
		}
	}
	op := operationIn(v1alpha1.StatusQueued)
	op.Annotations = map[string]string{v1alpha1.StopReasonAnnotation: "TimedOut", v1alpha1.StopMessageAnnotation: "somebody's"}
	op.Spec.DesiredState = v1alpha1.Stopped
	d := Decide(situation(op, seen(Absent)))
	require.Equal(t, reasonStopped, last(&d.Status).Reason, "a reason that is none of ours")
}
