package operation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// What waits follows its operation to another queue: the pod that was made for the old one goes.
func TestMove(t *testing.T) {
	for _, stage := range []Stage{Waiting, Unschedulable} {
		op := operationIn(v1alpha1.StatusQueued)
		s := situation(op, seen(stage))
		s.Assigned, s.Stale = &Compilation{Queue: "cpu", Priority: 3}, true
		d := Decide(s)
		require.Equal(t, WithdrawRun, d.Action, stage)
		require.Equal(t, "cpu", d.Status.Queue)
		require.EqualValues(t, 3, d.Status.Priority)
		require.Contains(t, d.Status.Timeline[3].Message, "moved from queue gpu")
	}
	running := operationIn(v1alpha1.StatusRunning)
	s := situation(running, seen(Running))
	s.Assigned, s.Stale = &Compilation{Queue: "cpu"}, true
	require.Equal(t, "gpu", Decide(s).Status.Queue, "what runs stays where it is")
}

// What is no longer due gives its pod back, unless it has a node by now.
func TestNoLongerDue(t *testing.T) {
	op := operationIn(v1alpha1.StatusQueued)
	s := situation(op, seen(Waiting))
	s.Due = func(*v1alpha1.OperationStatus, Observation) (due, released bool) { return false, true }
	require.Equal(t, WithdrawRun, Decide(s).Action)
	s.Run = seen(Scheduled)
	require.Equal(t, Nothing, Decide(s).Action)
}

func TestTimeLimits(t *testing.T) {
	limit := &metav1.Duration{Duration: time.Minute}
	for name, c := range map[string]struct {
		phase       v1alpha1.Status
		stage       Stage
		termination v1alpha1.Termination
		reason      string
	}{
		"timeout":                        {v1alpha1.StatusRunning, Running, v1alpha1.Termination{Timeout: limit}, reasonTimeout},
		"queueTimeout":                   {v1alpha1.StatusQueued, Waiting, v1alpha1.Termination{QueueTimeout: limit}, reasonQueueTimeout},
		"queueTimeout when no node fits": {v1alpha1.StatusUnschedulable, Unschedulable, v1alpha1.Termination{QueueTimeout: limit}, reasonQueueTimeout},
		"startTimeout":                   {v1alpha1.StatusWarning, Starting, v1alpha1.Termination{StartTimeout: limit}, "ImageError"},
	} {
		t.Run(name, func(t *testing.T) {
			op := operationIn(c.phase)
			op.Spec.Termination = &c.termination
			s := situation(op, seen(c.stage))
			if c.phase == v1alpha1.StatusWarning {
				s.Run.Warning = &Cause{Configuration, "ImageError", "no such image"}
			}
			s.Now = start.Add(30 * time.Second)
			d := Decide(s)
			require.Equal(t, c.phase, d.Status.Phase, "not yet")
			require.Positive(t, d.After, "it is looked at again in time")
			s.Now = s.Now.Add(d.After)
			d = Decide(s)
			require.Equal(t, v1alpha1.StatusStopping, d.Status.Phase)
			require.Equal(t, DeleteRun, d.Action)
			op.Status = d.Status
			s.Run = seen(Gone)
			d = Decide(s)
			require.Equal(t, v1alpha1.StatusFailed, d.Status.Phase)
			require.Equal(t, c.reason, last(&d.Status).Reason)
		})
	}
}

// The time in the line is that of the attempt, however often it is tried in vain.
func TestQueueTimeoutGoesOn(t *testing.T) {
	op := operationIn(v1alpha1.StatusQueued)
	op.Spec.Termination = &v1alpha1.Termination{QueueTimeout: &metav1.Duration{Duration: 10 * time.Minute}}
	for minute := range 9 {
		s := situation(op, seen([]Stage{Unschedulable, Waiting}[minute%2]))
		s.Now = start.Add(time.Duration(minute+1) * time.Minute)
		d := Decide(s)
		require.False(t, d.Status.Phase.Final() || d.Status.Phase == v1alpha1.StatusStopping, minute)
		op.Status = d.Status
	}
	s := situation(op, seen(Waiting))
	s.Now = start.Add(11 * time.Minute)
	d := Decide(s)
	require.Equal(t, v1alpha1.StatusStopping, d.Status.Phase)
	require.Equal(t, reasonQueueTimeout, last(&d.Status).Reason)
}

// A container that crashed once and runs again is no longer warned of, and has all its time when it crashes again; one that
// crashes in a loop has not, whatever the reason is called each time.
func TestWarningsEnd(t *testing.T) {
	op := operationIn(v1alpha1.StatusRunning)
	limit := defaultStartTimeout
	look := func(after time.Duration, stage Stage, warning string) Decision {
		run := seen(stage)
		if warning != "" {
			run.Warning = &Cause{Application, warning, "it crashes"}
		}
		if stage == Running {
			run.RunningAt = start.Add(after)
		}
		s := situation(op, run)
		s.Now = start.Add(after)
		d := Decide(s)
		op.Status = d.Status
		return d
	}
	require.Equal(t, v1alpha1.StatusWarning, look(time.Hour, Starting, "CrashLoop").Status.Phase)
	run := seen(Running)
	run.RunningAt = start.Add(time.Hour + time.Second)
	s := situation(op, run)
	s.Now = run.RunningAt
	d := Decide(s)
	require.Equal(t, v1alpha1.StatusWarning, d.Status.Phase, "it may crash again")
	require.Equal(t, limit, d.After)
	s.Now = s.Now.Add(limit)
	d = Decide(s)
	require.Equal(t, v1alpha1.StatusRunning, d.Status.Phase)
	require.Equal(t, reasonRecovered, last(&d.Status).Reason)
	op.Status = d.Status
	require.Equal(t, v1alpha1.StatusWarning, look(6*time.Hour, Starting, "CrashLoop").Status.Phase)
	require.Equal(t, v1alpha1.StatusWarning, look(6*time.Hour+time.Minute, Starting, "ConfigError").Status.Phase)
	require.Equal(t, v1alpha1.StatusWarning, look(6*time.Hour+2*time.Minute, Running, "").Status.Phase)
	require.Equal(t, v1alpha1.StatusWarning, look(6*time.Hour+4*time.Minute, Starting, "CrashLoop").Status.Phase)
	require.Equal(t, v1alpha1.StatusStopping, look(6*time.Hour+limit, Starting, "CrashLoop").Status.Phase)

	op = operationIn(v1alpha1.StatusWarning)
	require.Equal(t, v1alpha1.StatusStarting, look(time.Hour, Starting, "").Status.Phase, "its volume was found, and a large image is being pulled")
	require.Equal(t, v1alpha1.StatusStarting, look(2*time.Hour, Starting, "").Status.Phase)
}

// What is deleted without its pods is deleted again, with them, before anything follows.
func TestAbandoned(t *testing.T) {
	op := operationIn(v1alpha1.StatusRunning)
	run := seen(Running)
	run.Deleting, run.Abandoned = true, true
	d := Decide(situation(op, run))
	require.Equal(t, v1alpha1.StatusRunning, d.Status.Phase)
	require.Equal(t, DeleteRun, d.Action)
}

func TestApproval(t *testing.T) {
	op := operationIn("")
	op.Spec.Approved = ptr.To(false)
	s := situation(op, Observation{Stage: Absent})
	d := Decide(s)
	require.Equal(t, v1alpha1.StatusOnSchedule, d.Status.Phase)
	require.Equal(t, Nothing, d.Action)
	op.Status = d.Status
	require.Equal(t, len(d.Status.Timeline), len(Decide(s).Status.Timeline), "once")
	op.Spec.Approved = ptr.To(true)
	op.Annotations = map[string]string{v1alpha1.ApprovedByAnnotation: "alice"}
	d = Decide(s)
	require.Equal(t, CreateRun, d.Action)
	require.Contains(t, last(&d.Status).Message, "approved by alice")
}

func TestTTL(t *testing.T) {
	op := operationIn(v1alpha1.StatusSucceeded)
	op.Spec.Termination = &v1alpha1.Termination{TTL: &metav1.Duration{Duration: time.Hour}}
	s := situation(op, seen(Succeeded))
	require.Equal(t, ReleaseRun, Decide(s).Action, "its end is recorded first")
	s.Held = false
	d := Decide(s)
	require.Equal(t, Nothing, d.Action)
	s.Now = s.Now.Add(d.After)
	require.Equal(t, DeleteOperation, Decide(s).Action)
}

// A clock that was wrong for a while, and is right again, makes nothing late by as much as it was wrong.
func TestClockThatWasWrong(t *testing.T) {
	limit := &metav1.Duration{Duration: time.Minute}
	behind := func(s Situation) Situation {
		s.Now = start.Add(-time.Hour)
		return s
	}
	running := operationIn(v1alpha1.StatusRunning)
	running.Spec.Termination = &v1alpha1.Termination{Timeout: limit}
	require.Equal(t, limit.Duration, Decide(behind(situation(running, seen(Running)))).After, "behind: a timeout")

	over := operationIn(v1alpha1.StatusSucceeded)
	over.Spec.Termination = &v1alpha1.Termination{TTL: limit}
	require.Equal(t, limit.Duration, Decide(behind(situation(over, seen(Absent)))).After, "behind: a ttl")

	placed := behind(situation(operationIn(v1alpha1.StatusQueued), seen(Scheduled)))
	require.Equal(t, v1alpha1.StatusScheduled, Decide(placed).Status.Phase, "behind: a node was chosen")

	failed := operationIn(v1alpha1.StatusRunning)
	failed.Spec.Termination = &v1alpha1.Termination{MaxRetries: ptr.To[int32](1)}
	ahead := situation(failed, seen(Failed))
	ahead.Now = ahead.Now.Add(time.Hour)
	failed.Status = Decide(ahead).Status
	require.Equal(t, v1alpha1.StatusRetrying, failed.Status.Phase)
	right := situation(failed, seen(Absent))
	require.Equal(t, v1alpha1.StatusQueued, Decide(right).Status.Phase, "ahead: a pause")
}

// A plain success is written down in four steps at most.
func TestFourWrites(t *testing.T) {
	op := operationIn("")
	writes := 0
	for i, stage := range []Stage{Absent, Waiting, Scheduled, Scheduled, Starting, Starting, Running, Running, Succeeded, Succeeded} {
		s := situation(op, seen(stage))
		s.Now = start.Add(11*time.Second + time.Duration(i)*100*time.Millisecond)
		d := Decide(s)
		if d.Status.Phase != op.Status.Phase || len(d.Status.Timeline) != len(op.Status.Timeline) {
			writes++
		}
		op.Status = d.Status
	}
	require.Equal(t, v1alpha1.StatusSucceeded, op.Status.Phase)
	require.Equal(t, 4, writes)
	require.Len(t, op.Status.Timeline, 7)
}

// A node that takes its time is written down as chosen.
func TestScheduledForLong(t *testing.T) {
	s := situation(operationIn(v1alpha1.StatusQueued), seen(Scheduled))
	s.Now = s.Run.ScheduledAt.Add(time.Second)
	d := Decide(s)
	require.Equal(t, v1alpha1.StatusQueued, d.Status.Phase)
	s.Now = s.Now.Add(d.After)
	require.Equal(t, v1alpha1.StatusScheduled, Decide(s).Status.Phase)
}

// The gate of workflows is taken off when the operation is released, and nothing else is done to a pod that waits.
func TestGate(t *testing.T) {
	for _, c := range []struct {
		gated, due, released, deleting bool
		action                         Action
	}{
		{gated: true, due: true, action: Nothing},
		{gated: true, due: true, released: true, action: ReleaseGate},
		{gated: true, due: true, released: true, deleting: true, action: Nothing},
		{gated: true, action: WithdrawRun},
		{due: true, released: true, action: Nothing},
	} {
		run := seen(Waiting)
		run.Gated, run.Deleting = c.gated, c.deleting
		s := situation(operationIn(v1alpha1.StatusQueued), run)
		s.Due = func(*v1alpha1.OperationStatus, Observation) (bool, bool) { return c.due, c.released }
		require.Equal(t, c.action, Decide(s).Action, "%+v", c)
	}
}

// What is seen of an attempt says nothing of the next one.
func TestSightOfTheNextAttempt(t *testing.T) {
	op := operationIn(v1alpha1.StatusRetrying)
	s := situation(op, seen(Failed))
	s.Held = false
	s.Due = func(_ *v1alpha1.OperationStatus, run Observation) (bool, bool) {
		require.Equal(t, Absent, run.Stage)
		return true, true
	}
	d := Decide(s)
	require.Equal(t, CreateRun, d.Action)
	require.Equal(t, Absent, d.Run.Stage)
}
