package operation

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/timeline"
)

// enter appends a status to the timeline and makes it the phase.
func enter(status *v1alpha1.OperationStatus, s v1alpha1.Status, at time.Time, reason, message string) {
	var dropped int32
	status.Phase = s
	status.Timeline, dropped = timeline.Append(status.Timeline, v1alpha1.TimelineEntry{
		Status: s, Time: metav1.NewMicroTime(at), Reason: reason, Message: message, Attempt: status.Attempt,
	})
	status.Dropped += dropped
}

// waitsSince is since when the current attempt has no node: it may have been found that no node fits it, and moved, in the meantime.
func waitsSince(status *v1alpha1.OperationStatus) metav1.MicroTime {
	since := last(status).Time
	for i := len(status.Timeline) - 1; i >= 0; i-- {
		e := status.Timeline[i]
		if e.Attempt != status.Attempt || e.Status != v1alpha1.StatusQueued && e.Status != v1alpha1.StatusUnschedulable {
			break
		}
		since = e.Time
	}
	return since
}

// last is the last entry of the timeline.
func last(status *v1alpha1.OperationStatus) v1alpha1.TimelineEntry {
	return timeline.Last(status.Timeline)
}
