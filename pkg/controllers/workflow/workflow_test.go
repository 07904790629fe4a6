package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/workflow"
	"github.com/queueyard/queueyard/test/testenv"
)

var (
	env   *testenv.Env
	admin client.Client
)

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	var err error
	if env, err = testenv.StartShared(testenv.WithCRDs()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer env.Stop()
	env.Config.QPS, env.Config.Burst = -1, -1
	if admin, err = client.New(env.Config, client.Options{Scheme: scheme()}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		panic(err)
	}
	if err := v1alpha1.AddToScheme(s); err != nil {
		panic(err)
	}
	return s
}

// world plays the controller of operations in a namespace of its own.
type world struct {
	*testing.T
	namespace string
	// ends says what an operation comes to, or "" while it runs.
	ends func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any)
	// most operations that had not begun at one moment.
	mostWaiting int
}

func begin(t *testing.T, name string) *world {
	w := &world{T: t, namespace: name, ends: func(*v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		return v1alpha1.StatusSucceeded, nil
	}}
	require.NoError(t, admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	return w
}

// start runs the controller with caches of its own, which hold this namespace alone, and gives what stops it.
func (w *world) start(around interceptor.Funcs) (stop func()) {
	w.Helper()
	return w.startWith(around, Setup)
}

func (w *world) startWith(around interceptor.Funcs, setup func(ctrl.Manager) error) (stop func()) {
	w.Helper()
	mgr, err := ctrl.NewManager(env.Config, ctrl.Options{
		Scheme: scheme(), Cache: cache.Options{ByObject: CachedObjects(), DefaultNamespaces: map[string]cache.Config{w.namespace: {}}},
		Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: ptr.To(true)},
		NewClient: func(c *rest.Config, options client.Options) (client.Client, error) {
			inner, err := client.NewWithWatch(c, options)
			if err != nil {
				return nil, err
			}
			return interceptor.NewClient(inner, around), nil
		},
	})
	require.NoError(w, err)
	require.NoError(w, setup(mgr))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			assert.NoError(w, <-done)
		})
	}
	w.Cleanup(stop)
	return stop
}

func (w *world) create(name, spec string) *v1alpha1.Workflow {
	w.Helper()
	flow := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	require.NoError(w, yaml.UnmarshalStrict([]byte(spec), &flow.Spec))
	require.NoError(w, admin.Create(w.Context(), flow))
	return flow
}

func (w *world) operations() []v1alpha1.Operation {
	w.Helper()
	list := &v1alpha1.OperationList{}
	require.NoError(w, admin.List(w.Context(), list, client.InNamespace(w.namespace)))
	return list.Items
}

// turn leads every operation one status further.
func (w *world) turn() {
	w.Helper()
	waiting := 0
	for _, op := range w.operations() {
		if op.Status.Phase == "" {
			waiting++
		}
		phase, outputs := w.follow(&op)
		if phase == op.Status.Phase || phase == "" {
			continue
		}
		op.Status.Phase = phase
		op.Status.Timeline = append(op.Status.Timeline, v1alpha1.TimelineEntry{Status: phase, Time: metav1.NowMicro(), Reason: "Played", Message: "was played"})
		if outputs != nil {
			op.Status.Outputs = v1alpha1.Values{}
			for name, value := range outputs {
				raw, err := json.Marshal(value)
				require.NoError(w, err)
				op.Status.Outputs[name] = apiextensionsv1.JSON{Raw: raw}
			}
		}
		err := admin.Status().Update(w.Context(), &op)
		if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			require.NoError(w, err)
		}
	}
	w.mostWaiting = max(w.mostWaiting, waiting)
}

func (w *world) follow(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
	never := v1alpha1.Status(op.Annotations[v1alpha1.OutcomeAnnotation])
	switch {
	case op.Status.Phase.Final():
		return op.Status.Phase, nil
	case never != "":
		return never, nil
	case op.Spec.DesiredState == v1alpha1.Stopped:
		return v1alpha1.StatusStopped, nil
	case op.Status.Phase == "":
		return v1alpha1.StatusRunning, nil
	}
	return w.ends(op)
}

func (w *world) read(flow *v1alpha1.Workflow) v1alpha1.WorkflowStatus {
	w.Helper()
	require.NoError(w, admin.Get(w.Context(), client.ObjectKeyFromObject(flow), flow))
	return flow.Status
}

// until plays on until something is so.
func (w *world) until(what string, is func() bool) {
	w.Helper()
	require.Eventually(w, func() bool {
		w.turn()
		return is()
	}, 120*time.Second, 5*time.Millisecond, what)
}

func (w *world) reach(flow *v1alpha1.Workflow, phase v1alpha1.Status) v1alpha1.WorkflowStatus {
	w.Helper()
	w.until(fmt.Sprintf("%s is %s", flow.Name, phase), func() bool { return w.read(flow).Phase == phase })
	return flow.Status
}

func (w *world) edit(flow *v1alpha1.Workflow, change func(*v1alpha1.WorkflowSpec)) {
	w.Helper()
	w.read(flow)
	before := flow.DeepCopy()
	change(&flow.Spec)
	require.NoError(w, admin.Patch(w.Context(), flow, client.MergeFrom(before)))
}

// steps are the last phases of a workflow's steps, by name.
func (w *world) steps(flow string) map[string]v1alpha1.Status {
	out, attempt := map[string]v1alpha1.Status{}, map[string]string{}
	for _, op := range w.operations() {
		step := op.Labels[v1alpha1.StepLabel]
		if op.Labels[v1alpha1.WorkflowLabel] == flow && op.Labels[v1alpha1.WorkflowAttemptLabel] >= attempt[step] {
			out[step], attempt[step] = op.Status.Phase, op.Labels[v1alpha1.WorkflowAttemptLabel]
		}
	}
	return out
}

func way(s v1alpha1.WorkflowStatus) string {
	var names []string
	for _, e := range s.Timeline {
		names = append(names, string(e.Status))
	}
	return strings.Join(names, " ")
}

const job = `
- name: job
  inputs: [{name: x, type: int, default: 0}]
  operation: {template: {pod: {spec: {containers: [{name: main, image: none, args: ["{{ params.x }}"]}]}}}}
`

func paramOf(op *v1alpha1.Operation, name string) int64 {
	n, _ := strconv.ParseInt(string(op.Spec.Params[name].Raw), 10, 64)
	return n
}

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
