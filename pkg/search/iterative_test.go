package search

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIterative(t *testing.T) {
	spec := parsed(t, `{"iterative": {"maxIterations": 3, "seed": 5, "metric": {"name": "loss", "optimization": "minimize"}}}`).Iterative
	var answers []Answer
	answer := func(text string) *Iterations {
		a, err := ReadAnswer([]byte(text))
		require.NoError(t, err)
		answers = append(answers, a)
		s, err := NewIterations(spec, 1, answers)
		require.NoError(t, err)
		return s
	}
	s, err := NewIterations(spec, 1, nil)
	require.NoError(t, err)
	next := s.Suggest(nil, 5)
	require.Empty(t, next.Trials)
	require.False(t, next.Exhausted)
	request, due := s.Due(nil)
	require.True(t, due)
	raw, err := json.Marshal(request)
	require.NoError(t, err)
	require.JSONEq(t, `{"iteration": 0, "maxIterations": 3, "seed": 5, "metric": {"name": "loss", "optimization": "minimize"}, "observations": []}`, string(raw))

	s = answer(`{"suggestions": [{"x": 0.5}, {"x": 1, "y": "z"}]}`)
	next = s.Suggest(nil, 1)
	require.Equal(t, `[{"index":0,"params":{"x":0.5}}]`, sprint(next.Trials))
	require.False(t, next.Exhausted)
	_, due = s.Due(nil)
	require.False(t, due, "trials have not begun")
	next = s.Suggest(nil, 5)
	require.Len(t, next.Trials, 2)
	all := []Observation{{Trial: next.Trials[1], State: Succeeded, Value: math.NaN()}, {Trial: next.Trials[0], State: InFlight}}
	_, due = s.Due(all)
	require.False(t, due, "a trial is in flight")
	all[1].State, all[1].Value = Succeeded, 0.25
	request, due = s.Due(all)
	require.True(t, due)
	raw, err = json.Marshal(request.Observations)
	require.NoError(t, err)
	require.JSONEq(t, `[{"index": 0, "params": {"x": 0.5}, "state": "Succeeded", "value": 0.25}, {"index": 1, "params": {"x": 1, "y": "z"}, "state": "Succeeded"}]`, string(raw))

	s = answer(`{"suggestions": [{"x": 2}]}`)
	next = s.Suggest(all, 5)
	require.Equal(t, `[{"index":2,"params":{"x":2}}]`, sprint(next.Trials))
	require.False(t, next.Exhausted, "it may be asked once more")
	all = append(all, Observation{Trial: next.Trials[0], State: Failed})

	over := answer(`{"suggestions": []}`)
	_, due = over.Due(all)
	require.False(t, due)
	require.True(t, over.Suggest(all, 5).Exhausted, "no suggestions end it")

	answers = answers[:2]
	s = answer(`{"suggestions": [{"x": 3}]}`)
	next = s.Suggest(all, 5)
	require.Len(t, next.Trials, 1)
	require.True(t, next.Exhausted, "it was asked often enough")
	answer(`{"suggestions": [{"x": 4}]}`)
	s, err = NewIterations(spec, 1, answers)
	require.NoError(t, err)
	require.Len(t, s.Suggest(all, 5).Trials, 1, "an answer too many does not count")
}

// sprint has the trials as JSON.
func sprint(trials []Trial) string {
	raw, _ := json.Marshal(trials)
	return string(raw)
}

// An answer that was lost is asked for as it was the first time, though later trials are there.
func TestLostAnswer(t *testing.T) {
	spec := &Iterative{MaxIterations: 3, Metric: &Metric{"loss", Minimize}}
	var answers []Answer
	var all []Observation
	var first Request
	for i, text := range []string{`{"suggestions": [{"x": 1}]}`, `{"suggestions": [{"x": 2}, {"x": 3}]}`} {
		s, err := NewIterations(spec, 1, answers)
		require.NoError(t, err)
		r, due := s.Due(all)
		require.True(t, due)
		if i == 1 {
			first = r
		}
		a, err := ReadAnswer([]byte(text))
		require.NoError(t, err)
		s, err = s.Next(a)
		require.NoError(t, err)
		for _, trial := range s.Suggest(all, 9).Trials {
			all = append(all, Observation{Trial: trial, State: Succeeded, Value: float64(trial.Index)})
		}
		answers = append(answers, a)
	}
	all[2].State = InFlight
	s, err := NewIterations(spec, 1, answers[:1])
	require.NoError(t, err)
	again, due := s.Due(all)
	require.True(t, due)
	require.Equal(t, first, again)
}

// Without a metric there are no values to tell.
func TestIterativeWithoutMetric(t *testing.T) {
	s, err := NewIterations(&Iterative{MaxIterations: 2}, 1, []Answer{{Suggestions: []json.RawMessage{json.RawMessage(`{}`)}}})
	require.NoError(t, err)
	r, due := s.Due([]Observation{{Trial: s.Suggest(nil, 1).Trials[0], State: Succeeded}})
	require.True(t, due)
	require.Nil(t, r.Observations[0].Value)
}

// What is wrong with many suggestions is told of a few.
func TestManyWrongSuggestions(t *testing.T) {
	wrong := make([]json.RawMessage, 500)
	for i := range wrong {
		wrong[i] = json.RawMessage("1")
	}
	_, err := Answer{Suggestions: wrong}.trials()
	require.ErrorContains(t, err, "suggestions[4] is 1")
	require.ErrorContains(t, err, "correct this first")
	require.NotContains(t, err.Error(), "suggestions[5]")
}

// Where params are declared, suggestions are of them.
func TestSuggestionsOfParams(t *testing.T) {
	spec := parsed(t, `{"iterative": {"maxIterations": 3, "params": {"x": {"kind": "uniform", "value": [0, 1]}, "y": {"kind": "choice", "value": ["a", "b"]}}}}`).Iterative
	s, err := NewIterations(spec, 1, nil)
	require.NoError(t, err)
	for text, says := range map[string]string{
		`[{"x": 0.5, "y": "a"}, {"x": 1, "y": "b"}]`: "",
		`[]`:           "",
		`[{"x": 0.5}]`: "suggestions[0] has no y, which is among iterative.params: return a value of each of them",
		`[{"x": 0, "y": "a"}, {"x": 1.5, "y": "b"}]`: "suggestions[1].x is 1.5, which is no value of uniform [0, 1]: return one that is, or declare others in iterative.params",
		`[{"x": 0, "y": "c"}]`:                       `suggestions[0].y is "c", which is no value of choice`,
		`[{"x": 0, "y": "a", "z": 1}]`:               "suggestions[0].z is not among iterative.params: leave it out, or declare it there",
	} {
		a, err := ReadAnswer([]byte(`{"suggestions": ` + text + `}`))
		require.NoError(t, err)
		next, err := s.Next(a)
		if says != "" {
			require.ErrorContains(t, err, says, text)
			continue
		}
		require.NoError(t, err)
		require.EqualValues(t, 1, next.Answers())
		require.EqualValues(t, len(a.Suggestions), next.Suggested())
		require.Zero(t, s.Suggested(), "the search before it is as it was")
	}
}

func TestIterativeRefused(t *testing.T) {
	for text, says := range map[string]string{
		`{`:                       "cannot be read",
		`{}`:                      "no suggestions",
		`{"suggestions": [1]}`:    "suggestions[0] is 1",
		`{"suggestion": []}`:      "suggestion",
		`{"suggestions": [null]}`: "suggestions[0]",
	} {
		_, err := ReadAnswer([]byte(text))
		require.ErrorContains(t, err, says, text)
	}
	for text, says := range map[string]string{
		`{"iterative": {}}`: "iterative.maxIterations",
		`{"iterative": {"maxIterations": 3, "params": {"x": {"kind": "unifrom", "value": [0, 1]}}}}`: "did you mean",
		`{"iterative": {"maxIterations": 3, "metric": {"name": "loss"}}}`:                            "metric.optimization",
	} {
		_, err := New(parsed(t, text), 0)
		require.ErrorContains(t, err, says, text)
	}
	require.Error(t, func() error {
		_, err := NewIterations(&Iterative{MaxIterations: 1}, 0, []Answer{{Suggestions: []json.RawMessage{json.RawMessage("1")}}})
		return err
	}())
}
