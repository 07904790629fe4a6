package search

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Iterative asks an operation of the user for trials: iteration by iteration it gets what came of all trials
// and returns the next ones.
type Iterative struct {
	// MaxIterations is how often the operation is asked at most.
	MaxIterations int64 `json:"maxIterations"`

	// Params by name, which the operation is told. What it suggests need not be of them.
	Params map[string]Param `json:"params,omitempty"`

	// Metric that the operation is told, if it wants to know.
	Metric *Metric `json:"metric,omitempty"`

	// Seed that the operation is told. Default: the caller's, another for each workflow.
	Seed *int64 `json:"seed,omitempty"`
}

// Request is what the operation is told, as JSON.
type Request struct {
	// Iteration from 0.
	Iteration     int64            `json:"iteration"`
	MaxIterations int64            `json:"maxIterations"`
	Seed          int64            `json:"seed"`
	Params        map[string]Param `json:"params,omitempty"`
	Metric        *Metric          `json:"metric,omitempty"`
	// Observations are all trials so far, by index.
	Observations []Reported `json:"observations"`
}

// Reported is a trial that ended.
type Reported struct {
	Trial
	State State `json:"state"`
	// Value of the metric, if it has one.
	Value *float64 `json:"value,omitempty"`
}

// Answer is what the operation returns.
type Answer struct {
	// Suggestions are objects, each the parameters of one trial. None: the search is over.
	Suggestions []json.RawMessage `json:"suggestions"`
}

// ReadAnswer reads what the operation returned for an iteration.
func ReadAnswer(data []byte) (Answer, error) {
	var a Answer
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&a); err != nil {
		return Answer{}, fmt.Errorf(`what the operation suggests cannot be read: %w: return an object such as {"suggestions": [{"lr": 0.1}]}`, err)
	}
	if a.Suggestions == nil {
		return Answer{}, errors.New(`what the operation suggests has no suggestions: return an object such as {"suggestions": [{"lr": 0.1}]}, with an empty list to end the search`)
	}
	if _, err := a.trials(); err != nil {
		return Answer{}, err
	}
	return a, nil
}

func (a Answer) trials() ([]map[string]json.RawMessage, error) {
	errs := problems{prefix: "what the operation suggests: "}
	out := make([]map[string]json.RawMessage, len(a.Suggestions))
	for i, raw := range a.Suggestions {
		if err := json.Unmarshal(raw, &out[i]); err != nil || out[i] == nil {
			errs.add(`suggestions[%d] is %s: return an object such as {"lr": 0.1}`, i, clip(string(raw)))
		}
	}
	return out, errs.err()
}

// Iterations is an iterative search with the answers that it got so far.
type Iterations struct {
	fixed
	spec    Iterative
	seed    int64
	answers int64
	over    bool // an answer had no suggestions
}

// NewIterations is an iterative search that got some answers, in the order of iterations. Trials are numbered
// in that order, too.
func NewIterations(i *Iterative, seed int64, answers []Answer) (*Iterations, error) {
	errs := problems{prefix: "iterative."}
	if i.Params != nil {
		newParams(i.Params, &errs)
	}
	if i.Metric != nil {
		i.Metric.check(&errs)
	}
	if i.MaxIterations < 1 || i.MaxIterations > MaxTrials {
		errs.add("maxIterations is %d: write how often the operation is asked at most, 1 to %d", i.MaxIterations, MaxTrials)
	}
	if err := errs.err(); err != nil {
		return nil, err
	}
	if i.Seed != nil {
		seed = *i.Seed
	}
	s := &Iterations{spec: *i, seed: seed}
	var params []map[string]json.RawMessage
	for _, a := range answers[:min(int64(len(answers)), i.MaxIterations)] {
		next, err := a.trials()
		if err != nil {
			return nil, err
		}
		if len(params)+len(next) > MaxTrials {
			return nil, fmt.Errorf("what the operation suggests: there are %d trials with it: a search has %d at most", len(params)+len(next), MaxTrials)
		}
		params = append(params, next...)
		s.answers++
		if s.over = len(next) == 0; s.over {
			break
		}
	}
	s.fixed = fixed{
		total: int64(len(params)),
		trial: func(i int64) (map[string]json.RawMessage, bool) { return params[i], true },
		whole: fmt.Sprintf("iterative, %d of at most %d iterations answered", s.answers, i.MaxIterations),
	}
	return s, nil
}

// Total implements [Algorithm]: the answers decide.
func (s *Iterations) Total() int64 { return -1 }

// more says whether the operation may be asked again.
func (s *Iterations) more() bool { return !s.over && s.answers < s.spec.MaxIterations }

// Suggest implements [Algorithm].
func (s *Iterations) Suggest(observations []Observation, n int) Suggestions {
	next := s.fixed.Suggest(observations, n)
	if s.more() && next.Exhausted {
		next.Exhausted = false
		next.Message = fmt.Sprintf("%s: %d trials exist, %d are suggested", s.whole, len(observations), len(next.Trials))
	}
	return next
}

// Due is what the operation is to be asked now: once all trials that it suggested have ended, unless it was
// asked often enough.
func (s *Iterations) Due(observations []Observation) (Request, bool) {
	if !s.more() || len(s.fixed.Suggest(observations, 1).Trials) > 0 {
		return Request{}, false
	}
	r := Request{Iteration: s.answers, MaxIterations: s.spec.MaxIterations, Seed: s.seed, Params: s.spec.Params, Metric: s.spec.Metric, Observations: []Reported{}}
	for _, o := range observations {
		if o.State == InFlight {
			return Request{}, false
		}
		told := Reported{Trial: o.Trial, State: o.State}
		if hasResult(o) {
			value := o.Value
			told.Value = &value
		}
		r.Observations = append(r.Observations, told)
	}
	slices.SortFunc(r.Observations, func(a, b Reported) int { return cmp.Compare(a.Index, b.Index) })
	return r, true
}
