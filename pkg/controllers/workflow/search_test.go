package workflow

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func lossOf(op *v1alpha1.Operation) float64 {
	var x float64
	_ = json.Unmarshal(op.Spec.Params["x"].Raw, &x)
	return (x-0.3)*(x-0.3) + 1/float64(paramOf(op, "epochs"))
}

// trialsOf are the params of all trials by their index.
func (w *world) trialsOf() map[string]string {
	out := map[string]string{}
	for _, op := range w.operations() {
		out[op.Labels[v1alpha1.IndexLabel]] = fmt.Sprintf("%s at %s", op.Spec.Params["x"].Raw, op.Spec.Params["epochs"].Raw)
	}
	return out
}

// A search that promotes has the same trials when the controller is another every few of them; those that are promoted
// know the trial before them, and go on under its key.
func TestLearningSearch(t *testing.T) {
	t.Parallel()
	run := func(name, kind, more string, disturbed bool) map[string]string {
		w := begin(t, name)
		w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
			if op.Labels[v1alpha1.IndexLabel] == "1" {
				return v1alpha1.StatusFailed, nil
			}
			return v1alpha1.StatusSucceeded, map[string]any{"loss": lossOf(op)}
		}
		stop := w.start(interceptor.Funcs{})
		flow := w.create("s", fmt.Sprintf(learning, kind, more))
		most := 0
		for n := int64(3); disturbed && n < 15; n += 3 {
			w.until("some are done", func() bool {
				status := w.read(flow)
				most = max(most, int(status.Children.Waiting+status.Children.Running))
				return status.Children.Succeeded+status.Children.Failed >= n || status.Phase.Final()
			})
			stop()
			stop = w.start(interceptor.Funcs{})
		}
		status := w.reach(flow, v1alpha1.StatusSucceeded)
		stop()
		assert.LessOrEqual(t, most, 4)
		best := 9.0
		byName, promoted := map[string]v1alpha1.Operation{}, 0
		for _, op := range w.operations() {
			byName[op.Name] = op
			if op.Status.Phase == v1alpha1.StatusSucceeded {
				best = min(best, lossOf(&op))
			}
		}
		for _, op := range w.operations() {
			var trial struct {
				Key      string `json:"key"`
				Previous *struct {
					Name    string             `json:"name"`
					Outputs map[string]float64 `json:"outputs"`
				} `json:"previous"`
			}
			require.NoError(t, json.Unmarshal(op.Spec.Params["trial"].Raw, &trial))
			if trial.Previous == nil {
				assert.Equal(t, op.Name, trial.Key)
				continue
			}
			promoted++
			before, ok := byName[trial.Previous.Name]
			require.True(t, ok)
			assert.Equal(t, string(before.Spec.Params["x"].Raw), string(op.Spec.Params["x"].Raw))
			assert.Less(t, paramOf(&before, "epochs"), paramOf(&op, "epochs"))
			assert.InDelta(t, lossOf(&before), trial.Previous.Outputs["loss"], 1e-12)
			assert.Equal(t, before.Annotations[v1alpha1.TrialKeyAnnotation], trial.Key)
		}
		assert.Positive(t, promoted)
		value, err := strconv.ParseFloat(status.Best.Value, 64)
		require.NoError(t, err)
		assert.InDelta(t, best, value, 1e-12)
		return w.trialsOf()
	}
	calm := run("hyperband-calm", "hyperband", "", false)
	assert.Len(t, calm, 9+3+1+5+1+3) // known: R=9, η=3
	assert.Equal(t, calm, run("hyperband-disturbed", "hyperband", "", true))
	run("asha-disturbed", "asha", "numRuns: 9,", true)
}

// Searches by models run to their end under a concurrency, and find something better than they began with.
func TestModelSearches(t *testing.T) {
	t.Parallel()
	for kind, search := range map[string]string{
		"bayes":    `{maxIterations: 6, seed: 3, metric: {name: loss, optimization: minimize}, params: {x: {kind: uniform, value: [0, 1]}}}`,
		"tpe":      `{numRuns: 14, seed: 3, metric: {name: loss, optimization: minimize}, params: {x: {kind: uniform, value: [0, 1]}}}`,
		"hyperopt": `{algorithm: anneal, numRuns: 12, seed: 3, metric: {name: loss, optimization: minimize}, params: {x: {kind: uniform, value: [0, 1]}}}`,
	} {
		w := begin(t, "model-"+kind)
		w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
			var x float64
			_ = json.Unmarshal(op.Spec.Params["x"].Raw, &x)
			return v1alpha1.StatusSucceeded, map[string]any{"loss": (x - 0.3) * (x - 0.3)}
		}
		stop := w.start(interceptor.Funcs{})
		flow := w.create("s", fmt.Sprintf("entrypoint: main\nconcurrency: 2\ntemplates:\n- name: job\n  operation: {template: {pod: {spec: {containers: [{name: main, image: none, args: [\"{{ params.x }}\"]}]}}}}\n- name: main\n  matrix: {template: job, %s: %s}\n", kind, search))
		status := w.reach(flow, v1alpha1.StatusSucceeded)
		stop()
		value, err := strconv.ParseFloat(status.Best.Value, 64)
		require.NoError(t, err)
		assert.Less(t, value, 0.02, kind)
		assert.Equal(t, status.Children.Succeeded, int64(len(w.operations())))
	}
}
