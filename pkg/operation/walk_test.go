package operation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/timeline"
)

// TestWalks leads an operation through whatever may be seen, edited and waited for.
func TestWalks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := &v1alpha1.Operation{}
		op.Name, op.Namespace, op.UID = "train", "team", "u-1"
		op.CreationTimestamp = metav1.NewTime(start)
		op.Spec.DesiredState = v1alpha1.Run
		op.Spec.Termination = &v1alpha1.Termination{MaxRetries: ptr.To(rapid.Int32Range(0, 3).Draw(t, "maxRetries"))}
		now := start
		var first []v1alpha1.TimelineEntry
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
			switch rapid.IntRange(0, 15).Draw(t, "edit") {
			case 0:
				op.Spec.DesiredState = rapid.SampledFrom([]v1alpha1.DesiredState{v1alpha1.Run, v1alpha1.Stopped}).Draw(t, "desiredState")
			case 1:
				op.Spec.Restarts++
			case 2:
				op.Spec.Approved = ptr.To(rapid.Bool().Draw(t, "approved"))
			}
			run := seen(rapid.SampledFrom(Stages).Draw(t, "stage"))
			s := situation(op, run)
			s.Now, s.Held = now, run.Stage != Absent && rapid.Bool().Draw(t, "held")
			due, released := rapid.Bool().Draw(t, "due"), rapid.Bool().Draw(t, "released")
			s.Due = func(*v1alpha1.OperationStatus, Observation) (bool, bool) { return due, released }
			before := op.Status.DeepCopy()
			d := Decide(s)
			after := d.Status
			if before.Phase.Final() && after.Phase != before.Phase {
				resumed := before.Phase == v1alpha1.StatusStopped && op.Spec.DesiredState != v1alpha1.Stopped
				if !resumed && op.Spec.Restarts == before.Restarts {
					t.Fatalf("%s became %s by itself", before.Phase, after.Phase)
				}
			}
			if after.Phase != last(&after).Status {
				t.Fatalf("phase %s, timeline ends with %s", after.Phase, last(&after).Status)
			}
			if len(after.Timeline) > timeline.MaxEntries {
				t.Fatalf("%d entries", len(after.Timeline))
			}
			for i := 1; i < len(after.Timeline); i++ {
				if after.Timeline[i].Time.Before(&after.Timeline[i-1].Time) {
					t.Fatalf("entry %d is before the one before it", i)
				}
			}
			if len(first) < timeline.KeptFirst {
				first = append([]v1alpha1.TimelineEntry{}, after.Timeline[:min(len(after.Timeline), timeline.KeptFirst)]...)
			}
			for i, e := range first {
				if after.Timeline[i] != e {
					t.Fatalf("entry %d was %v and is %v", i, e, after.Timeline[i])
				}
			}
			if failed := after.Phase == v1alpha1.StatusFailed || after.Phase == v1alpha1.StatusRetrying; failed && after.FailureClass == "" {
				t.Fatalf("%s, and of no class", after.Phase)
			}
			if after.Phase == v1alpha1.StatusQueued && after.FailureClass != "" {
				t.Fatalf("an attempt under way has failed: %s", after.FailureClass)
			}
			if after.Retries > s.Policy.MaxRetries {
				t.Fatalf("%d retries of %d", after.Retries, s.Policy.MaxRetries)
			}
			if d.Action == CreateRun && (after.Phase != v1alpha1.StatusQueued && after.Phase != v1alpha1.StatusUnschedulable ||
				after.Attempt == before.Attempt && run.Stage != Absent) {
				t.Fatalf("attempt %d is made in phase %s, and its run is %s", after.Attempt, after.Phase, run.Stage)
			}
			op.Status = after
		}
	})
}

func TestRetriesAndLosses(t *testing.T) {
	fail := func(op *v1alpha1.Operation, cause Cause) Decision {
		run := seen(Failed)
		run.Cause = cause
		s := situation(op, run)
		s.Held = false
		return Decide(s)
	}
	op := operationIn(v1alpha1.StatusRunning)
	op.Spec.Termination = &v1alpha1.Termination{MaxRetries: ptr.To[int32](2), Backoff: &v1alpha1.Backoff{Initial: &metav1.Duration{Duration: time.Minute}}}

	d := fail(op, Cause{Infrastructure, "Evicted", "evicted"})
	assert.Equal(t, v1alpha1.StatusRetrying, d.Status.Phase)
	assert.Equal(t, int32(0), d.Status.Retries, "what is lost uses up no retry")
	assert.Equal(t, int32(1), d.Status.Lost)
	assert.Equal(t, time.Minute, d.After)
	assert.Equal(t, Infrastructure, d.Status.FailureClass)

	d = fail(op, Cause{Application, "ExitCode", "exit code 1"})
	assert.Equal(t, v1alpha1.StatusRetrying, d.Status.Phase)
	assert.Equal(t, int32(1), d.Status.Retries)

	d = fail(op, Cause{Configuration, "ImageError", "no such image"})
	assert.Equal(t, v1alpha1.StatusFailed, d.Status.Phase, "trying again changes nothing")

	op.Status.Retries = 2
	d = fail(op, Cause{Application, "ExitCode", "exit code 1"})
	require.Equal(t, v1alpha1.StatusFailed, d.Status.Phase)
	assert.Contains(t, last(&d.Status).Message, "all 2 retries are used")

	for _, class := range []Class{Application, Infrastructure} {
		op.Status.Retries = 0
		run := seen(Failed)
		run.Cause = Cause{class, "Lost", "gone"}
		s := situation(op, run)
		s.Policy = s.Policy.Once()
		d = Decide(s)
		require.Equal(t, v1alpha1.StatusFailed, d.Status.Phase, "what is tried once")
		assert.Equal(t, class, d.Status.FailureClass)
		assert.Equal(t, "gone", last(&d.Status).Message)
	}

	p := PolicyOf(op.Spec.Termination)
	assert.Equal(t, []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute},
		[]time.Duration{p.backoff(1), p.backoff(2), p.backoff(3), p.backoff(4), p.backoff(1000)})
}
