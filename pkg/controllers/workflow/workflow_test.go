package workflow

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/testenv"
)

// Outputs flow along a diamond, whose steps start in the order of their dependencies.
func TestDiamond(t *testing.T) {
	t.Parallel()
	w := begin(t, "diamond")
	w.start(interceptor.Funcs{})
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		return v1alpha1.StatusSucceeded, map[string]any{"loss": paramOf(op, "x") + 1}
	}
	flow := w.create("d", `
entrypoint: main
params: {first: 10}
templates:`+job+`
- name: main
  dag:
    operations:
    - {name: d, template: job, params: {x: "{{ ops.b.outputs.loss * ops.c.outputs.loss }}"}}
    - {name: b, template: job, params: {x: "{{ ops.a.outputs.loss }}"}}
    - {name: c, template: job, params: {x: "{{ ops.a.outputs.loss * 2 }}"}, when: ops.a.outputs.loss > 3}
    - {name: a, template: job, params: {x: "{{ params.first }}"}}
    - {name: e, template: job, dependsOn: [a], when: ops.a.outputs.loss < 3}
    outputs: {result: "{{ ops.d.outputs.loss }}"}
`)
	status := w.reach(flow, v1alpha1.StatusSucceeded)
	assert.JSONEq(t, "277", string(status.Outputs["result"].Raw)) // (10+1+1) * (2*11+1) + 1
	assert.Equal(t, "created compiled queued running succeeded", way(status))
	assert.Equal(t, "5/5", status.Progress)
	assert.Equal(t, v1alpha1.ChildCounts{Total: 5, Succeeded: 4, Skipped: 1}, status.Children)
	assert.Equal(t, v1alpha1.StatusSkipped, w.steps("d")["e"])
}

// A step whose params have no value fails, with the sentence that says why; what depends on it does not run.
func TestMissingOutput(t *testing.T) {
	t.Parallel()
	w := begin(t, "missing-output")
	w.start(interceptor.Funcs{})
	flow := w.create("m", `
entrypoint: main
templates:`+job+`
- name: main
  dag:
    operations:
    - {name: a, template: job}
    - {name: b, template: job, params: {x: "{{ ops.a.outputs.loss }}"}}
    - {name: c, template: job, dependsOn: [b]}
    - {name: tell, template: job, dependsOn: [c], trigger: one_failed}
`)
	status := w.reach(flow, v1alpha1.StatusFailed)
	assert.Equal(t, map[string]v1alpha1.Status{"a": "succeeded", "b": "failed", "c": "upstream_failed", "tell": "succeeded"}, w.steps("m"))
	require.Len(t, status.Problems, 2)
	assert.Equal(t, "2 succeeded, 1 failed, 1 upstream_failed", status.Timeline[len(status.Timeline)-1].Message)
	for _, op := range w.operations() {
		if op.Labels[v1alpha1.StepLabel] == "b" {
			assert.Contains(t, op.Annotations[v1alpha1.OutcomeMessageAnnotation], "ops.a.outputs.loss has no value")
		}
	}
}

const mixed = `
entrypoint: main
onExit: {template: job}
templates:` + job + `
- name: sweep
  matrix: {template: job, grid: {params: {x: {kind: range, value: [1, 4, 1]}}}, metric: {name: loss, optimization: minimize}}
- name: main
  dag:
    operations:
    - {name: a, template: job}
    - {name: bad, template: job, params: {x: 99}, dependsOn: [a]}
    - {name: lost, template: job, dependsOn: [bad]}
    - {name: sweep, template: sweep, dependsOn: [a]}
    - {name: after, template: job, dependsOn: [bad, sweep], trigger: all_done}
`

func mixedEnds(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
	if paramOf(op, "x") == 99 {
		return v1alpha1.StatusFailed, nil
	}
	return v1alpha1.StatusSucceeded, map[string]any{"loss": paramOf(op, "x")}
}

// TestCrashAtEveryWrite lets the controller die before and after each of its writes. Whoever comes next brings the
// workflow to the same end, with each child made once.
func TestCrashAtEveryWrite(t *testing.T) {
	t.Parallel()
	testenv.AtEveryWrite(t, "crash", 15, liveThrough)
}

// survive plays on to the end of a workflow, with another controller when the first has died.
func (w *world) survive(flow *v1alpha1.Workflow, c *testenv.Cut) {
	w.Helper()
	stop, died := w.start(c.Funcs()), c.Died
	w.until("it ends", func() bool {
		select {
		case <-died:
			stop()
			c.Heal()
			w.start(c.Funcs())
			died = nil
		default:
		}
		return w.read(flow).Phase.Final()
	})
}

func liveThrough(t *testing.T, name string, c *testenv.Cut) {
	w := begin(t, name)
	w.ends = mixedEnds
	flow := w.create("m", mixed)
	w.survive(flow, c)
	assert.Equal(t, v1alpha1.StatusFailed, flow.Status.Phase)
	assert.Equal(t, "3 succeeded, 1 failed, 1 upstream_failed", flow.Status.Timeline[len(flow.Status.Timeline)-1].Message)
	assert.Equal(t, map[string]v1alpha1.Status{"a": "succeeded", "bad": "failed", "lost": "upstream_failed", "after": "succeeded", "on-exit": "succeeded"}, w.steps("m"))
	created := c.Created()
	assert.Len(t, created, 9) // a, bad, lost, sweep with three trials, after, on-exit
	for what, n := range created {
		assert.Equal(t, 1, n, what)
	}
	assert.Len(t, w.operations(), 8)
}

// A matrix makes its trials as they are wanted, each once, also when the controller is another in the middle; its
// object does not grow with them.
func TestMatrixIsPaced(t *testing.T) {
	t.Parallel()
	w := begin(t, "paced")
	w.ends = mixedEnds
	c := testenv.NewCut(0, false)
	stop := w.start(c.Funcs())
	flow := w.create("m", `
entrypoint: main
templates:`+job+`
- name: main
  matrix: {template: job, grid: {params: {x: {kind: range, value: [0, 300, 1]}}}, metric: {name: loss, optimization: maximize}}
`)
	for _, n := range []int64{50, 120, 200} {
		w.until("some are done", func() bool { return w.read(flow).Children.Succeeded >= n })
		stop()
		stop = w.start(c.Funcs())
	}
	status := w.reach(flow, v1alpha1.StatusSucceeded)
	assert.Equal(t, "299", status.Best.Value)
	assert.JSONEq(t, "299", string(status.Best.Params["x"].Raw))
	assert.Equal(t, v1alpha1.ChildCounts{Total: 300, Failed: 1, Succeeded: 299}, status.Children)
	// One that was made as the controller stopped is not counted as created, and is there.
	assert.Len(t, w.operations(), 300)
	for what, n := range c.Created() {
		assert.Equal(t, 1, n, what)
	}
	assert.LessOrEqual(t, w.mostWaiting, ahead)
	size, err := json.Marshal(status)
	require.NoError(t, err)
	assert.Less(t, len(size), 6000)
	// Their places in the line are those of their indexes.
	last := ""
	all := w.operations()
	slices.SortFunc(all, func(a, b v1alpha1.Operation) int { return int(paramOf(&a, "x") - paramOf(&b, "x")) })
	for _, op := range all {
		at := op.Annotations[v1alpha1.QueuedTimeAnnotation]
		parsed, err := time.Parse(time.RFC3339Nano, at)
		require.NoError(t, err)
		if last != "" {
			before, _ := time.Parse(time.RFC3339Nano, last)
			assert.True(t, before.Before(parsed), "%s after %s", at, last)
		}
		last = at
	}
}

// A goal that is reached stops what waits and runs, and the workflow succeeds; too many failures fail it.
func TestEarlyStopping(t *testing.T) {
	t.Parallel()
	w := begin(t, "early")
	w.start(interceptor.Funcs{})
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		switch x := paramOf(op, "x"); {
		case x < 1000 && x != 7:
			return "", nil // runs on
		case x >= 1000 && x%2 == 0:
			return v1alpha1.StatusFailed, nil
		default:
			return v1alpha1.StatusSucceeded, map[string]any{"loss": 0.99}
		}
	}
	const sweep = "entrypoint: main\ntemplates:" + job + "- name: main\n  matrix: {template: job, grid: {params: {x: {kind: range, value: %s}}}, earlyStopping: %s}\n"
	goal := w.create("goal", fmt.Sprintf(sweep, "[0, 500, 1]", "{metrics: [{metric: loss, value: 0.95, optimization: maximize}]}"))
	status := w.reach(goal, v1alpha1.StatusSucceeded)
	assert.Contains(t, way(status), "running stopping succeeded")
	assert.Contains(t, status.Timeline[len(status.Timeline)-1].Message, "is 0.99, and earlyStopping.metrics asks for at least 0.95")
	assert.EqualValues(t, 1, status.Children.Succeeded)
	assert.Positive(t, status.Children.Stopped)
	assert.Less(t, status.Children.Stopped, int64(499))
	failing := w.create("failing", fmt.Sprintf(sweep, "[1000, 1300, 1]", "{failure: {percent: 10}}"))
	status = w.reach(failing, v1alpha1.StatusFailed)
	assert.Contains(t, status.Timeline[len(status.Timeline)-1].Message, "of 300 children failed, more than earlyStopping.failure.percent allows (10%)")
	assert.Less(t, status.Children.Succeeded+status.Children.Failed, int64(300))
}
