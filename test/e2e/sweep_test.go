package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/search"
	functions "github.com/queueyard/queueyard/test/search"
)

// number is a param or output of an operation.
func number(t require.TestingT, values v1alpha1.Values, name string) float64 {
	n, err := strconv.ParseFloat(string(values[name].Raw), 64)
	require.NoError(t, err, name)
	return n
}

// trials are those of a matrix that succeeded or failed, by index, each once.
func (s *scenario) trials(workflow string) map[int64]v1alpha1.Operation {
	s.Helper()
	out := map[int64]v1alpha1.Operation{}
	for _, op := range s.childrenOf(workflow) {
		index, err := strconv.ParseInt(op.Labels[v1alpha1.IndexLabel], 10, 64)
		require.NoError(s, err, op.Name)
		require.NotContains(s, out, index, "there are two of trial %d", index)
		out[index] = op
	}
	return out
}

// previous is the name of the trial that one goes on from, or empty.
func previous(t require.TestingT, op *v1alpha1.Operation) string {
	var trial struct{ Previous *struct{ Name string } }
	require.NoError(t, json.Unmarshal(op.Spec.Params["trial"].Raw, &trial))
	if trial.Previous == nil {
		return ""
	}
	return trial.Previous.Name
}

// continues checks that trials of the example that fits a slope descend from where the trial before them came to.
func (s *scenario) continues(workflow string) {
	s.Helper()
	byName := map[string]v1alpha1.Operation{}
	for _, op := range s.trials(workflow) {
		byName[op.Name] = op
	}
	for _, op := range byName {
		from, slope := 0.0, 0.0
		if name := previous(s, &op); name != "" {
			before, ok := byName[name]
			require.True(s, ok, name)
			from, slope = number(s, before.Status.Outputs, "steps"), number(s, before.Status.Outputs, "slope")
			require.Positive(s, from)
			require.LessOrEqual(s, number(s, op.Status.Outputs, "loss"), number(s, before.Status.Outputs, "loss"))
		}
		require.Equal(s, from, number(s, op.Status.Outputs, "from"), op.Name)
		require.Equal(s, number(s, op.Spec.Params, "steps"), number(s, op.Status.Outputs, "steps"), op.Name)
		rate := number(s, op.Spec.Params, "rate")
		for range int(number(s, op.Spec.Params, "steps") - from) {
			slope -= rate * 15 * (slope - 3) // the mean of 2x²(slope-3) over x of 1 to 4
		}
		require.InDelta(s, slope, number(s, op.Status.Outputs, "slope"), 1e-9, op.Name)
	}
}

// A search by a model of a function that real pods compute: never more at a time than allowed, and its best is the best
// of all trials, better than those that were drawn at random.
func TestSweepByModel(t *testing.T) {
	s := begin(t, "sweep-model")
	const initial, learned, seats3 = 6, 18, 3
	q := s.queue("q", seats(10))
	s.workflow("w", q, fmt.Sprintf(`
entrypoint: main
templates:
- name: branin
  inputs: [{name: x0, type: float}, {name: x1, type: float}]
  operation:
    template:
      pod:
        spec:
          containers:
          - name: main
            image: none
            command:
            - awk
            - |
              BEGIN {
                u = {{ params.x0 }}; v = {{ params.x1 }}; pi = atan2(0, -1)
                system("sleep 0.5")
                a = v - 5.1 / (4 * pi ^ 2) * u ^ 2 + 5 / pi * u - 6
                printf "{\"loss\": %%.9f}", a ^ 2 + 10 * (1 - 1 / (8 * pi)) * cos(u) + 10 > ENVIRON["TERMINATION_MESSAGE_PATH"]
              }
- name: main
  matrix:
    template: branin
    concurrency: %d
    bayes:
      numInitialRuns: %d
      maxIterations: %d
      seed: 1
      metric: {name: loss, optimization: minimize}
      params: {x0: {kind: uniform, value: [-5, 10]}, x1: {kind: uniform, value: [0, 15]}}
`, seats3, initial, learned))
	w := s.ends("w", v1alpha1.StatusSucceeded)
	require.Equal(t, seats3, s.inFlight("w").Peak)
	require.Equal(t, seats3, s.peak(q))
	all := s.trials("w")
	require.Len(t, all, initial+learned)
	var best, drawn float64
	var of v1alpha1.Operation
	for index := range int64(initial + learned) {
		op, ok := all[index]
		require.True(t, ok, "trial %d", index)
		loss := number(t, op.Status.Outputs, "loss")
		require.InDelta(t, functions.Branin.At([]float64{number(t, op.Spec.Params, "x0"), number(t, op.Spec.Params, "x1")}), loss, 1e-6)
		if index == 0 || loss < best {
			best, of = loss, op
		}
		if index == initial-1 {
			drawn = best
		}
	}
	require.Equal(t, of.Name, w.Status.Best.Name)
	require.JSONEq(t, string(of.Status.Outputs["loss"].Raw), w.Status.Best.Value)
	require.JSONEq(t, string(encoded(of.Spec.Params).Raw), string(encoded(w.Status.Best.Params).Raw))
	require.Less(t, best, drawn, "the model found nothing better than chance had")
}

// sweepOutcome is what a trial of the sweep comes to: a function of its params alone.
func sweepOutcome(x float64, epochs int64) (loss float64, fails bool) {
	return float64((x-0.3)*(x-0.3)) + 1/float64(epochs), x > 0.9
}

// sweep is how much of the resource a trial of TestSweepSurvivesKills gets at most.
var sweep = flag.Int64("sweep", 125, "maxIterations of the sweep whose controller is killed: 125 makes about 200 trials, 625 about 1,000")

// A sweep whose controller is killed again and again has the trials that the algorithm has by itself, from the first
// to the last: the same params, and each goes on from the same trial as there.
func TestSweepSurvivesKills(t *testing.T) {
	halving := fmt.Sprintf(`{maxIterations: %d, eta: 5, seed: 11, resume: true, resource: {name: epochs}, metric: {name: loss, optimization: minimize}, params: {x: {kind: uniform, value: [0, 1]}}}`, *sweep)
	want := undisturbed(t, halving)
	kills := max(6, len(want)/70)
	t.Logf("%d trials, the controller is killed %d times", len(want), kills)
	s := begin(t, "sweep-kills")
	s.workflow("w", s.queue("q", seats(80)), `
entrypoint: main
concurrency: 64
templates:
- name: job
  inputs: [{name: x, type: float}, {name: epochs, type: int}, {name: trial, type: map}]
  operation:
    template:
      pod:
        metadata:
          annotations:
            sandbox.queueyard.io/duration: 100ms
            sandbox.queueyard.io/exit-code: '{{ params.x > 0.9 ? "1" : "0" }}'
            sandbox.queueyard.io/termination-message: '{"loss": {{ (params.x - 0.3) * (params.x - 0.3) + 1.0 / double(params.epochs) }}}'
        spec:
          nodeSelector: {type: simulated}
          tolerations: [{key: queueyard.io/simulated, operator: Exists}]
          containers: [{name: main, image: none, env: [{name: TRIAL, value: "{{ params.trial.key }}"}]}]
- name: main
  matrix: {template: job, hyperband: `+halving+`}
`)
	ended := func() int64 {
		w := &v1alpha1.Workflow{}
		require.NoError(t, s.objects.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "w"}, w))
		return w.Status.Children.Succeeded + w.Status.Children.Failed
	}
	for i := range kills {
		at := int64(i) * int64(len(want)) / int64(kills)
		s.eventually(fmt.Sprintf("%d have ended", at), func() (bool, any) { n := ended(); return n >= at, n })
		signal := syscall.SIGTERM
		if i%5 == 4 {
			signal = syscall.SIGKILL // whose successor waits for the lease to run out
		}
		s.eventually("it is killed", func() (bool, any) {
			err := s.sandbox.Signal(sandbox.Controller, signal) // it may not be back yet
			return err == nil, err
		})
	}
	s.ends("w", v1alpha1.StatusSucceeded)
	got, index := map[int64]trial{}, map[string]int64{}
	all := s.trials("w")
	for i, op := range all {
		index[op.Name] = i
	}
	for i, op := range all {
		require.EqualValues(t, 1, op.Status.Attempt, op.Name)
		is := trial{number(t, op.Spec.Params, "x"), int64(number(t, op.Spec.Params, "epochs")), -1, op.Status.Phase}
		if name := previous(t, &op); name != "" {
			before, ok := index[name]
			require.True(t, ok, name)
			is.continues = before
		}
		got[i] = is
	}
	require.Equal(t, want, got)
	require.Len(t, s.pods(t.Context()), len(want))
}

// trial is what there is to tell of a trial of the sweep.
type trial struct {
	x         float64
	epochs    int64
	continues int64 // -1: none
	phase     v1alpha1.Status
}

// undisturbed are the trials of hyperband by index, each with the outcome that it has in the sweep.
func undisturbed(t *testing.T, halving string) map[int64]trial {
	raw, err := yaml.YAMLToJSON([]byte("hyperband: " + halving))
	require.NoError(t, err)
	spec, err := search.Parse(raw)
	require.NoError(t, err)
	algorithm, err := search.New(spec, 0)
	require.NoError(t, err)
	out := map[int64]trial{}
	var all []search.Observation
	for {
		next := algorithm.Suggest(all, search.MaxTrials)
		for _, suggested := range next.Trials {
			is := trial{continues: -1, phase: v1alpha1.StatusSucceeded}
			require.NoError(t, json.Unmarshal(suggested.Params["x"], &is.x))
			require.NoError(t, json.Unmarshal(suggested.Params["epochs"], &is.epochs))
			if suggested.Continues != nil {
				is.continues = *suggested.Continues
			}
			loss, fails := sweepOutcome(is.x, is.epochs)
			o := search.Observation{Trial: suggested, State: search.Succeeded, Value: loss}
			if fails {
				o.State, is.phase = search.Failed, v1alpha1.StatusFailed
			}
			all, out[suggested.Index] = append(all, o), is
		}
		if len(next.Trials) == 0 {
			require.True(t, next.Exhausted)
			return out
		}
	}
}

// The largest request that an operation can be asked for trials by fits into a variable of its program.
func TestLargestRequest(t *testing.T) {
	s := begin(t, "largest-request")
	request := `{"text": "` + strings.Repeat("x", search.MaxRequest-len(`{"text":""}`)) + `"}`
	command := `echo "{\"bytes\": ${#REQUEST}}" > "$TERMINATION_MESSAGE_PATH"`
	s.workflow("w", s.queue("q"), `
entrypoint: main
params: {request: `+request+`}
templates:
- name: main
  dag: {operations: [{name: a, template: count}], outputs: {bytes: "{{ ops.a.outputs.bytes }}"}}
- name: count
  operation: {template: {pod: {spec: {containers: [{name: main, image: none, env: [{name: REQUEST, value: "{{ params.request }}"}], command: [bash, -c, '`+command+`']}]}}}}
`)
	w := s.ends("w", v1alpha1.StatusSucceeded)
	require.JSONEq(t, fmt.Sprint(search.MaxRequest), string(w.Status.Outputs["bytes"].Raw))
}
