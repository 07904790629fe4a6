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

// entered is the last entry of a status in the current attempt.
func entered(status *v1alpha1.OperationStatus, s v1alpha1.Status) (v1alpha1.TimelineEntry, bool) {
	for i := len(status.Timeline) - 1; i >= 0; i-- {
		e := status.Timeline[i]
		if e.Attempt != status.Attempt {
			break
		}
		if e.Status == s {
			return e, true
		}
	}
	return v1alpha1.TimelineEntry{}, false
}

// last is the last entry of the timeline.
func last(status *v1alpha1.OperationStatus) v1alpha1.TimelineEntry {
	return timeline.Last(status.Timeline)
}
