package timeline

import "github.com/queueyard/queueyard/pkg/apis/v1alpha1"

// StopCause is why the workflow of a child has stopped it, by the child's annotations, if it was a rule of the
// workflow. What has stopped it before does not count: it has gone on since, and whoever stops it now is another.
func StopCause(annotations map[string]string, line []v1alpha1.TimelineEntry) (reason, message string, is bool) {
	reason, message = annotations[v1alpha1.StopReasonAnnotation], annotations[v1alpha1.StopMessageAnnotation]
	if !ByRule(reason) || message == "" {
		return "", "", false
	}
	for i := range line {
		if e := &line[i]; e.Status == v1alpha1.StatusStopped && e.Reason == reason {
			return "", "", false
		}
	}
	return reason, message, true
}

// ByRule says whether a reason is that of a child that a rule of its workflow has stopped.
func ByRule(reason string) bool {
	return reason == v1alpha1.ReasonStoppedByPolicy || reason == v1alpha1.ReasonStoppedEarly
}
