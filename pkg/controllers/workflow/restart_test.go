package workflow

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/workflow"
)

// A stopped tree stops at every level, and goes on with what it has not done.
func TestStopAndResume(t *testing.T) {
	t.Parallel()
	w := begin(t, "stop")
	w.start(interceptor.Funcs{})
	hold := true
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		if hold && paramOf(op, "x") > 1 {
			return "", nil
		}
		return v1alpha1.StatusSucceeded, nil
	}
	flow := w.create("m", `
entrypoint: main
templates:`+job+`
- name: sweep
  matrix: {template: job, grid: {params: {x: {kind: range, value: [1, 5, 1]}}}}
- name: main
  dag: {operations: [{name: a, template: job}, {name: sweep, template: sweep, dependsOn: [a]}, {name: z, template: job, dependsOn: [sweep]}]}
`)
	trials := func() (n int) {
		for _, op := range w.operations() {
			if op.Labels[v1alpha1.StepLabel] == "" && op.Status.Phase != "" {
				n++
			}
		}
		return n
	}
	w.until("all trials run", func() bool { return trials() == 4 })
	w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.DesiredState = v1alpha1.Stopped })
	status := w.reach(flow, v1alpha1.StatusStopped)
	assert.Contains(t, way(status), "running stopping stopped")
	for _, op := range w.operations() {
		assert.True(t, op.Status.Phase.Final(), op.Name)
	}
	hold = false
	w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.DesiredState = v1alpha1.Run })
	status = w.reach(flow, v1alpha1.StatusSucceeded)
	assert.Equal(t, int32(2), status.Attempt)
	assert.Equal(t, map[string]v1alpha1.Status{"a": "succeeded", "z": "succeeded", "": "succeeded"}, union(w.steps("m"), map[string]v1alpha1.Status{"": "succeeded"}))
	ran := map[int64]int{}
	for _, op := range w.operations() {
		if op.Labels[v1alpha1.StepLabel] == "" && op.Status.Phase == v1alpha1.StatusSucceeded {
			ran[paramOf(&op, "x")]++
		}
	}
	assert.Equal(t, map[int64]int{1: 1, 2: 1, 3: 1, 4: 1}, ran)
}

// What was stopped between two trials goes on with those that were not made.
func TestStopBetweenTrials(t *testing.T) {
	t.Parallel()
	w := begin(t, "between")
	w.start(interceptor.Funcs{})
	flow := w.create("m", `
entrypoint: main
templates:`+job+`
- name: main
  matrix: {template: job, grid: {params: {x: {kind: range, value: [0, 200, 1]}}}}
`)
	w.until("some are done", func() bool { return w.read(flow).Children.Succeeded > 0 })
	w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.DesiredState = v1alpha1.Stopped })
	w.reach(flow, v1alpha1.StatusStopped)
	w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.DesiredState = v1alpha1.Run })
	w.reach(flow, v1alpha1.StatusSucceeded)
	succeeded := map[int64]int{}
	for _, op := range w.operations() {
		if op.Status.Phase == v1alpha1.StatusSucceeded {
			succeeded[paramOf(&op, "x")]++
		}
	}
	assert.Len(t, succeeded, 200)
	for x, n := range succeeded {
		assert.Equal(t, 1, n, "trial %d", x)
	}
}

func union(a, b map[string]v1alpha1.Status) map[string]v1alpha1.Status {
	for k, v := range b {
		a[k] = v
	}
	return a
}

// A restart repeats what failed, inside nested workflows too, and what depended on it; the rest is kept.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := begin(t, "restart")
	w.start(interceptor.Funcs{})
	repaired := false
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		if !repaired && paramOf(op, "x") == 2 {
			return v1alpha1.StatusFailed, nil
		}
		return v1alpha1.StatusSucceeded, nil
	}
	flow := w.create("m", `
entrypoint: main
templates:`+job+`
- name: sweep
  matrix: {template: job, grid: {params: {x: {kind: range, value: [1, 4, 1]}}}}
- name: main
  dag: {operations: [{name: a, template: job}, {name: sweep, template: sweep, dependsOn: [a]}, {name: z, template: job, dependsOn: [sweep]}]}
`)
	status := w.reach(flow, v1alpha1.StatusFailed)
	assert.Equal(t, map[string]v1alpha1.Status{"a": "succeeded", "z": "upstream_failed"}, w.steps("m"))
	require.Len(t, status.Problems, 2)
	repaired = true
	w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.Restarts = 1 })
	status = w.reach(flow, v1alpha1.StatusSucceeded)
	assert.Empty(t, status.Problems)
	byParam, total := map[int64]int{}, 0
	for _, op := range w.operations() {
		total++
		if op.Labels[v1alpha1.StepLabel] == "" {
			byParam[paramOf(&op, "x")]++
		}
	}
	assert.Equal(t, map[int64]int{1: 1, 2: 2, 3: 1}, byParam, "one trial ran again")
	assert.Equal(t, 7, total, "a once, z marked once and run once")
	// What succeeded as a whole runs as a whole.
	w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.Restarts = 2 })
	w.until("it runs again", func() bool { return w.read(flow).Attempt == 3 })
	w.reach(flow, v1alpha1.StatusSucceeded)
	assert.Len(t, w.operations(), 12)
}

// A child that somebody deletes is made again while its workflow runs.
func TestDeletedChild(t *testing.T) {
	t.Parallel()
	w := begin(t, "deleted")
	w.start(interceptor.Funcs{})
	hold := true
	w.ends = func(*v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		if hold {
			return "", nil
		}
		return v1alpha1.StatusSucceeded, nil
	}
	flow := w.create("m", "entrypoint: job\ntemplates:"+job)
	w.until("it runs", func() bool { ops := w.operations(); return len(ops) == 1 && ops[0].Status.Phase != "" })
	first := w.operations()[0]
	require.NoError(t, admin.Delete(t.Context(), &first))
	w.until("there is another", func() bool { ops := w.operations(); return len(ops) == 1 && ops[0].UID != first.UID })
	hold = false
	w.reach(flow, v1alpha1.StatusSucceeded)
}

// learning is a search that promotes, of 9 configurations to 9 steps.
const learning = `
entrypoint: main
concurrency: 4
templates:
- name: job
  inputs: [{name: x, type: float}, {name: epochs, type: int}, {name: trial, type: map}]
  operation: {template: {pod: {spec: {containers: [{name: main, image: none, args: ["{{ params.x }}", "{{ params.epochs }}", "{{ params.trial.key }}"]}]}}}}
- name: main
  matrix:
    template: job
    %s: {maxIterations: 9, %s seed: 7, resume: true, resource: {name: epochs}, metric: {name: loss, optimization: minimize}, params: {x: {kind: uniform, value: [0, 1]}}}
`

// What was marked with its end stays at it, whatever somebody writes into it.
func TestMarkedStaysAtItsEnd(t *testing.T) {
	meta := metav1.ObjectMeta{
		Labels:      map[string]string{v1alpha1.WorkflowUIDLabel: "uid", v1alpha1.WorkflowAttemptLabel: "1", v1alpha1.IndexLabel: "0"},
		Annotations: map[string]string{v1alpha1.OutcomeAnnotation: "skipped"},
	}
	op, nested := &v1alpha1.Operation{ObjectMeta: meta}, &v1alpha1.Workflow{ObjectMeta: meta}
	op.Status.Phase, op.Spec.Restarts = v1alpha1.StatusSkipped, 1
	nested.Status.Phase, nested.Spec.Restarts = v1alpha1.StatusSkipped, 1
	for _, o := range []client.Object{op, nested} {
		s, _, ok := look(o)
		require.True(t, ok)
		assert.Equal(t, v1alpha1.StatusSkipped, s.phase)
		o.SetAnnotations(nil)
		s, _, _ = look(o)
		assert.Equal(t, v1alpha1.StatusResuming, s.phase)
	}
}

// What is deleted after its time is what was seen to be over: somebody may have started it again meanwhile.
func TestDeletesWhatItSaw(t *testing.T) {
	flow := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "old", UID: "u", ResourceVersion: "7"}}
	var options client.DeleteOptions
	c := interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme()).Build(), interceptor.Funcs{
		Delete: func(_ context.Context, _ client.WithWatch, _ client.Object, given ...client.DeleteOption) error {
			options.ApplyOptions(given)
			return nil
		},
	})
	_, err := (&sight{Reconciler: &Reconciler{client: c}, workflow: flow}).act(t.Context(), workflow.Delete)
	require.NoError(t, err)
	assert.Equal(t, "7", *options.Preconditions.ResourceVersion)
	assert.EqualValues(t, "u", *options.Preconditions.UID)
}

// What is too large to be kept is no reason to try for ever: a child has failed, a workflow does without the params of its best
// trial, and one whose outputs are too large has failed.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	w := begin(t, "too-large")
	w.start(interceptor.Funcs{})
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		return v1alpha1.StatusSucceeded, map[string]any{"loss": 1}
	}
	text := func(n int) string { return strings.Repeat("x", n) }
	child := w.create("child", `
entrypoint: main
params: {text: `+text(400_000)+`}
templates:
- name: large
  operation: {template: {pod: {spec: {containers: [{name: main, image: none, args: [`+text(900_000)+`]}]}}}}
- name: main
  dag: {operations: [{name: a, template: large, params: {b: "{{ params.text }}", c: "{{ params.text }}"}}]}
`)
	w.reach(child, v1alpha1.StatusFailed)
	marked := w.operations()
	require.Len(t, marked, 1)
	assert.Contains(t, marked[0].Annotations[v1alpha1.OutcomeMessageAnnotation], "too large")
	outputs := w.create("outputs", `
entrypoint: main
params: {text: `+text(900_000)+`}
templates:`+job+`
- name: main
  dag: {operations: [{name: a, template: job}], outputs: {text: "{{ params.text }}"}}
`)
	status := w.reach(outputs, v1alpha1.StatusFailed)
	assert.Contains(t, status.Timeline[len(status.Timeline)-1].Message, "its outputs (dag.outputs) make it larger")
	best := w.create("best", `
entrypoint: main
params: {text: `+text(600_000)+`}
templates:`+job+`
- name: main
  matrix: {template: job, params: {y: "{{ params.text }}"}, grid: {params: {x: {kind: range, value: [1, 3, 1]}}}, metric: {name: loss, optimization: minimize}}
`)
	status = w.reach(best, v1alpha1.StatusSucceeded)
	assert.Equal(t, "1", status.Best.Value)
	assert.Empty(t, status.Best.Params)
}

// A nested workflow that never began, as its params had no value, is made anew by a restart: it can't go on.
func TestRestartOfWhatNeverBegan(t *testing.T) {
	t.Parallel()
	w := begin(t, "never-began")
	w.start(interceptor.Funcs{})
	flow := w.create("m", `
entrypoint: main
templates:`+job+`
- name: sweep
  matrix: {template: job, grid: {params: {x: {kind: range, value: [1, 4, 1]}}}}
- name: main
  dag: {operations: [{name: a, template: job}, {name: sweep, template: sweep, params: {y: "{{ ops.a.outputs.loss }}"}}]}
`)
	w.reach(flow, v1alpha1.StatusFailed)
	w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.Restarts = 1 })
	w.until("the restart ends", func() bool { s := w.read(flow); return s.Phase.Final() && s.Attempt == 2 })
	assert.Equal(t, v1alpha1.StatusFailed, flow.Status.Phase, "what it lacked it lacks still")
	assert.Contains(t, flow.Status.Problems[0].Message, "ops.a.outputs.loss has no value")
}

// A nested workflow that goes on in a later attempt and is deleted is made anew.
func TestDeletedWhileItGoesOn(t *testing.T) {
	t.Parallel()
	w := begin(t, "deleted-again")
	w.start(interceptor.Funcs{})
	ends := v1alpha1.StatusFailed
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) { return ends, nil }
	flow := w.create("m", `
entrypoint: main
templates:`+job+`
- name: sweep
  matrix: {template: job, grid: {params: {x: {kind: range, value: [1, 3, 1]}}}}
- name: main
  dag: {operations: [{name: sweep, template: sweep}]}
`)
	nested := func() *v1alpha1.Workflow {
		list := &v1alpha1.WorkflowList{}
		require.NoError(t, admin.List(t.Context(), list, client.InNamespace(w.namespace)))
		for i := range list.Items {
			if list.Items[i].Labels[v1alpha1.WorkflowUIDLabel] != "" {
				return &list.Items[i]
			}
		}
		return nil
	}
	w.reach(flow, v1alpha1.StatusFailed)
	before := nested()
	ends = "" // they run on
	w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.Restarts = 1 })
	w.until("it goes on", func() bool { return nested().Status.Phase == v1alpha1.StatusRunning })
	require.NoError(t, admin.Delete(t.Context(), before))
	w.until("it is made anew", func() bool { n := nested(); return n != nil && n.UID != before.UID })
	ends = v1alpha1.StatusSucceeded
	w.reach(flow, v1alpha1.StatusSucceeded)
}
