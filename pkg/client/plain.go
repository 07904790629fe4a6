package client

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	runs "github.com/queueyard/queueyard/pkg/operation"
)

// plainProgress is what a pod or Job without an operation tells of itself, in the words of operations. Without its pods a Job tells
// its beginning, its end, and that some of them run.
func plainProgress(o client.Object, pods []*corev1.Pod) Progress {
	var seen runs.Observation
	waiting := ""
	switch o := o.(type) {
	case *corev1.Pod:
		seen = runs.ObservePod(o)
		for _, c := range o.Status.Conditions {
			if c.Type == v1alpha1.AdmittedCondition && c.Status == corev1.ConditionFalse {
				waiting = c.Message
			}
		}
	case *batchv1.Job:
		seen = runs.ObserveJob(o, pods)
	default:
		return Progress{}
	}
	var p Progress
	enter := func(s v1alpha1.Status, at time.Time, reason, message string) {
		p.Phase = s
		p.Timeline = append(p.Timeline, v1alpha1.TimelineEntry{Status: s, Time: metav1.NewMicroTime(at), Reason: reason, Message: message})
	}
	enter(v1alpha1.StatusQueued, o.GetCreationTimestamp().Time, "Created", waiting)
	if seen.Node != "" {
		for _, stage := range []struct {
			status v1alpha1.Status
			at     time.Time
		}{{v1alpha1.StatusScheduled, seen.ScheduledAt}, {v1alpha1.StatusStarting, seen.StartingAt}, {v1alpha1.StatusRunning, seen.RunningAt}} {
			if !stage.at.IsZero() {
				enter(stage.status, stage.at, "Pod", "")
			}
		}
	}
	last := p.Timeline[len(p.Timeline)-1].Time.Time
	end := last
	if seen.FinishedAt.After(last) {
		end = seen.FinishedAt
	}
	switch seen.Stage {
	case runs.Unschedulable:
		enter(v1alpha1.StatusUnschedulable, last, seen.Cause.Reason, seen.Cause.Message)
	case runs.Lost:
		enter(v1alpha1.StatusUnknown, last, seen.Cause.Reason, seen.Cause.Message)
	case runs.Succeeded:
		enter(v1alpha1.StatusSucceeded, end, "Succeeded", "")
	case runs.Failed:
		enter(v1alpha1.StatusFailed, end, seen.Cause.Reason, seen.Cause.Message)
	}
	if job, is := o.(*batchv1.Job); is && !p.Phase.Final() && ptr.Deref(job.Status.Ready, 0) > 0 {
		p.Phase = v1alpha1.StatusRunning // since when its pods know
	}
	if p.Phase.Final() {
		p.Finish = &p.Timeline[len(p.Timeline)-1].Time
	}
	return p
}

// actPlain stops a pod or Job without an operation, and lets a Job go on.
func (c *Client) actPlain(ctx context.Context, o client.Object, a Action) (says string, err error) {
	over, is := Over(o), ProgressOf(o).Phase
	switch o := o.(type) {
	case *batchv1.Job:
		stopped := ptr.Deref(o.Spec.Suspend, false)
		suspend := func(now bool) error {
			before := o.DeepCopy()
			o.Spec.Suspend = &now
			return c.Objects.Patch(ctx, o, client.MergeFrom(before), c.owner())
		}
		switch {
		case a == Stop && over:
			return "is over already: " + string(is), nil
		case a == Stop && stopped:
			return "is being stopped (as before)", nil
		case a == Stop:
			return "is being stopped", suspend(true)
		case a == Resume && !stopped:
			return "", fmt.Errorf("%s was not stopped", Title(o))
		case a == Resume:
			return "goes on", suspend(false)
		}
	case *corev1.Pod:
		switch {
		case a == Stop && over:
			return "is over already: " + string(is), nil
		case a == Stop:
			return "is deleted: a pod that has stopped does not go on", client.IgnoreNotFound(c.Objects.Delete(ctx, o))
		}
	}
	return "", fmt.Errorf("%s is neither operation nor workflow: it can't be told to %s", Title(o), a)
}
