package operation

import (
	"cmp"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/timeline"
)

// Action is what is to be done after the status is written.
type Action string

// The actions. Each may be done again without harm.
const (
	Nothing Action = ""
	// CreateRun makes the object of the current attempt.
	CreateRun Action = "CreateRun"
	// DeleteRun asks for its deletion.
	DeleteRun Action = "DeleteRun"
	// WithdrawRun asks for its deletion if it has not begun; if it has, it goes on.
	WithdrawRun Action = "WithdrawRun"
	// ReleaseGate takes the gate of workflows off its pod.
	ReleaseGate Action = "ReleaseGate"
	// ReleaseRun takes our finalizer off: how it ended is recorded.
	ReleaseRun Action = "ReleaseRun"
	// DeleteOperation deletes the operation, whose time to live is over.
	DeleteOperation Action = "DeleteOperation"
)

// Situation is all that a decision is made of.
type Situation struct {
	Operation *v1alpha1.Operation
	Policy    Policy
	// Compile resolves queue and template for the attempt that is to begin, of an operation that is in its
	// line since queued.
	Compile func(attempt int32, queued time.Time) Compilation
	// Run is what is seen of the object of the current attempt, Held whether our finalizer is on it.
	Run  Observation
	Held bool
	// Due says whether an operation of this status, of whose attempt this is seen, is near enough to the head of
	// its line to have its pods, and whether its workflows let it to its queue.
	Due func(*v1alpha1.OperationStatus, Observation) (due, released bool)
	// Assigned is where the operation counts by what it says now; nil where that can't be found.
	Assigned *Compilation
	// Stale says that the run was made for another queue, priority or cost than the operation has now.
	Stale bool
	Now   time.Time
}

// Compilation is what a template and params came to.
type Compilation struct {
	Queue, Project, Organization string
	// Agent in another cluster that it is assigned to; empty: it runs in this one.
	Agent string
	// Routed says to which of several agents it goes, and why; empty: there is one.
	Routed    string
	Component *v1alpha1.ComponentReference
	Priority  int32
	Cost      string // declared per hour; empty: by prices
	// Run is the object to be, Requests what its pods ask for together.
	Run      *v1alpha1.RunReference
	Requests corev1.ResourceList
	// Problem says why there is nothing to run.
	Problem *Cause
}

// Decision is what becomes of the operation now.
type Decision struct {
	Status v1alpha1.OperationStatus
	Action Action
	// Run is what is seen of the attempt that it is at now.
	Run Observation
	// After is when to look again though nothing changed; 0: never.
	After time.Duration
}

// Reasons of timeline entries that are decided here.
const (
	reasonCreated        = "Created"
	reasonCompiled       = "Compiled"
	reasonAwaitsApproval = "AwaitsApproval"
	reasonApproved       = "Approved"
	reasonQueued         = "Queued"
	reasonMoved          = "Moved"
	reasonRouted         = "Routed"
	reasonStopped        = "Stopped"
	reasonResumed        = "Resumed"
	reasonRestarted      = "Restarted"
	reasonTimeout        = "TimedOut"
	reasonQueueTimeout   = "QueueTimedOut"
	reasonSucceeded      = "Succeeded"
	reasonVanished       = "Vanished"
	reasonRecovered      = "Recovered"
)

// Decide says what becomes of an operation.
func Decide(s Situation) Decision {
	d := &decision{Situation: s, status: *s.Operation.Status.DeepCopy()}
	d.status.ObservedGeneration = s.Operation.Generation
	d.decide()
	if d.Run.Abandoned && d.action == Nothing {
		d.action = DeleteRun
	}
	if d.status.Phase != v1alpha1.StatusQueued && d.status.Phase != v1alpha1.StatusUnschedulable {
		meta.RemoveStatusCondition(&d.status.Conditions, v1alpha1.WaitingCondition)
	}
	timeline.SetConditions(&d.status.Conditions, d.status.Timeline, "operation", s.Operation.Generation, s.Now)
	return Decision{Status: d.status, Action: d.action, Run: d.Run, After: d.after}
}

type decision struct {
	Situation
	status v1alpha1.OperationStatus
	action Action
	after  time.Duration
}

func (d *decision) enter(s v1alpha1.Status, reason, message string) {
	enter(&d.status, s, d.Now, reason, message)
}

func (d *decision) decide() {
	if d.status.Phase == "" {
		enter(&d.status, v1alpha1.StatusCreated, d.Operation.CreationTimestamp.Time, reasonCreated, "")
		d.status.Restarts = d.Operation.Spec.Restarts
	}
	if o, marked := OutcomeOf(d.Operation); marked && d.status.Attempt == 0 {
		d.neverRun(o)
		return
	}
	if d.status.Phase.Final() && !d.beginAgain() {
		return
	}
	switch {
	case d.status.Phase == v1alpha1.StatusStopping:
		d.stopping()
	case d.Operation.Spec.DesiredState == v1alpha1.Stopped:
		reason, message, is := timeline.StopCause(d.Operation.Annotations, d.status.Timeline)
		if !is {
			reason, message = reasonStopped, "its desiredState is Stopped"
		}
		d.end(reason, message)
	case d.giveBack():
	case d.late():
	default:
		d.goOn()
		if !d.status.Phase.Final() && d.status.Phase != v1alpha1.StatusStopping {
			d.late() // what began now has its time, too
		}
	}
}

// goOn leads the operation along its way.
func (d *decision) goOn() {
	switch d.status.Phase {
	case v1alpha1.StatusCreated, v1alpha1.StatusResuming:
		if !d.compile() {
			return
		}
		d.approve()
	case v1alpha1.StatusCompiled, v1alpha1.StatusOnSchedule:
		d.approve()
	case v1alpha1.StatusRetrying:
		d.retry()
	case v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable:
		d.move()
		d.follow()
	default:
		d.follow()
	}
}

// compile begins an attempt. It says false where there is nothing to run.
func (d *decision) compile() bool {
	c := d.Compile(d.status.Attempt+1, d.queuedTime().Time)
	d.status.Attempt++
	d.Run, d.Held = Observation{Stage: Absent}, false // what was seen is the former attempt's
	d.status.ExitCode, d.status.RetryTime, d.status.FailureClass = nil, nil, ""
	if c.Problem != nil {
		d.fail(*c.Problem)
		return false
	}
	before := d.status.Component
	d.assign(c)
	d.status.Component, d.status.Run, d.status.Requests, d.status.Agent = c.Component, c.Run, c.Requests, c.Agent
	if d.status.Phase == v1alpha1.StatusRetrying && equal(before, c.Component) {
		return true
	}
	message := ""
	if c.Component != nil {
		message = fmt.Sprintf("from component %s, generation %d", c.Component.Name, c.Component.Generation)
	}
	d.enter(v1alpha1.StatusCompiled, reasonCompiled, message)
	return true
}

func (d *decision) assign(c Compilation) {
	d.status.Queue, d.status.Project, d.status.Organization = c.Queue, c.Project, c.Organization
	d.status.Priority, d.status.Cost = c.Priority, c.Cost
}

// move follows what the operation says of its queue while it waits.
func (d *decision) move() {
	to := d.Assigned
	if to == nil {
		return
	}
	from := d.status.Queue
	d.assign(*to)
	if from != to.Queue {
		d.enter(v1alpha1.StatusQueued, reasonMoved, fmt.Sprintf("moved from queue %s: waits in queue %s", from, to.Queue))
	}
}

func equal(a, b *v1alpha1.ComponentReference) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// Replace says that the attempt, which has not begun, is to run elsewhere than was written down.
func Replace(op *v1alpha1.Operation, c Compilation, now time.Time) {
	from, to, placed := op.Status.Agent, c.Agent, op.Status.Run != nil
	op.Status.Run, op.Status.Component, op.Status.Requests, op.Status.Agent = c.Run, c.Component, c.Requests, c.Agent
	switch {
	case c.Routed != "":
		enter(&op.Status, v1alpha1.StatusQueued, now, reasonRouted, fmt.Sprintf("waits in queue %s; %s", op.Status.Queue, c.Routed))
		timeline.SetConditions(&op.Status.Conditions, op.Status.Timeline, "operation", op.Generation, now)
	case from != to && placed:
		enter(&op.Status, v1alpha1.StatusQueued, now, reasonMoved, fmt.Sprintf("moved from %s to %s: waits in queue %s", clusterOf(from), clusterOf(to), op.Status.Queue))
		timeline.SetConditions(&op.Status.Conditions, op.Status.Timeline, "operation", op.Generation, now)
	}
}

// Routed is how often an agent was chosen for the attempt.
func Routed(status *v1alpha1.OperationStatus) (times int) {
	for i := range status.Timeline {
		if e := &status.Timeline[i]; e.Attempt == status.Attempt && e.Reason == reasonRouted {
			times++
		}
	}
	return times
}

func clusterOf(agent string) string {
	if agent == "" {
		return "this cluster"
	}
	return "agent " + agent
}

// approve queues what is approved or needs no approval.
func (d *decision) approve() {
	approved := d.Operation.Spec.Approved
	held := d.status.Phase == v1alpha1.StatusOnSchedule
	switch {
	case approved != nil && !*approved:
		if !held {
			d.enter(v1alpha1.StatusOnSchedule, reasonAwaitsApproval, "held until it is approved: set spec.approved to true")
		}
	case held:
		d.queue(reasonApproved, "approved by "+cmp.Or(d.Operation.Annotations[v1alpha1.ApprovedByAnnotation], "somebody the webhook did not see")+"; ")
	default:
		d.queue(reasonQueued, "")
	}
}

func (d *decision) queue(reason, prefix string) {
	since := d.queuedTime()
	d.status.QueuedTime = &since
	d.enter(v1alpha1.StatusQueued, reason, prefix+"waits in queue "+d.status.Queue)
	d.follow()
}

// queuedTime is since when the operation is in its line, as its status can hold it: of one that is not, now.
func (d *decision) queuedTime() metav1.MicroTime {
	if d.status.QueuedTime != nil {
		return *d.status.QueuedTime
	}
	at, marked := queuedMark(d.Operation, &d.status)
	if !marked {
		at = d.Now
	}
	return metav1.NewMicroTime(at.Truncate(time.Microsecond))
}

// retry begins the next attempt when the pause is over and nothing of the last one is left to record.
func (d *decision) retry() {
	if d.Held {
		d.action = ReleaseRun
		return
	}
	// More than the pause is left of it only where the clock has been set back since.
	if wait := d.until(d.status.RetryTime); wait > 0 && wait <= d.Policy.backoff(max(d.status.Retries, d.status.Lost)) {
		d.lookAfter(wait)
		return
	}
	if d.compile() {
		d.queue(reasonQueued, fmt.Sprintf("attempt %d ", d.status.Attempt))
	}
}

// follow records how far the run has come.
func (d *decision) follow() {
	unstarted := d.reached() == 0 && d.Run.ScheduledAt.IsZero()
	switch d.Run.Stage {
	case Absent:
		switch {
		case !unstarted:
			d.dispose(Cause{Infrastructure, reasonVanished, "what it ran as is gone and nobody saw how it ended"})
		default:
			if due, _ := d.Due(&d.status, d.Run); due {
				d.action = CreateRun
			}
		}
	case Gone:
		if !unstarted {
			d.dispose(d.Run.Cause)
		} else {
			d.action = ReleaseRun // deleted before it had a node: it is made again
		}
	case Waiting:
		if d.status.Phase != v1alpha1.StatusQueued {
			d.enter(v1alpha1.StatusQueued, reasonQueued, "waits in queue "+d.status.Queue+" again")
		}
		due, released := d.Due(&d.status, d.Run)
		switch {
		case d.Run.Deleting:
		case d.Stale || !due:
			d.action = WithdrawRun // others came before it, or it says what no longer holds
		case d.Run.Gated && released:
			d.action = ReleaseGate
		}
	case Unschedulable:
		if d.status.Phase != v1alpha1.StatusUnschedulable {
			d.enter(v1alpha1.StatusUnschedulable, d.Run.Cause.Reason, d.Run.Cause.Message)
		}
		if d.Stale && !d.Run.Deleting {
			d.action = WithdrawRun
		}
	case Lost:
		d.pass(Running)
		if d.status.Phase != v1alpha1.StatusUnknown {
			d.enter(v1alpha1.StatusUnknown, d.Run.Cause.Reason, d.Run.Cause.Message)
		}
	case Succeeded:
		d.pass(Running)
		d.succeed()
	case Failed:
		d.pass(Running)
		d.dispose(d.Run.Cause)
	default:
		wait := d.Run.ScheduledAt.Add(startsSoon).Sub(d.Now) // longer than startsSoon: the clocks differ
		if d.Run.Stage == Scheduled && wait > 0 && wait <= startsSoon && !Withdrawn(d.Operation) {
			d.lookAfter(wait)
			return
		}
		d.pass(d.Run.Stage)
		if d.Run.Warning != nil {
			d.warn()
		} else if d.status.Phase == v1alpha1.StatusWarning {
			d.recover()
		}
	}
}

// startsSoon is how long a node may take to begin before it is written down that it has been chosen:
// mostly it begins at once, and one write tells both.
const startsSoon = 2 * time.Second

// order is how far a status is along the way of an attempt.
var order = map[v1alpha1.Status]int{v1alpha1.StatusScheduled: 1, v1alpha1.StatusStarting: 2, v1alpha1.StatusRunning: 3}

// reached is how far the attempt has come since it last queued.
func (d *decision) reached() int {
	far := 0
	for i := len(d.status.Timeline) - 1; i >= 0; i-- {
		e := d.status.Timeline[i]
		if e.Attempt != d.status.Attempt || e.Status == v1alpha1.StatusQueued {
			break
		}
		far = max(far, order[e.Status])
	}
	return far
}

// pass enters the statuses up to a stage that were not entered yet. What ended without telling that
// it ever ran passes no further than it tells.
func (d *decision) pass(stage Stage) {
	far := d.reached()
	for _, s := range statusesUpTo[stage] {
		at := d.Run.at(s)
		if order[s] <= far || at.IsZero() && stage != d.Run.Stage {
			continue
		}
		if at.IsZero() {
			at = d.Now
		}
		message := ""
		if s == v1alpha1.StatusScheduled && d.Run.Node != "" {
			message = "on node " + d.Run.Node
		}
		enter(&d.status, s, at, map[v1alpha1.Status]string{
			v1alpha1.StatusScheduled: "Scheduled", v1alpha1.StatusStarting: "Starting", v1alpha1.StatusRunning: "Running",
		}[s], message)
		if s == v1alpha1.StatusRunning && d.status.StartTime == nil {
			started := metav1.NewMicroTime(at)
			d.status.StartTime = &started
		}
	}
	if d.status.Phase == v1alpha1.StatusUnknown && stage == d.Run.Stage {
		back := statusesUpTo[stage]
		message := "its node answers again"
		if last(&d.status).Reason == v1alpha1.ReasonUnreachable {
			message = fmt.Sprintf("agent %s answers again", d.status.Agent)
		}
		d.enter(back[len(back)-1], reasonRecovered, message)
	}
}

// warn records what keeps it from starting, once for each reason.
func (d *decision) warn() {
	w := d.Run.Warning
	if d.status.Phase == v1alpha1.StatusWarning && last(&d.status).Reason == timeline.Word(w.Reason) {
		return
	}
	d.enter(v1alpha1.StatusWarning, w.Reason, w.Message)
	d.lookAfter(d.Policy.StartTimeout)
}

// recover ends a warning. What runs again has to run for as long as it would be given to start: it may crash in a loop.
func (d *decision) recover() {
	if d.Run.Stage == Running {
		since := latest(d.Run.RunningAt, last(&d.status).Time.Time)
		if left := since.Add(d.Policy.StartTimeout).Sub(d.Now); left > 0 {
			d.lookAfter(min(left, d.Policy.StartTimeout))
			return
		}
	}
	back := statusesUpTo[d.Run.Stage]
	d.enter(back[len(back)-1], reasonRecovered, "what kept it from starting is over")
}

// warnedSince is when the last run of warnings began: one reason may follow another without end.
func (d *decision) warnedSince() metav1.MicroTime {
	since := last(&d.status).Time
	for i := len(d.status.Timeline) - 1; i >= 0 && d.status.Timeline[i].Status == v1alpha1.StatusWarning && d.status.Timeline[i].Attempt == d.status.Attempt; i-- {
		since = d.status.Timeline[i].Time
	}
	return since
}

// late ends what took too long, and says whether it did.
func (d *decision) late() bool {
	if d.Run.Stage == Succeeded || d.Run.Stage == Failed {
		return false
	}
	if t := d.Policy.Timeout; t != nil && d.status.StartTime != nil {
		if d.expired(*d.status.StartTime, *t, reasonTimeout, "it ran longer than its timeout of %s (spec.termination.timeout, retries included)") {
			return true
		}
	}
	phase := last(&d.status)
	switch phase.Status {
	case v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable:
		if d.Policy.QueueTimeout != nil && d.Run.ScheduledAt.IsZero() {
			return d.expired(waitsSince(&d.status), *d.Policy.QueueTimeout, reasonQueueTimeout, "it waited longer than its queueTimeout of %s (spec.termination.queueTimeout)")
		}
	case v1alpha1.StatusWarning:
		if d.Run.Stage != Running && d.Run.Warning != nil {
			return d.expired(d.warnedSince(), d.Policy.StartTimeout, phase.Reason, "it did not start within %s (spec.termination.startTimeout): "+phase.Message)
		}
	}
	return false
}

// expired ends the operation if a time is over, and looks again at that time if it is not. It never looks away for longer
// than the limit: by a clock that is behind more of it would be left, also when the clock is right again.
func (d *decision) expired(since metav1.MicroTime, limit time.Duration, reason, message string) bool {
	if left := since.Add(limit).Sub(d.Now); left > 0 {
		d.lookAfter(min(left, limit))
		return false
	}
	d.end(reason, fmt.Sprintf(message, limit))
	return true
}

// end stops the run, if there is one, and says what for.
func (d *decision) end(reason, message string) {
	d.enter(v1alpha1.StatusStopping, reason, message)
	d.stopping()
}

// stopping waits for the end of the run. What ended by itself before it was told to, ended so.
func (d *decision) stopping() {
	why := last(&d.status)
	switch {
	case d.Run.Stage == Succeeded && !d.Run.Deleting:
		d.succeed()
	case !d.Run.ended():
		if !d.Run.Deleting {
			d.action = DeleteRun
		}
	case why.Reason == reasonStopped || timeline.ByRule(why.Reason):
		message := why.Message
		if d.Run.Stage == Failed && !d.Run.Deleting {
			message = sentence(message+"; its last attempt", d.Run.Cause.Message)
		}
		d.finish(v1alpha1.StatusStopped, why.Reason, message)
	default:
		d.fail(Cause{Deadline, why.Reason, why.Message})
	}
}

// dispose decides what follows the end of an attempt that did not succeed.
func (d *decision) dispose(cause Cause) {
	d.status.ExitCode, d.status.FailureClass = d.Run.ExitCode, cause.Class
	var pause time.Duration
	var message string
	switch {
	case cause.Class == Application && d.status.Retries < d.Policy.MaxRetries:
		d.status.Retries++
		d.status.Lost = 0
		pause = d.Policy.backoff(d.status.Retries)
		message = fmt.Sprintf("%s; retry %d of %d in %s", cause.Message, d.status.Retries, d.Policy.MaxRetries, pause)
	case cause.Class == Infrastructure && d.status.Lost < d.Policy.MaxLost:
		d.status.Lost++
		pause = d.Policy.backoff(d.status.Lost)
		message = fmt.Sprintf("%s; it runs again in %s, which uses up no retry", cause.Message, pause)
	default:
		if cause.Class == Application && d.Policy.MaxRetries > 0 {
			cause.Message = fmt.Sprintf("%s; all %d retries are used", cause.Message, d.Policy.MaxRetries)
		}
		d.fail(cause)
		return
	}
	d.enter(v1alpha1.StatusRetrying, cause.Reason, message)
	next := metav1.NewMicroTime(d.Now.Add(pause))
	d.status.RetryTime = &next
	d.retry()
}

func (d *decision) succeed() {
	d.status.ExitCode = d.Run.ExitCode
	outputs, err := Outputs(d.Run.Message)
	d.status.Outputs = outputs
	if err != nil {
		d.enter(v1alpha1.StatusWarning, "InvalidOutputs", err.Error())
	}
	d.finish(v1alpha1.StatusSucceeded, reasonSucceeded, "")
}

func (d *decision) fail(cause Cause) {
	d.status.FailureClass = cause.Class
	d.finish(v1alpha1.StatusFailed, cause.Reason, cause.Message)
}

// finish enters the final status. Our finalizer goes only after it is written.
func (d *decision) finish(s v1alpha1.Status, reason, message string) {
	at := d.Now
	if !d.Run.FinishedAt.IsZero() {
		at = d.Run.FinishedAt
	}
	enter(&d.status, s, at, reason, message)
	finished := last(&d.status).Time
	d.status.FinishTime, d.status.RetryTime = &finished, nil
	d.ended()
}

// neverRun ends what its workflow has marked. It neither compiles nor queues.
func (d *decision) neverRun(o Outcome) {
	if d.status.Phase.Final() {
		d.ended()
		return
	}
	d.finish(o.Status, o.Reason, o.Message)
}

// ended looks after what is over.
func (d *decision) ended() {
	switch {
	case !d.Held:
	case d.Run.ended():
		d.action = ReleaseRun
		return
	default: // somebody edited the status: what is over holds no seat
		if !d.Run.Deleting {
			d.action = DeleteRun
		}
		return
	}
	if ttl := d.Policy.TTL; ttl != nil && d.status.FinishTime != nil {
		if left := d.status.FinishTime.Add(*ttl).Sub(d.Now); left > 0 {
			d.lookAfter(min(left, *ttl))
		} else {
			d.action = DeleteOperation
		}
	}
}

// beginAgain says whether what is over is to run again.
func (d *decision) beginAgain() bool {
	spec := &d.Operation.Spec
	restart := spec.Restarts > d.status.Restarts
	resume := d.status.Phase == v1alpha1.StatusStopped && !IsCopy(d.Operation)
	if spec.DesiredState == v1alpha1.Stopped || !restart && !resume || d.Held {
		d.ended()
		return false
	}
	d.status.Restarts = spec.Restarts
	d.status.Retries, d.status.Lost = 0, 0
	d.status.QueuedTime, d.status.StartTime, d.status.FinishTime = nil, nil, nil
	d.status.Outputs, d.status.ExitCode, d.status.FailureClass = nil, nil, ""
	if restart {
		d.enter(v1alpha1.StatusResuming, reasonRestarted, fmt.Sprintf("restart %d", spec.Restarts))
	} else {
		d.enter(v1alpha1.StatusResuming, reasonResumed, "its desiredState is Run again")
	}
	return true
}

// until is how long it is until a time.
func (d *decision) until(t *metav1.MicroTime) time.Duration {
	if t == nil {
		return 0
	}
	return t.Sub(d.Now)
}

// lookAfter looks again after a time, or earlier if that was asked for.
func (d *decision) lookAfter(wait time.Duration) {
	if d.after == 0 || wait < d.after {
		d.after = wait
	}
}

// CannotStart is what becomes of an operation whose run the API server does not accept.
func CannotStart(op *v1alpha1.Operation, cause Cause, now time.Time) v1alpha1.OperationStatus {
	d := &decision{Situation: Situation{Operation: op, Run: Observation{Stage: Absent}, Now: now}, status: *op.Status.DeepCopy()}
	d.fail(cause)
	timeline.SetConditions(&d.status.Conditions, d.status.Timeline, "operation", op.Generation, now)
	return d.status
}
