package workflow

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// at is a workflow that came to a phase in one attempt.
func at(phase v1alpha1.Status, edits ...func(*v1alpha1.Workflow)) *v1alpha1.Workflow {
	w := &v1alpha1.Workflow{}
	w.Name, w.CreationTimestamp, w.Generation = "nightly", metav1.NewTime(noon), 1
	w.Spec.DesiredState = v1alpha1.Run
	if phase != "" {
		w.Status.Phase, w.Status.Attempt = phase, 1
		w.Status.Timeline = []v1alpha1.TimelineEntry{{Status: phase, Time: metav1.NewMicroTime(noon), Reason: "Before", Attempt: 1}}
	}
	for _, edit := range edits {
		edit(w)
	}
	return w
}

func stopped(w *v1alpha1.Workflow) { w.Spec.DesiredState = v1alpha1.Stopped }
func held(w *v1alpha1.Workflow)    { w.Spec.Approved = ptr.To(false) }
func restarted(w *v1alpha1.Workflow) {
	w.Spec.Restarts = 1
}
func timeout(w *v1alpha1.Workflow) {
	w.Spec.Timeout = &metav1.Duration{Duration: time.Hour}
	began := metav1.NewMicroTime(noon)
	w.Status.StartTime = &began
}
func ttl(w *v1alpha1.Workflow) {
	w.Spec.TTL = &metav1.Duration{Duration: time.Minute}
	ended := metav1.NewMicroTime(noon)
	w.Status.FinishTime = &ended
}
func concluded(s v1alpha1.Status, reason string) func(*v1alpha1.Workflow) {
	return func(w *v1alpha1.Workflow) {
		w.Status.Outcome = &v1alpha1.Outcome{Status: s, Reason: reason, Message: "said so"}
	}
}
func skipped(w *v1alpha1.Workflow) {
	w.Annotations = map[string]string{v1alpha1.OutcomeAnnotation: "skipped", v1alpha1.OutcomeMessageAnnotation: "its condition is false"}
}

// TestDecide is what becomes of a workflow at each of its phases.
func TestDecide(t *testing.T) {
	some := Children{Counts: Counts{Active: 2, Succeeded: 1}, More: true, Begun: noon, Exit: Skipped}
	waiting := Children{Counts: Counts{Active: 2}, More: true, Exit: Skipped}
	done := Children{Counts: Counts{Succeeded: 3}, Outcome: Succeeded, Begun: noon, Exit: Skipped}
	failed := Children{Counts: Counts{Succeeded: 2, Failed: 1}, Outcome: Failed, Begun: noon, Exit: Skipped}
	quiet := Children{Counts: Counts{Succeeded: 1}, More: true, Begun: noon, Exit: Skipped}
	with := func(c Children, change func(*Children)) Children { change(&c); return c }
	reached := &Stop{Succeeded, "good enough"}
	for _, c := range []struct {
		name     string
		workflow *v1alpha1.Workflow
		compile  error
		children Children
		after    time.Duration // since noon
		entries  string        // new statuses, each with its reason
		task     Task
		wait     time.Duration
	}{
		{"begins", at(""), nil, waiting, 0, "created/Created compiled/Compiled queued/Queued", Expand, 0},
		{"makes no sense", at(""), errors.New("no"), waiting, 0, "created/Created failed/InvalidWorkflow", Nothing, 0},
		{"never runs", at("", skipped), nil, waiting, 0, "created/Created skipped/Skipped", Nothing, 0},
		{"is held", at("", held), nil, waiting, 0, "created/Created compiled/Compiled on_schedule/AwaitsApproval", Nothing, 0},
		{"stays held", at(v1alpha1.StatusOnSchedule, held), nil, waiting, 0, "", Nothing, 0},
		{"is let go", at(v1alpha1.StatusOnSchedule), nil, waiting, 0, "queued/Approved", Expand, 0},
		{"is stopped while held", at(v1alpha1.StatusOnSchedule, held, stopped), nil, Children{More: true, Exit: Skipped}, 0, "stopped/Stopped", Nothing, 0},
		{"waits", at(v1alpha1.StatusQueued), nil, waiting, 0, "", Expand, 0},
		{"begins to run", at(v1alpha1.StatusQueued), nil, some, 0, "running/Running", Expand, 0},
		{"runs", at(v1alpha1.StatusRunning), nil, some, 0, "", Expand, 0},
		{"succeeds", at(v1alpha1.StatusRunning), nil, done, 0, "succeeded/ChildrenDone", Nothing, 0},
		{"fails", at(v1alpha1.StatusRunning), nil, failed, 0, "failed/ChildrenDone", Nothing, 0},
		{"is over before it was seen to run", at(v1alpha1.StatusQueued), nil, done, 0, "running/Running succeeded/ChildrenDone", Nothing, 0},
		{"is stopped", at(v1alpha1.StatusRunning, stopped), nil, some, 0, "stopping/Stopped", StopChildren, 0},
		{"is stopped when nothing runs", at(v1alpha1.StatusRunning, stopped), nil, quiet, 0, "stopped/Stopped", Nothing, 0},
		{"is stopped when all is over", at(v1alpha1.StatusRunning, stopped), nil, done, 0, "succeeded/ChildrenDone", Nothing, 0},
		{"goes on stopping", at(v1alpha1.StatusStopping, stopped, concluded(v1alpha1.StatusStopped, "Stopped")), nil, some, 0, "", StopChildren, 0},
		{"changed its mind too late", at(v1alpha1.StatusStopping, concluded(v1alpha1.StatusStopped, "Stopped")), nil, some, 0, "", StopChildren, 0},
		{"has stopped", at(v1alpha1.StatusStopping, stopped, concluded(v1alpha1.StatusStopped, "Stopped")), nil, quiet, 0, "stopped/Stopped", Nothing, 0},
		{"reaches its goal", at(v1alpha1.StatusRunning), nil, with(some, func(c *Children) { c.Stop = reached }), 0, "stopping/StoppedEarly", StopChildren, 0},
		{"reaches its goal with the last", at(v1alpha1.StatusRunning), nil, with(failed, func(c *Children) { c.Stop = reached }), 0, "succeeded/ChildrenDone", Nothing, 0},
		{"cannot go on", at(v1alpha1.StatusRunning), nil, with(some, func(c *Children) { c.Wrong = "refused" }), 0, "stopping/Refused", StopChildren, 0},
		{"has no suggestions", at(v1alpha1.StatusRunning), nil, with(quiet, func(c *Children) { c.NoSuggestions = "asked in vain" }), 0, "failed/NoSuggestions", Nothing, 0},
		{"has none as it is stopped", at(v1alpha1.StatusRunning, stopped), nil, with(quiet, func(c *Children) { c.NoSuggestions = "it was stopped" }), 0, "stopped/Stopped", Nothing, 0},
		{"has time", at(v1alpha1.StatusRunning, timeout), nil, some, 20 * time.Minute, "", Expand, 40 * time.Minute},
		{"has no more than its time by a clock that is behind", at(v1alpha1.StatusRunning, timeout), nil, some, -time.Hour, "", Expand, time.Hour},
		{"is late", at(v1alpha1.StatusRunning, timeout), nil, some, time.Hour, "stopping/TimedOut", StopChildren, 0},
		{"was late, and is over", at(v1alpha1.StatusStopping, concluded(v1alpha1.StatusFailed, "TimedOut")), nil, quiet, 0, "failed/TimedOut", Nothing, 0},
		{"has something to run at the end", at(v1alpha1.StatusRunning), nil, with(failed, func(c *Children) { c.Exit = Pending }), 0, "", MakeExit, 0},
		{"runs it", at(v1alpha1.StatusRunning, concluded(v1alpha1.StatusFailed, "ChildrenDone")), nil, with(failed, func(c *Children) { c.Exit = Active }), 0, "", Nothing, 0},
		{"runs it though it was stopped", at(v1alpha1.StatusRunning, stopped, concluded(v1alpha1.StatusFailed, "ChildrenDone")), nil, with(failed, func(c *Children) { c.Exit = Active }), 0, "", Nothing, 0},
		{"has run it", at(v1alpha1.StatusRunning, concluded(v1alpha1.StatusFailed, "ChildrenDone")), nil, with(failed, func(c *Children) { c.Exit = Succeeded }), 0, "failed/ChildrenDone", Nothing, 0},
		{"has run it in vain", at(v1alpha1.StatusRunning, concluded(v1alpha1.StatusSucceeded, "ChildrenDone")), nil, with(done, func(c *Children) { c.Exit = Failed }), 0, "warning/OnExit succeeded/ChildrenDone", Nothing, 0},
		{"is over", at(v1alpha1.StatusSucceeded), nil, done, 0, "", Nothing, 0},
		{"is kept", at(v1alpha1.StatusFailed, ttl), nil, done, 20 * time.Second, "", Nothing, 40 * time.Second},
		{"is kept no longer by a clock that is behind", at(v1alpha1.StatusFailed, ttl), nil, done, -time.Hour, "", Nothing, time.Minute},
		{"was kept", at(v1alpha1.StatusFailed, ttl), nil, done, time.Minute, "", Delete, 0},
		{"runs again", at(v1alpha1.StatusFailed, restarted), nil, waiting, 0, "resuming/Restarted compiled/Compiled queued/Queued", Expand, 0},
		{"goes on", at(v1alpha1.StatusStopped), nil, waiting, 0, "resuming/Resumed compiled/Compiled queued/Queued", Expand, 0},
		{"stays stopped", at(v1alpha1.StatusStopped, stopped), nil, waiting, 0, "", Nothing, 0},
		{"never runs again", at(v1alpha1.StatusSkipped, skipped, restarted), nil, waiting, 0, "", Nothing, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(c.workflow.Status.Timeline)
			turn := Decide(Situation{
				Workflow: c.workflow, Compile: func(int32) error { return c.compile }, Children: func() Children { return c.children }, Now: noon.Add(c.after),
			})
			var entries []string
			for _, e := range turn.Status.Timeline[before:] {
				entries = append(entries, fmt.Sprintf("%s/%s", e.Status, e.Reason))
			}
			require.Equal(t, c.entries, strings.Join(entries, " "))
			require.Equal(t, c.task, turn.Task)
			require.Equal(t, c.wait, turn.After)
			require.Equal(t, turn.Status.Phase.Final(), meta.IsStatusConditionTrue(turn.Status.Conditions, v1alpha1.FinishedCondition))
			if turn.Status.Phase.Final() {
				require.Nil(t, turn.Status.Outcome)
			}
		})
	}
}

// A workflow ends exactly once in each attempt, whatever happens to it, and nothing is made after its end was decided.
func TestDecideWalks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := at("")
		w.Spec.Approved = rapid.SampledFrom([]*bool{nil, ptr.To(false)}).Draw(t, "approved")
		exit := rapid.SampledFrom([]Status{Skipped, Pending}).Draw(t, "exit")
		c := Children{Counts: Counts{Pending: 3}, More: true, Exit: exit}
		ends := 0
		for range 30 {
			switch rapid.SampledFrom([]string{"child", "child", "child", "stop", "run", "approve", "exit"}).Draw(t, "event") {
			case "child":
				if c.Counts[Active] > 0 {
					c.Counts[Active]--
					c.Counts[rapid.SampledFrom([]Status{Succeeded, Failed, Stopped}).Draw(t, "end")]++
					c.Begun = noon
				}
			case "stop":
				w.Spec.DesiredState = v1alpha1.Stopped
			case "run":
				if w.Status.Phase != v1alpha1.StatusStopped {
					w.Spec.DesiredState = v1alpha1.Run
				}
			case "approve":
				w.Spec.Approved = nil
			case "exit":
				if c.Exit == Active {
					c.Exit = Succeeded
				}
			}
			c.Outcome = c.Counts.Outcome()
			concluded := w.Status.Outcome != nil
			turn := Decide(Situation{Workflow: w, Compile: func(int32) error { return nil }, Children: func() Children { return c }, Now: noon})
			if turn.Task == Expand {
				if concluded {
					t.Fatal("children are made after the end was decided")
				}
				if c.Counts[Pending] > 0 {
					c.Counts[Pending]--
					c.Counts[Active]++
				}
				c.More = c.Counts[Pending] > 0
			}
			if turn.Task == MakeExit {
				c.Exit = Active
			}
			if turn.Status.Phase.Final() && !w.Status.Phase.Final() {
				ends++
				if exit == Pending && c.Exit != Succeeded {
					t.Fatal("it ended before what runs at the end")
				}
				if c.Counts[Active] > 0 {
					t.Fatal("it ended while children run")
				}
			}
			w.Status = turn.Status
		}
		if ends > int(w.Status.Attempt) {
			t.Fatalf("it ended %d times in %d attempts", ends, w.Status.Attempt)
		}
	})
}

func TestMatrixOutcome(t *testing.T) {
	tolerant := &v1alpha1.EarlyStopping{Failure: &v1alpha1.FailurePolicy{Percent: 50}}
	for _, c := range []struct {
		name           string
		counts         Counts
		policies       *v1alpha1.EarlyStopping
		search, result bool
		want           Status
	}{
		{"nothing to do", Counts{}, nil, false, false, Succeeded},
		{"one failure is too many", Counts{Succeeded: 9, Failed: 1}, nil, false, false, Failed},
		{"but for a policy", Counts{Succeeded: 1, Failed: 1}, tolerant, false, false, Succeeded},
		{"that has its bound", Counts{Succeeded: 1, Failed: 2}, tolerant, false, false, Failed},
		{"a search has found something", Counts{Succeeded: 1, Failed: 9}, nil, true, true, Succeeded},
		{"or nothing", Counts{Succeeded: 1, Failed: 9}, nil, true, false, Failed},
		{"all stopped", Counts{Stopped: 2}, nil, true, false, Stopped},
	} {
		require.Equal(t, c.want, MatrixOutcome(c.counts, c.policies, c.search, c.result), c.name)
	}
}
