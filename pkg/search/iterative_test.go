package search

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIterative(t *testing.T) {
	spec := parsed(t, `{"iterative": {"maxIterations": 3, "seed": 5, "params": {"x": {"kind": "uniform", "value": [0, 1]}}}}`).Iterative
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
	require.JSONEq(t, `{"iteration": 0, "maxIterations": 3, "seed": 5, "params": {"x": {"kind": "uniform", "value": [0, 1]}}, "observations": []}`, string(raw))

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
