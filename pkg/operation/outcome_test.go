package operation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// What its workflow has marked ends at once, whatever else is asked of it, and is neither compiled nor queued.
func TestOutcomes(t *testing.T) {
	for mark, want := range map[string]Outcome{
		"skipped":         {v1alpha1.StatusSkipped, "Skipped", "why"},
		"upstream_failed": {v1alpha1.StatusUpstreamFailed, "UpstreamFailed", "why"},
		"failed":          {v1alpha1.StatusFailed, "ConditionFailed", "why"},
		"succeeded":       {v1alpha1.StatusFailed, "ConditionFailed", "why"},
	} {
		for _, desired := range []v1alpha1.DesiredState{v1alpha1.Run, v1alpha1.Stopped} {
			op := operationIn("")
			op.Spec.DesiredState, op.Spec.Restarts = desired, 1
			op.Annotations = map[string]string{v1alpha1.OutcomeAnnotation: mark, v1alpha1.OutcomeMessageAnnotation: "why"}
			s := situation(op, Observation{Stage: Absent})
			s.Compile = nil
			d := Decide(s)
			require.Equal(t, want.Status, d.Status.Phase)
			require.Equal(t, Nothing, d.Action)
			require.Len(t, d.Status.Timeline, 2, "created and its end")
			require.Equal(t, Outcome{want.Status, last(&d.Status).Reason, last(&d.Status).Message}, want)
			require.NotNil(t, d.Status.FinishTime)
			op.Status = d.Status
			op.Spec.Restarts++
			require.Equal(t, d.Status.Timeline, Decide(s).Status.Timeline, "nothing runs it again")
			op.Annotations = nil
			s = situation(op, Observation{Stage: Absent})
			if desired == v1alpha1.Run {
				require.Equal(t, CreateRun, Decide(s).Action, "without the mark it may run")
			}
		}
	}
	running := operationIn(v1alpha1.StatusRunning)
	running.Annotations = map[string]string{v1alpha1.OutcomeAnnotation: "skipped"}
	require.Equal(t, v1alpha1.StatusRunning, Decide(situation(running, seen(Running))).Status.Phase, "what has run keeps its own end")
}

// A child of a workflow is in its line since the time that it is marked with; one that runs again is not.
func TestMarkedQueuedTime(t *testing.T) {
	op := operationIn("")
	op.Annotations = map[string]string{v1alpha1.QueuedTimeAnnotation: "2025-12-31T00:00:00.123456789Z"}
	marked := time.Date(2025, 12, 31, 0, 0, 0, 123456000, time.UTC)
	var compiled time.Time
	s := situation(op, Observation{Stage: Absent})
	s.Compile = func(_ int32, queued time.Time) Compilation {
		compiled = queued
		return Compilation{Queue: "gpu"}
	}
	op.Status = Decide(s).Status
	require.Equal(t, s.Now, last(&op.Status).Time.Time, "the timeline says when it did")
	require.Equal(t, marked, op.Status.QueuedTime.UTC())
	require.Equal(t, marked, compiled.UTC(), "its pod says the same")

	s.Run, s.Now = seen(Succeeded), start.Add(2*time.Minute)
	op.Status = Decide(s).Status
	op.Spec.Restarts++
	s.Run, s.Held = Observation{Stage: Absent}, false
	op.Status = Decide(s).Status
	require.Equal(t, s.Now, op.Status.QueuedTime.Time)
	require.Equal(t, s.Now, compiled)
}
