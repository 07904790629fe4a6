package workflow

import "github.com/queueyard/queueyard/pkg/apis/v1alpha1"

// MatrixOutcome is the status of a matrix whose trials are all done. With a failure policy it succeeds while no more
// fail than that allows; as a search, with a metric, when at least one trial has a result; else it is judged as a
// DAG is, where one failure is too many.
func MatrixOutcome(c Counts, e *v1alpha1.EarlyStopping, search, result bool) Status {
	switch {
	case c[Stopped] > 0 && c[Succeeded]+c[Failed] == 0:
		return Stopped
	case e != nil && e.Failure != nil:
		if tooManyFailed(*e.Failure, c.Total(), c) != nil {
			return Failed
		}
		return Succeeded
	case search && c.Total() > 0:
		if result {
			return Succeeded
		}
		return Failed
	}
	return c.Outcome()
}
