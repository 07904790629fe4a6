package flow

import "github.com/queueyard/queueyard/pkg/apis/v1alpha1"

// Counts are things by where they stand.
type Counts struct {
	// Total that there will be; -1 where that is not known.
	Total int64 `json:"total"`
	// Waiting ones exist and have not begun. What is neither waiting nor anything else does not exist yet.
	Waiting        int64 `json:"waiting,omitempty"`
	Running        int64 `json:"running,omitempty"`
	Succeeded      int64 `json:"succeeded,omitempty"`
	Failed         int64 `json:"failed,omitempty"`
	Stopped        int64 `json:"stopped,omitempty"`
	Skipped        int64 `json:"skipped,omitempty"`
	UpstreamFailed int64 `json:"upstreamFailed,omitempty"`
}

// CountsOf the children of a workflow.
func CountsOf(c v1alpha1.ChildCounts) Counts { return Counts(c) }

// Done are those that are over.
func (c Counts) Done() int64 {
	return c.Succeeded + c.Failed + c.Stopped + c.Skipped + c.UpstreamFailed
}

func (c *Counts) add(s v1alpha1.Status) {
	switch s {
	case v1alpha1.StatusSucceeded:
		c.Succeeded++
	case v1alpha1.StatusFailed:
		c.Failed++
	case v1alpha1.StatusStopped:
		c.Stopped++
	case v1alpha1.StatusSkipped:
		c.Skipped++
	case v1alpha1.StatusUpstreamFailed:
		c.UpstreamFailed++
	default:
		switch spanKind(s) {
		case Starting, Running:
			c.Running++
		default:
			c.Waiting++
		}
	}
}
