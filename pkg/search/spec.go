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

	// Hyperband promotes the best of many trials to more of a resource, rung by rung.
	Hyperband *Hyperband `json:"hyperband,omitempty"`

	// ASHA promotes as Hyperband does, but waits for no rung.
	ASHA *ASHA `json:"asha,omitempty"`

	// Bayes tries where a model of what came of trials promises most.
	Bayes *Bayes `json:"bayes,omitempty"`

	// TPE draws values where good trials were.
	TPE *TPE `json:"tpe,omitempty"`

	// Hyperopt is TPE, random search or annealing.
	Hyperopt *Hyperopt `json:"hyperopt,omitempty"`

	// Iterative asks an operation of the user for trials. See [NewIterations].
	Iterative *Iterative `json:"iterative,omitempty"`
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
	var made []func() (Algorithm, error)
	add := func(is bool, make func() (Algorithm, error)) {
		if is {
			made = append(made, make)
		}
	}
	add(s.Mapping != nil, func() (Algorithm, error) { return newMapping(s.Mapping) })
	add(s.Grid != nil, func() (Algorithm, error) { return newGrid(s.Grid) })
	add(s.Random != nil, func() (Algorithm, error) { return newRandom(s.Random, seed) })
	add(s.Hyperband != nil, func() (Algorithm, error) { return newHyperband(s.Hyperband, seed) })
	add(s.ASHA != nil, func() (Algorithm, error) { return newASHA(s.ASHA, seed) })
	add(s.Bayes != nil, func() (Algorithm, error) { return newBayes(s.Bayes, seed) })
	add(s.TPE != nil, func() (Algorithm, error) { return newTPE(s.TPE, seed) })
	add(s.Hyperopt != nil, func() (Algorithm, error) { return newHyperopt(s.Hyperopt, seed) })
	add(s.Iterative != nil, func() (Algorithm, error) { return NewIterations(s.Iterative, seed, nil) })
	if len(made) != 1 {
		return nil, fmt.Errorf("a search has %d of %s: write exactly one", len(made), searchKinds)
	}
	return made[0]()
}

const searchKinds = "mapping, grid, random, hyperband, asha, bayes, tpe, hyperopt and iterative"

// Suggest is what the algorithm of a specification suggests: see [Algorithm].
func Suggest(s Spec, seed int64, observations []Observation, n int) (Suggestions, error) {
	a, err := New(s, seed)
	if err != nil {
		return Suggestions{}, err
	}
	return a.Suggest(observations, n), nil
}
