package operation

import "github.com/queueyard/queueyard/pkg/apis/v1alpha1"

// A copy is an operation in an agent's cluster that stands for an assignment of the hub.

// IsCopy says whether an operation is one.
func IsCopy(op *v1alpha1.Operation) bool { return op.Annotations[v1alpha1.AssignmentAnnotation] != "" }

// Withdrawn says whether the hub wants a copy back, if it has not begun.
func Withdrawn(op *v1alpha1.Operation) bool {
	return op.Annotations[v1alpha1.WithdrawnAnnotation] != ""
}

// reasonWithdrawn is that of the end of a copy which never began.
const reasonWithdrawn = "Withdrawn"

// GivenBack says whether this is the end of a copy that was withdrawn before it began.
func GivenBack(status *v1alpha1.OperationStatus) bool {
	return status.Phase == v1alpha1.StatusStopped && last(status).Reason == reasonWithdrawn
}

// Began says whether an attempt has had a node.
func Began(status *v1alpha1.OperationStatus) bool {
	for _, e := range status.Timeline {
		if e.Attempt == status.Attempt && order[e.Status] > 0 {
			return true
		}
	}
	return false
}

// giveBack ends a copy that is withdrawn and has not begun, and says whether it is one. It ends when there is nothing left
// that could begin; what waits is deleted only as it was seen.
func (d *decision) giveBack() bool {
	if !Withdrawn(d.Operation) || d.reached() > 0 || !d.Run.ScheduledAt.IsZero() {
		return false
	}
	switch d.Run.Stage {
	case Absent:
		d.finish(v1alpha1.StatusStopped, reasonWithdrawn, "the hub wants it back, and it has not begun")
	case Gone:
		d.action = ReleaseRun
	case Waiting, Unschedulable:
		if !d.Run.Deleting {
			d.action = DeleteRun
		}
	default:
		return false
	}
	return true
}
