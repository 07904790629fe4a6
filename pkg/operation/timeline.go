package operation

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

const (
	// maxTimeline bounds the timeline: how it began and what was last are kept.
	maxTimeline, keptFirst = 64, 8
	// maxMessage bounds a message of it.
	maxMessage = 2048
)

// enter appends a status to the timeline and makes it the phase. Times never run backwards.
func enter(status *v1alpha1.OperationStatus, s v1alpha1.Status, at time.Time, reason, message string) {
	if n := len(status.Timeline); n > 0 {
		at = latest(at, status.Timeline[n-1].Time.Time)
	}
	status.Phase = s
	status.Timeline = append(status.Timeline, v1alpha1.TimelineEntry{
		Status: s, Time: metav1.NewMicroTime(at), Reason: reason, Message: lastOf(message, maxMessage), Attempt: status.Attempt,
	})
	if over := len(status.Timeline) - maxTimeline; over > 0 {
		status.Timeline = append(status.Timeline[:keptFirst:keptFirst], status.Timeline[keptFirst+over:]...)
		status.Dropped += int32(over)
	}
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
	if len(status.Timeline) == 0 {
		return v1alpha1.TimelineEntry{}
	}
	return status.Timeline[len(status.Timeline)-1]
}
