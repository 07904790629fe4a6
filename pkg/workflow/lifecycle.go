package workflow

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/timeline"
)

// Situation is what a decision about a workflow is made of.
type Situation struct {
	Workflow *v1alpha1.Workflow
	// Compile says what is wrong with the workflow for the attempt that begins, or nil.
	Compile func(attempt int32) error
	// Children is what is known of the children of the current attempt; it is asked once the workflow is under way.
	Children func() Children
	Now      time.Time
}

// Children are the children of the current attempt.
type Children struct {
	// Counts of those that exist.
	Counts Counts
	// More: others are still to be made.
	More bool
	// Total that there will be, or -1.
	Total int64
	// Begun is when the first of them got a node, or zero.
	Begun time.Time
	// Stop is what ends the workflow early, or nil.
	Stop *Stop
	// Outcome is what they came to, once all are done.
	Outcome Status
	// Exit is where the operation at the end stands: Pending: it is to be made; Skipped: there is none.
	Exit        Status
	ExitMessage string
	// NoSuggestions is why an iterative search has no further trials though it is not over, or empty.
	NoSuggestions string
	// Wrong is why the workflow cannot go on, or empty.
	Wrong string
}

// Task is what is to be done after the status is written.
type Task string

// The tasks. Each may be done again without harm.
const (
	Nothing Task = ""
	// Expand makes the children that may be made now.
	Expand Task = "Expand"
	// StopChildren stops those that are not done.
	StopChildren Task = "StopChildren"
	// MakeExit makes the operation at the end.
	MakeExit Task = "MakeExit"
	// Delete deletes the workflow, whose time to live is over.
	Delete Task = "Delete"
)

// Turn is what becomes of a workflow now.
type Turn struct {
	Status v1alpha1.WorkflowStatus
	Task   Task
	// After is when to look again though nothing changed; 0: never.
	After time.Duration
}

// Reasons of timeline entries of workflows.
const (
	reasonCreated        = "Created"
	reasonCompiled       = "Compiled"
	reasonInvalid        = "InvalidWorkflow"
	reasonAwaitsApproval = "AwaitsApproval"
	reasonApproved       = "Approved"
	reasonQueued         = "Queued"
	reasonRunning        = "Running"
	reasonStopped        = "Stopped"
	reasonResumed        = "Resumed"
	reasonRestarted      = "Restarted"
	reasonTimeout        = "TimedOut"
	reasonEarly          = v1alpha1.ReasonStoppedEarly
	reasonChildren       = "ChildrenDone"
	reasonRefused        = "Refused"
	reasonExit           = "OnExit"
	reasonNoSuggestions  = "NoSuggestions"
)

// Decide says what becomes of a workflow.
func Decide(s Situation) Turn {
	d := &turn{Situation: s, status: *s.Workflow.Status.DeepCopy()}
	d.status.ObservedGeneration = s.Workflow.Generation
	d.decide()
	timeline.SetConditions(&d.status.Conditions, d.status.Timeline, "workflow", s.Workflow.Generation, s.Now)
	return Turn{d.status, d.task, d.after}
}

type turn struct {
	Situation
	status v1alpha1.WorkflowStatus
	task   Task
	after  time.Duration
}

func (d *turn) enter(s v1alpha1.Status, at time.Time, reason, message string) {
	var dropped int32
	d.status.Phase = s
	d.status.Timeline, dropped = timeline.Append(d.status.Timeline, v1alpha1.TimelineEntry{
		Status: s, Time: metav1.NewMicroTime(at), Reason: reason, Message: message, Attempt: d.status.Attempt,
	})
	d.status.Dropped += dropped
}

func (d *turn) decide() {
	if d.status.Phase == "" {
		d.enter(v1alpha1.StatusCreated, d.Workflow.CreationTimestamp.Time, reasonCreated, "")
		d.status.Restarts = d.Workflow.Spec.Restarts
		if never := d.Workflow.Annotations[v1alpha1.OutcomeAnnotation]; never != "" {
			d.end(v1alpha1.Status(never), neverReason(v1alpha1.Status(never)), d.Workflow.Annotations[v1alpha1.OutcomeMessageAnnotation])
		}
	}
	if d.status.Phase.Final() && !d.beginAgain() {
		return
	}
	switch d.status.Phase {
	case v1alpha1.StatusCreated, v1alpha1.StatusResuming:
		if !d.compile() {
			return
		}
		fallthrough
	case v1alpha1.StatusCompiled, v1alpha1.StatusOnSchedule:
		if !d.approve() {
			return
		}
	}
	d.goOn(d.Children())
}

// neverReason names why a child never runs.
func neverReason(s v1alpha1.Status) string {
	switch s {
	case v1alpha1.StatusSkipped:
		return "Skipped"
	case v1alpha1.StatusUpstreamFailed:
		return "UpstreamFailed"
	}
	return "ConditionFailed"
}

// compile begins an attempt. It says false where there is nothing to run.
func (d *turn) compile() bool {
	d.status.Attempt++
	if err := d.Compile(d.status.Attempt); err != nil {
		d.end(v1alpha1.StatusFailed, reasonInvalid, err.Error())
		return false
	}
	d.enter(v1alpha1.StatusCompiled, d.Now, reasonCompiled, "")
	return true
}

// approve lets go what is approved or needs no approval. It says false where the workflow is held.
func (d *turn) approve() bool {
	approved := d.Workflow.Spec.Approved
	held := d.status.Phase == v1alpha1.StatusOnSchedule
	switch {
	case d.Workflow.Spec.DesiredState == v1alpha1.Stopped:
	case approved != nil && !*approved:
		if !held {
			d.enter(v1alpha1.StatusOnSchedule, d.Now, reasonAwaitsApproval, "held until it is approved: set spec.approved to true")
		}
		return false
	case held:
		d.enter(v1alpha1.StatusQueued, d.Now, reasonApproved, "approved by "+d.Workflow.Annotations[v1alpha1.ApprovedByAnnotation]+"; its first operations wait in their queues")
	default:
		d.enter(v1alpha1.StatusQueued, d.Now, reasonQueued, "its first operations wait in their queues")
	}
	return true
}

// goOn leads a workflow that is under way.
func (d *turn) goOn(c Children) {
	if d.status.Phase == v1alpha1.StatusQueued && !c.Begun.IsZero() {
		started := metav1.NewMicroTime(c.Begun)
		d.status.StartTime = &started
		d.enter(v1alpha1.StatusRunning, c.Begun, reasonRunning, "")
	}
	if d.status.Outcome == nil {
		d.conclude(c)
	}
	if d.status.Outcome == nil {
		d.task = Expand
		return
	}
	if c.Counts[Active] > 0 {
		d.task = StopChildren
		return
	}
	switch c.Exit {
	case Pending:
		d.task = MakeExit
	case Active:
	default:
		if c.Exit != Succeeded && c.Exit != Skipped {
			d.enter(v1alpha1.StatusWarning, d.Now, reasonExit, "its onExit has not succeeded: "+c.ExitMessage)
		}
		d.end(d.status.Outcome.Status, d.status.Outcome.Reason, d.status.Outcome.Message)
	}
}

// conclude finds what the workflow has come to, if it has.
func (d *turn) conclude(c Children) {
	outcome := func(s v1alpha1.Status, reason, message string, stopping bool) {
		d.status.Outcome = &v1alpha1.Outcome{Status: s, Reason: reason, Message: message, Stopping: stopping}
		if stopping && c.Counts[Active] > 0 {
			d.enter(v1alpha1.StatusStopping, d.Now, reason, message)
		}
	}
	spec := &d.Workflow.Spec
	over := c.Counts.Over() && !c.More
	switch {
	case c.Wrong != "":
		outcome(v1alpha1.StatusFailed, reasonRefused, c.Wrong, true)
	case c.NoSuggestions != "" && spec.DesiredState != v1alpha1.Stopped:
		outcome(v1alpha1.StatusFailed, reasonNoSuggestions, c.NoSuggestions, true)
	case over:
		s, message := phaseOf(c.Outcome), c.Counts.String()
		if c.Stop != nil {
			s, message = phaseOf(c.Stop.Outcome), c.Stop.Message
		}
		outcome(s, reasonChildren, message, false)
	case spec.DesiredState == v1alpha1.Stopped:
		reason, message, is := timeline.StopCause(d.Workflow.Annotations, d.status.Timeline)
		if !is {
			reason, message = reasonStopped, "its desiredState is Stopped"
		}
		outcome(v1alpha1.StatusStopped, reason, message, true)
	case c.Stop != nil:
		outcome(phaseOf(c.Stop.Outcome), reasonEarly, c.Stop.Message, true)
	case spec.Timeout != nil && d.status.StartTime != nil:
		if left := d.status.StartTime.Add(spec.Timeout.Duration).Sub(d.Now); left > 0 {
			d.after = min(left, spec.Timeout.Duration) // no more, where the clock is behind for a while
		} else {
			outcome(v1alpha1.StatusFailed, reasonTimeout, fmt.Sprintf("it took longer than its timeout of %s (spec.timeout)", spec.Timeout.Duration), true)
		}
	}
}

// phaseOf is a status of a node as one of the API.
func phaseOf(s Status) v1alpha1.Status { return v1alpha1.Status(s.String()) }

func (d *turn) end(s v1alpha1.Status, reason, message string) {
	d.enter(s, d.Now, reason, message)
	finished := timeline.Last(d.status.Timeline).Time
	d.status.FinishTime, d.status.Outcome = &finished, nil
	d.ended()
}

// ended looks after what is over.
func (d *turn) ended() {
	ttl := d.Workflow.Spec.TTL
	if ttl == nil || d.status.FinishTime == nil {
		return
	}
	if left := d.status.FinishTime.Add(ttl.Duration).Sub(d.Now); left > 0 {
		d.after = min(left, ttl.Duration)
	} else {
		d.task = Delete
	}
}

// beginAgain says whether what is over is to go on.
func (d *turn) beginAgain() bool {
	spec := &d.Workflow.Spec
	restart := spec.Restarts > d.status.Restarts
	resume := d.status.Phase == v1alpha1.StatusStopped
	never := d.Workflow.Annotations[v1alpha1.OutcomeAnnotation] != ""
	if spec.DesiredState == v1alpha1.Stopped || !restart && !resume || never {
		d.ended()
		return false
	}
	d.status.Restarts = spec.Restarts
	d.status.StartTime, d.status.FinishTime, d.status.Outputs, d.status.Problems = nil, nil, nil, nil
	if restart {
		d.enter(v1alpha1.StatusResuming, d.Now, reasonRestarted, fmt.Sprintf("restart %d", spec.Restarts))
	} else {
		d.enter(v1alpha1.StatusResuming, d.Now, reasonResumed, "its desiredState is Run again")
	}
	return true
}
