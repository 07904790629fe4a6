package search

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// MaxTrials is how many trials a search can have, and how many values a parameter's range.
const MaxTrials = 1_000_000

// Spec is a search: exactly one of its fields is set.
type Spec struct {
	// Mapping tries given sets of parameters.
	Mapping *Mapping `json:"mapping,omitempty"`

	// Grid tries every combination of values.
	Grid *Grid `json:"grid,omitempty"`

	// Random draws the values of each trial.
	Random *Random `json:"random,omitempty"`
}

// Mapping tries given sets of parameters, in their order.
type Mapping struct {
	// Values are objects, each the parameters of one trial. None: nothing is tried.
	Values []json.RawMessage `json:"values"`
}

// Grid tries every combination of values. Parameters are sorted by name; the last one changes from trial to
// trial, the first one last.
type Grid struct {
	// Params by name: choice, range, linspace, logspace or geomspace.
	Params map[string]Param `json:"params"`

	// NumRuns tries the first so many only. Default: all.
	NumRuns *int64 `json:"numRuns,omitempty"`
}

// Random draws the values of each trial.
type Random struct {
	// Params by name, of any distribution.
	Params map[string]Param `json:"params"`

	// NumRuns is how many trials there are; fewer if there are no more different ones.
	NumRuns int64 `json:"numRuns"`

	// Seed that the values are drawn from. Default: the caller's, another for each workflow.
	Seed *int64 `json:"seed,omitempty"`
}

// Parse reads a specification from JSON and refuses fields it does not know.
func Parse(data []byte) (Spec, error) {
	var s Spec
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return Spec{}, fmt.Errorf("the search cannot be read: %w", err)
	}
	if decoder.More() {
		return Spec{}, errors.New("the search cannot be read: more follows its end")
	}
	return s, nil
}

// Validate says all that is wrong with a specification, or nil.
func (s Spec) Validate() error {
	_, err := New(s, 0)
	return err
}

// New makes the algorithm of a specification, or says all that is wrong with it. The seed is used where the
// specification has none.
func New(s Spec, seed int64) (Algorithm, error) {
	set := 0
	for _, is := range []bool{s.Mapping != nil, s.Grid != nil, s.Random != nil} {
		if is {
			set++
		}
	}
	switch {
	case set != 1:
		return nil, fmt.Errorf("a search has %d of mapping, grid and random: write exactly one", set)
	case s.Mapping != nil:
		return newMapping(s.Mapping)
	case s.Grid != nil:
		return newGrid(s.Grid)
	default:
		return newRandom(s.Random, seed)
	}
}

// Suggest is what the algorithm of a specification suggests: see [Algorithm].
func Suggest(s Spec, seed int64, observations []Observation, n int) (Suggestions, error) {
	a, err := New(s, seed)
	if err != nil {
		return Suggestions{}, err
	}
	return a.Suggest(observations, n), nil
}
