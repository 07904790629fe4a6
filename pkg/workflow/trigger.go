package workflow

import "github.com/queueyard/queueyard/pkg/apis/v1alpha1"

// Trigger says what a node needs of its upstreams to start.
type Trigger = v1alpha1.Trigger

// The triggers. An empty one is AllSucceeded.
const (
	AllSucceeded = v1alpha1.AllSucceeded
	AllFailed    = v1alpha1.AllFailed
	AllDone      = v1alpha1.AllDone
	OneSucceeded = v1alpha1.OneSucceeded
	OneFailed    = v1alpha1.OneFailed
	OneDone      = v1alpha1.OneDone
)

// Triggers are all of them, the default first.
var Triggers = []Trigger{AllSucceeded, AllFailed, AllDone, OneSucceeded, OneFailed, OneDone}

// verdict is what the upstreams make of a trigger.
type verdict uint8

const (
	undecided verdict = iota
	met
	unmet // and never will be
)

// tally counts the upstreams of one node in the classes that triggers tell apart.
type tally struct {
	total     int32
	succeeded int32 // skipped ones, too
	failed    int32 // upstream_failed ones, too
	stopped   int32
	skipped   int32 // again, for skipOnUpstreamSkip
}

// add counts n more upstreams, or fewer, of a status.
func (t *tally) add(s Status, n int32) {
	switch s {
	case Succeeded:
		t.succeeded += n
	case Skipped:
		t.succeeded += n
		t.skipped += n
	case Failed, UpstreamFailed:
		t.failed += n
	case Stopped:
		t.stopped += n
	}
}

func (t tally) done() int32 { return t.succeeded + t.failed + t.stopped }

// decide says whether the trigger is met, as early as it is certain.
func decide(t Trigger, up tally) verdict {
	if up.total == 0 {
		return met
	}
	switch t {
	case AllFailed:
		return all(up.failed, up)
	case AllDone:
		return all(up.done(), up)
	case OneSucceeded:
		return one(up.succeeded, up)
	case OneFailed:
		return one(up.failed, up)
	case OneDone:
		return one(up.done(), up)
	default:
		return all(up.succeeded, up)
	}
}

func all(matching int32, up tally) verdict {
	switch {
	case matching == up.total:
		return met
	case matching < up.done():
		return unmet
	default:
		return undecided
	}
}

func one(matching int32, up tally) verdict {
	switch {
	case matching > 0:
		return met
	case up.done() == up.total:
		return unmet
	default:
		return undecided
	}
}
