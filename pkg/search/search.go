package search

import (
	"encoding/json"
	"fmt"
)

// Trial is one set of parameters to try.
type Trial struct {
	// Index from 0 identifies it within its search, for ever.
	Index int64 `json:"index"`

	// Params are JSON values by name.
	Params map[string]json.RawMessage `json:"params"`

	// Continues is the trial that was promoted to this one: its parameters are the same, but for the resource,
	// of which it has more. Nil for a trial that starts from nothing.
	Continues *int64 `json:"continues,omitempty"`

	// Resume: it goes on from what the trial that it continues left. Otherwise it starts again.
	Resume bool `json:"resume,omitempty"`
}

// State is what became of a trial.
type State string

// The states of a trial.
const (
	// InFlight: it exists and has no result yet.
	InFlight State = "InFlight"
	// Succeeded: it has a result.
	Succeeded State = "Succeeded"
	// Failed: it ended without a result. It is not suggested again. It counts as worse than every result.
	Failed State = "Failed"
	// Stopped: it was ended early, as it was not good enough. It counts as Failed does.
	Stopped State = "Stopped"
)

// Observation is a trial that exists, and what came of it.
type Observation struct {
	Trial
	State State
	// Value is the metric of one that succeeded. If it is not finite, the trial counts as Failed.
	Value float64
}

// Suggestions are the trials to start next.
type Suggestions struct {
	// Trials that do not exist yet, by index.
	Trials []Trial

	// Exhausted: none will ever come besides these. If it is false and there are fewer trials than were asked
	// for, more may come after further observations.
	Exhausted bool

	// Message says what the search has come to.
	Message string
}

// Algorithm suggests trials. What it suggests is a function of its specification, its seed and the
// observations alone, so a caller that lost everything but these goes on as if nothing had happened. It is
// safe for concurrent use.
type Algorithm interface {
	// Suggest suggests at most n trials that are not among the observations, which are all trials that exist,
	// in any order. The same trials are suggested again until they are observed.
	Suggest(observations []Observation, n int) Suggestions

	// Total is how many trials there will be at most, or -1 where observations decide.
	Total() int64
}

// Indexed is an [Algorithm] whose trials do not depend on observations.
type Indexed interface {
	Algorithm

	// Trial is the trial of an index, if there is one.
	Trial(index int64) (Trial, bool)
}

// fixed is an algorithm whose trials are known by their index.
type fixed struct {
	total int64
	trial func(index int64) (map[string]json.RawMessage, bool)
	// whole says what the trials are from: "grid of 12 points".
	whole string
}

// Total implements [Algorithm].
func (f *fixed) Total() int64 { return f.total }

// Trial implements [Indexed].
func (f *fixed) Trial(index int64) (Trial, bool) {
	if index < 0 || index >= f.total {
		return Trial{}, false
	}
	params, ok := f.trial(index)
	return Trial{Index: index, Params: params}, ok
}

// Suggest implements [Algorithm]: it suggests the first trials that do not exist.
func (f *fixed) Suggest(observations []Observation, n int) Suggestions {
	// Among the first so many at least n are free, and so is the one that would follow these.
	exists := make([]bool, min(f.total, int64(len(observations))+int64(max(n, 0))+1))
	for _, o := range observations {
		if o.Index >= 0 && o.Index < int64(len(exists)) {
			exists[o.Index] = true
		}
	}
	s := Suggestions{Exhausted: true}
	for i, is := range exists {
		if is {
			continue
		}
		if len(s.Trials) >= n {
			_, s.Exhausted = f.Trial(int64(i))
			s.Exhausted = !s.Exhausted
			break
		}
		t, ok := f.Trial(int64(i))
		if !ok {
			break // a random search that found nothing new: nor will it later
		}
		s.Trials = append(s.Trials, t)
	}
	s.Message = fmt.Sprintf("%s: %d of at most %d trials exist, %d are suggested", f.whole, len(observations), f.total, len(s.Trials))
	return s.finish()
}

// finish says in the message whether these are the last.
func (s Suggestions) finish() Suggestions {
	if s.Exhausted {
		s.Message += ", there are no others"
	}
	return s
}
