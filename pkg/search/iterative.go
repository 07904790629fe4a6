package search

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Iterative asks an operation of the user for trials: iteration by iteration it gets what came of all trials
// and returns the next ones.
type Iterative struct {
	// MaxIterations is how often the operation is asked at most.
	MaxIterations int64 `json:"maxIterations"`

	// Params by name, which the operation is told. If there are any, each trial has a value of each, and no others.
	Params map[string]Param `json:"params,omitempty"`

	// Metric that the operation is told. Without one it is told no values.
	Metric *Metric `json:"metric,omitempty"`

	// Seed that the operation is told. Default: the caller's, another for each workflow.
	Seed *int64 `json:"seed,omitempty"`
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
		if errs.many() {
			break
		}
	}
	return out, errs.err()
}

// many says that there are as many problems as are worth reading at once.
func (p *problems) many() bool {
	const most = 5
	if len(p.errs) >= most {
		p.add("there may be more that is wrong: correct this first")
		return true
	}
	return false
}

// Iterations is an iterative search with the answers that it got so far. It does not change.
type Iterations struct {
	fixed
	spec    Iterative
	seed    int64
	space   cube
	params  []map[string]json.RawMessage // of the trials, by index
	answers int64
	over    bool // an answer had no suggestions
}

// NewIterations is an iterative search that got some answers, in the order of iterations. Trials are numbered
// in that order, too.
func NewIterations(i *Iterative, seed int64, answers []Answer) (*Iterations, error) {
	errs := problems{prefix: "iterative."}
	s := &Iterations{spec: *i, seed: seed}
	if i.Params != nil {
		s.space = newCube(newParams(i.Params, &errs))
	}
	if i.Metric != nil {
		i.Metric.check(&errs)
	}
	if i.MaxIterations < 1 || i.MaxIterations > MaxTrials {
		errs.add("maxIterations is %d: write how often the operation is asked at most, 1 to %d", i.MaxIterations, MaxTrials)
	}
	if size := jsonSize(i.Params); size > MaxRequest/2 {
		errs.add("params take up %d bytes, and the operation is told them: write at most %d", size, MaxRequest/2)
	}
	if err := errs.err(); err != nil {
		return nil, err
	}
	if i.Seed != nil {
		s.seed = *i.Seed
	}
	s.number()
	for _, a := range answers {
		if !s.More() {
			break
		}
		next, err := s.Next(a)
		if err != nil {
			return nil, err
		}
		s = next
	}
	return s, nil
}

// Next is the search with one answer more.
func (s *Iterations) Next(a Answer) (*Iterations, error) {
	trials, err := a.trials()
	if err != nil {
		return nil, err
	}
	errs := problems{prefix: "what the operation suggests: "}
	for i, t := range trials {
		if s.check(i, t, &errs); errs.many() {
			break
		}
	}
	if n := len(s.params) + len(trials); n > MaxTrials {
		errs.add("there are %d trials with it: a search has %d at most", n, MaxTrials)
	}
	if err := errs.err(); err != nil {
		return nil, err
	}
	next := *s
	next.params = slices.Concat(s.params, trials)
	next.answers++
	next.over = len(trials) == 0
	next.number()
	return &next, nil
}

// number gives the trials their indexes.
func (s *Iterations) number() {
	params := s.params
	s.fixed = fixed{
		total: int64(len(params)),
		trial: func(i int64) (map[string]json.RawMessage, bool) { return maps.Clone(params[i]), true },
		whole: fmt.Sprintf("iterative, %d of at most %d iterations answered", s.answers, s.spec.MaxIterations),
	}
}

// check says what a suggestion has that is not of the params, where these are declared.
func (s *Iterations) check(i int, trial map[string]json.RawMessage, errs *problems) {
	if s.spec.Params == nil {
		return
	}
	for k, p := range s.space.params {
		raw, given := trial[p.name]
		switch {
		case !given:
			errs.add("suggestions[%d] has no %s, which is among iterative.params: return a value of each of them", i, p.name)
		case !s.space.has(k, raw):
			errs.add("suggestions[%d].%s is %s, which is no value of %s %s: return one that is, or declare others in iterative.params",
				i, p.name, clip(string(raw)), p.kind, clip(string(s.spec.Params[p.name].Value)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(trial)) {
		if _, declared := s.spec.Params[name]; !declared {
			errs.add("suggestions[%d].%s is not among iterative.params: leave it out, or declare it there", i, clip(name))
		}
	}
}

// Total implements [Algorithm]: the answers decide.
func (s *Iterations) Total() int64 { return -1 }

// Suggested is how many trials the answers have.
func (s *Iterations) Suggested() int64 { return s.total }

// MaxIterations is how many answers there are at most.
func (s *Iterations) MaxIterations() int64 { return s.spec.MaxIterations }

// Answers is how many answers there are.
func (s *Iterations) Answers() int64 { return s.answers }

// More says whether the operation may be asked again.
func (s *Iterations) More() bool { return !s.over && s.answers < s.spec.MaxIterations }

// Suggest implements [Algorithm].
func (s *Iterations) Suggest(observations []Observation, n int) Suggestions {
	next := s.fixed.Suggest(observations, n)
	if s.More() && next.Exhausted {
		next.Exhausted = false
		next.Message = fmt.Sprintf("%s: %d trials exist, %d are suggested", s.whole, len(observations), len(next.Trials))
	}
	return next
}
