package workflow

import (
	"fmt"
	"strings"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Status is where a node stands, as far as those that depend on it care.
type Status uint8

// The statuses of a node. All but the first two are final.
const (
	// Pending: nothing is decided yet.
	Pending Status = iota
	// Active: it was told to start and is not done. Waiting for approval or in a queue is active, too.
	Active
	Succeeded
	Failed
	Stopped
	// Skipped: its condition was false, or an upstream was skipped and it follows suit.
	Skipped
	// UpstreamFailed: its trigger cannot be met any more.
	UpstreamFailed

	numStatuses
)

var statusNames = [numStatuses]string{"pending", "active", "succeeded", "failed", "stopped", "skipped", "upstream_failed"}

// String is the status as users read it.
func (s Status) String() string {
	if s < numStatuses {
		return statusNames[s]
	}
	return fmt.Sprintf("status %d", s)
}

// Done says whether a status is final.
func (s Status) Done() bool { return s >= Succeeded }

// Counts says how many nodes have each status.
type Counts [numStatuses]int

// Count counts statuses.
func Count(statuses []Status) Counts {
	var c Counts
	for _, s := range statuses {
		c[s]++
	}
	return c
}

// Total is how many nodes there are.
func (c Counts) Total() int {
	n := 0
	for _, of := range c {
		n += of
	}
	return n
}

// Over says whether all nodes are done.
func (c Counts) Over() bool { return c[Pending]+c[Active] == 0 }

// Outcome is the status of a DAG whose nodes are counted: Active until all are done. A DAG of no nodes
// has succeeded.
//
// It is what came of the nodes; a workflow that was itself told to stop is stopped, whatever came of them.
func (c Counts) Outcome() Status {
	switch {
	case !c.Over():
		return Active
	case c[Failed]+c[UpstreamFailed] > 0:
		return Failed
	case c[Stopped] > 0 && c[Succeeded] == 0:
		return Stopped
	default:
		return Succeeded
	}
}

// String lists what there is: "2 succeeded, 1 failed".
func (c Counts) String() string {
	var parts []string
	for s, n := range c {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, Status(s)))
		}
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// StatusOf is what those that depend on a child care for of where it stands.
func StatusOf(phase v1alpha1.Status) Status {
	switch phase {
	case v1alpha1.StatusSucceeded:
		return Succeeded
	case v1alpha1.StatusFailed:
		return Failed
	case v1alpha1.StatusStopped:
		return Stopped
	case v1alpha1.StatusSkipped:
		return Skipped
	case v1alpha1.StatusUpstreamFailed:
		return UpstreamFailed
	}
	return Active
}
