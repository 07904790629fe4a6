package client

import (
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// KindOf is what people call an object that stands in queues: operation, workflow, job, pod.
func KindOf(o client.Object) string {
	switch o.(type) {
	case *v1alpha1.Operation:
		return "operation"
	case *v1alpha1.Workflow:
		return "workflow"
	case *batchv1.Job:
		return "job"
	}
	return "pod"
}

// Title is an object as commands take it: op/NAME.
func Title(o client.Object) string {
	short := KindOf(o)
	switch o.(type) {
	case *v1alpha1.Operation:
		short = "op"
	case *v1alpha1.Workflow:
		short = "wf"
	}
	return short + "/" + o.GetName()
}

// listOf is an empty list of what an object is.
func listOf(o client.Object) client.ObjectList {
	switch o.(type) {
	case *v1alpha1.Operation:
		return &v1alpha1.OperationList{}
	case *v1alpha1.Workflow:
		return &v1alpha1.WorkflowList{}
	case *batchv1.Job:
		return &batchv1.JobList{}
	}
	return &corev1.PodList{}
}

// Progress is what operations and workflows have in common.
type Progress struct {
	// Phase is the last status; empty: the controller has not seen it yet.
	Phase    v1alpha1.Status
	Timeline []v1alpha1.TimelineEntry
	// Dropped entries of the timeline are no longer kept.
	Dropped int32
	Finish  *metav1.MicroTime
	// Conditions of its status.
	Conditions []metav1.Condition
}

// ProgressOf an operation or workflow; a pod or Job tells what it can. Since when a Job runs only its pods know: give them where
// they are at hand.
func ProgressOf(o client.Object, pods ...*corev1.Pod) Progress {
	switch o := o.(type) {
	case *v1alpha1.Operation:
		return Progress{o.Status.Phase, o.Status.Timeline, o.Status.Dropped, o.Status.FinishTime, o.Status.Conditions}
	case *v1alpha1.Workflow:
		return Progress{o.Status.Phase, o.Status.Timeline, o.Status.Dropped, o.Status.FinishTime, o.Status.Conditions}
	}
	return plainProgress(o, pods)
}

// LastMessage is what the last status says, with its reason, in a line.
func (p Progress) LastMessage() string {
	if len(p.Timeline) == 0 {
		return ""
	}
	e := p.Timeline[len(p.Timeline)-1]
	return strings.TrimSuffix(e.Reason+": "+OneLine(e.Message), ": ")
}

// Spent is how long it has waited in its queue and run, until now.
func (p Progress) Spent(now time.Time) (queued, running time.Duration) {
	for i, e := range p.Timeline {
		end := now
		if i < len(p.Timeline)-1 {
			end = p.Timeline[i+1].Time.Time
		} else if e.Status != p.Phase {
			break // it has gone on at a time that is not known
		}
		switch e.Status {
		case v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable:
			queued += end.Sub(e.Time.Time)
		case v1alpha1.StatusRunning, v1alpha1.StatusUnknown, v1alpha1.StatusStopping:
			running += end.Sub(e.Time.Time)
		}
	}
	return queued, running
}

// Over says that an operation or workflow has ended, and that nobody has asked to run it again since.
func Over(o client.Object) bool {
	switch o := o.(type) {
	case *v1alpha1.Operation:
		return o.Status.Phase.Final() && !goesOn(o, o.Status.Phase, o.Status.ObservedGeneration)
	case *v1alpha1.Workflow:
		return o.Status.Phase.Final() && !goesOn(o, o.Status.Phase, o.Status.ObservedGeneration)
	}
	return ProgressOf(o).Phase.Final()
}

// goesOn: what has ended is to run again, and nobody has acted on that yet. What is to be stopped does not.
func goesOn(o client.Object, phase v1alpha1.Status, observed int64) bool {
	c := controlsOf(o)
	if *c.desired == v1alpha1.Stopped {
		return false
	}
	return *c.restarts > c.obeyed || phase == v1alpha1.StatusStopped && observed < o.GetGeneration()
}

// AgentOf is the agent of another cluster that an operation runs at; nothing if it runs here.
func AgentOf(o *v1alpha1.Operation) string {
	if o.Status.Run == nil || o.Status.Run.Kind != assignmentRun {
		return ""
	}
	return strings.TrimPrefix(o.Status.Run.Namespace, v1alpha1.AgentNamespacePrefix)
}

// assignmentRun is what an operation runs as that another cluster runs.
const assignmentRun = "Assignment"

// OneLine is a text without its line breaks.
func OneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// ChildCounts says how the children of a workflow stand: "2 waiting, 1 failed, of 40".
func ChildCounts(c v1alpha1.ChildCounts) string {
	var parts []string
	for _, n := range []struct {
		count int64
		what  string
	}{
		{c.Waiting, "waiting"}, {c.Running, "running"}, {c.Succeeded, "succeeded"}, {c.Failed, "failed"}, {c.Stopped, "stopped"},
		{c.Skipped, "skipped"}, {c.UpstreamFailed, "upstream_failed"},
	} {
		if n.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.count, n.what))
		}
	}
	text := strings.Join(parts, ", ")
	switch {
	case c.Total > 0 && text != "":
		return fmt.Sprintf("%s, of %d", text, c.Total)
	case c.Total > 0:
		return fmt.Sprintf("none yet, of %d", c.Total)
	}
	return text
}
