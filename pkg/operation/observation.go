package operation

import (
	"time"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Stage is how far a run has come.
type Stage string

// The stages of a run.
const (
	// Absent: there is no object.
	Absent Stage = "Absent"
	// Waiting: no pod of it has a node.
	Waiting Stage = "Waiting"
	// Unschedulable: admitted, and no node has room.
	Unschedulable Stage = "Unschedulable"
	// Scheduled: a pod has a node, which has not begun with it.
	Scheduled Stage = "Scheduled"
	// Starting: its node prepares it.
	Starting Stage = "Starting"
	// Running: its containers run.
	Running Stage = "Running"
	// Lost: its node does not answer.
	Lost Stage = "Lost"
	// Succeeded and Failed: it ended.
	Succeeded Stage = "Succeeded"
	Failed    Stage = "Failed"
	// Gone: it is deleted but for our finalizer; nothing of it runs.
	Gone Stage = "Gone"
)

// Stages are all of them, for tables.
var Stages = []Stage{Absent, Waiting, Unschedulable, Scheduled, Starting, Running, Lost, Succeeded, Failed, Gone}

// Observation is what is seen of the object that an attempt runs as.
type Observation struct {
	Stage Stage
	// Deleting says that somebody has asked for its deletion.
	Deleting bool
	// Abandoned says that its deletion leaves its pods alone: they go on until their deletion is asked for.
	Abandoned bool
	// Gated says that the pod has the gate of workflows.
	Gated bool
	// Warning is what keeps it from starting, though it may mend itself.
	Warning *Cause
	// Cause is why it is unschedulable, lost or failed.
	Cause Cause
	// Times at which it reached its stages, where it tells.
	ScheduledAt, StartingAt, RunningAt, FinishedAt time.Time
	// ExitCode and Message are those of the main container.
	ExitCode *int32
	Message  string
	// Node is where it runs.
	Node string
}

// ended says that nothing of the run is alive.
func (o Observation) ended() bool {
	return o.Stage == Absent || o.Stage == Gone || o.Stage == Succeeded || o.Stage == Failed
}

// Cause is why something ended or does not go on.
type Cause struct {
	Class   Class
	Reason  string // one word of CamelCase
	Message string
}

// Class says what is to be done about a cause.
type Class = v1alpha1.FailureClass

// The classes.
const (
	Application    = v1alpha1.FailureApplication
	Configuration  = v1alpha1.FailureConfiguration
	Infrastructure = v1alpha1.FailureInfrastructure
	Deadline       = v1alpha1.FailureDeadline
)

// statusesUpTo are the statuses that a stage passes through, in their order.
var statusesUpTo = map[Stage][]v1alpha1.Status{
	Scheduled: {v1alpha1.StatusScheduled},
	Starting:  {v1alpha1.StatusScheduled, v1alpha1.StatusStarting},
	Running:   {v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning},
}

// at is when a run reached the stage of a status, or zero if it does not tell.
func (o Observation) at(s v1alpha1.Status) time.Time {
	switch s {
	case v1alpha1.StatusScheduled:
		return o.ScheduledAt
	case v1alpha1.StatusStarting:
		return o.StartingAt
	case v1alpha1.StatusRunning:
		return o.RunningAt
	}
	return o.FinishedAt
}
