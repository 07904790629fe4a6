package operation

import (
	"time"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Outcome is what the workflow of an operation has marked it with: it never runs, and this is its end.
type Outcome struct {
	Status          v1alpha1.Status
	Reason, Message string
}

// OutcomeOf is the mark of an operation, if it has one.
func OutcomeOf(op *v1alpha1.Operation) (Outcome, bool) {
	mark, marked := op.Annotations[v1alpha1.OutcomeAnnotation]
	o := Outcome{Status: v1alpha1.Status(mark), Message: op.Annotations[v1alpha1.OutcomeMessageAnnotation]}
	switch o.Status {
	case v1alpha1.StatusSkipped:
		o.Reason = "Skipped"
	case v1alpha1.StatusUpstreamFailed:
		o.Reason = "UpstreamFailed"
	default: // a word that this version does not know is no reason to run it
		o.Status, o.Reason = v1alpha1.StatusFailed, "ConditionFailed"
	}
	return o, marked
}

// queuedMark is since when an operation is to be in its line, by the mark of its workflow. It holds for the
// first time that it queues.
func queuedMark(op *v1alpha1.Operation, status *v1alpha1.OperationStatus) (time.Time, bool) {
	for _, e := range status.Timeline {
		if e.Status == v1alpha1.StatusQueued {
			return time.Time{}, false
		}
	}
	at, err := time.Parse(time.RFC3339Nano, op.Annotations[v1alpha1.QueuedTimeAnnotation])
	return at, err == nil
}
