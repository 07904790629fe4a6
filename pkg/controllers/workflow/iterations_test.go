package workflow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/search"
	"github.com/queueyard/queueyard/test/testenv"
)

// iterative is a search for the least (x-37)², from whole numbers of 0 to 100.
const iterative = `
entrypoint: main
concurrency: 2
templates:
- name: job
  inputs: [{name: x, type: int}]
  operation: {template: {pod: {spec: {containers: [{name: main, image: none, args: ["{{ params.x }}"]}]}}}}
- name: ask
  operation: {template: {pod: {spec: {containers: [{name: main, image: none, args: ["{{ params.request }}"]}]}}}}
- name: main
  matrix:
    template: job
    iterative: {maxIterations: %d, seed: 5, suggest: {template: ask}, params: {x: {kind: range, value: [0, 101, 1]}}}
    metric: {name: loss, optimization: minimize}
    %s
`

func iterationOf(op *v1alpha1.Operation) int {
	i, err := strconv.Atoi(op.Labels[v1alpha1.IterationLabel])
	if err != nil {
		return -1
	}
	return i
}

func requestOf(t require.TestingT, op *v1alpha1.Operation) search.Request {
	var r search.Request
	require.NoError(t, json.Unmarshal(op.Spec.Params["request"].Raw, &r))
	return r
}

// suggests is what an operation gives that narrows the search: around the best so far, each time nearer.
func suggests(r search.Request) []map[string]int64 {
	best, least, step := int64(50), 1e9, int64(32)
	for _, o := range r.Observations {
		if o.Value != nil && *o.Value < least {
			_ = json.Unmarshal(o.Params["x"], &best)
			least = *o.Value
		}
	}
	for range r.Iteration {
		step /= 2
	}
	out := []map[string]int64{}
	for _, x := range []int64{best - step, best + step} {
		if step > 0 {
			out = append(out, map[string]int64{"x": max(0, min(100, x))})
		}
	}
	return out
}

func square(x int64) float64 { return float64((x - 37) * (x - 37)) }

func iterativeEnds(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
	if iterationOf(op) >= 0 {
		var r search.Request
		_ = json.Unmarshal(op.Spec.Params["request"].Raw, &r)
		return v1alpha1.StatusSucceeded, map[string]any{"suggestions": suggests(r)}
	}
	return v1alpha1.StatusSucceeded, map[string]any{"loss": square(paramOf(op, "x"))}
}

// expected are the values of x that the search comes to, by index.
func expected(iterations int) (xs []int64) {
	var r search.Request
	for range iterations {
		for _, s := range suggests(r) {
			value := square(s["x"])
			r.Observations = append(r.Observations, search.Reported{Trial: search.Trial{Params: map[string]json.RawMessage{"x": fmt.Append(nil, s["x"])}}, Value: &value})
			xs = append(xs, s["x"])
		}
		r.Iteration++
	}
	return xs
}

// tried are the values of x of trials that succeeded, by index, each once.
func (w *world) tried() (xs []int64) {
	w.Helper()
	byIndex := map[int]int64{}
	for _, op := range w.operations() {
		if index, err := strconv.Atoi(op.Labels[v1alpha1.IndexLabel]); err == nil && op.Status.Phase == v1alpha1.StatusSucceeded {
			_, twice := byIndex[index]
			assert.False(w, twice, "trial %d ran twice", index)
			byIndex[index] = paramOf(&op, "x")
		}
	}
	for i := range len(byIndex) {
		xs = append(xs, byIndex[i])
	}
	return xs
}

// questions are the operations that were asked, by iteration and attempt.
func (w *world) questions() []v1alpha1.Operation {
	asked := slices.DeleteFunc(w.operations(), func(op v1alpha1.Operation) bool { return iterationOf(&op) < 0 })
	slices.SortFunc(asked, func(a, b v1alpha1.Operation) int {
		return strings.Compare(a.Labels[v1alpha1.IterationLabel]+a.Labels[v1alpha1.WorkflowAttemptLabel], b.Labels[v1alpha1.IterationLabel]+b.Labels[v1alpha1.WorkflowAttemptLabel])
	})
	return asked
}

// TestCrashInAnIterativeSearch lets the controller die before and after each of its writes. Whoever comes next goes on
// with the same questions and the same trials, each once.
func TestCrashInAnIterativeSearch(t *testing.T) {
	t.Parallel()
	const iterations = 3
	want := expected(iterations)
	testenv.AtEveryWrite(t, "iter", 10, func(t *testing.T, name string, c *testenv.Cut) {
		w := begin(t, name)
		w.ends = iterativeEnds
		flow := w.create("s", fmt.Sprintf(iterative, iterations, ""))
		w.survive(flow, c)
		require.Equal(t, v1alpha1.StatusSucceeded, flow.Status.Phase)
		require.Equal(t, want, w.tried())
		for what, n := range c.Created() {
			require.Equal(t, 1, n, what)
		}
		asked := w.questions()
		require.Len(t, asked, iterations)
		for i, op := range asked {
			r := requestOf(t, &op)
			require.EqualValues(t, i, r.Iteration)
			require.EqualValues(t, 5, r.Seed)
			require.Equal(t, search.Metric{Name: "loss", Optimization: search.Minimize}, *r.Metric)
			require.Len(t, r.Observations, 2*i)
			for index, o := range r.Observations {
				require.EqualValues(t, index, o.Index)
				require.Equal(t, fmt.Sprint(want[index]), string(o.Params["x"]))
				require.Equal(t, square(want[index]), *o.Value)
			}
		}
	})
}

// Its status says what it waits for; an operation that suggests nothing ends it, with the best that was found.
func TestIterativeEnds(t *testing.T) {
	t.Parallel()
	w := begin(t, "iter-ends")
	w.start(interceptor.Funcs{})
	holds := func(*v1alpha1.Operation) bool { return true }
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		if holds(op) {
			return "", nil
		}
		return iterativeEnds(op)
	}
	flow := w.create("s", fmt.Sprintf(iterative, 20, ""))
	says := func(what string) {
		w.until(what, func() bool { return strings.Contains(w.read(flow).Search, what) })
	}
	says("asked 1 of at most 20 times: waits for what operation s-suggest-0-")
	assert.Equal(t, "0/?", flow.Status.Progress)
	assert.Equal(t, v1alpha1.StatusRunning, flow.Status.Phase, "the operation that suggests is one of the workflow")
	holds = func(op *v1alpha1.Operation) bool { return op.Labels[v1alpha1.IndexLabel] == "1" }
	says("asked 1 of at most 20 times: waits for the trials, 1 of 2 have ended")
	holds = func(*v1alpha1.Operation) bool { return false }
	status := w.reach(flow, v1alpha1.StatusSucceeded)
	assert.Equal(t, "asked 7 of at most 20 times: there are no further trials", status.Search)
	assert.Equal(t, expected(7), w.tried())
	assert.Equal(t, "0", status.Best.Value)
	assert.EqualValues(t, 12, status.Children.Total)
	assert.Equal(t, "12/12", status.Progress)
	assert.EqualValues(t, 12, status.Children.Succeeded, "what suggests is no trial")

	none := begin(t, "iter-none")
	none.start(interceptor.Funcs{})
	none.ends = func(*v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		return v1alpha1.StatusSucceeded, map[string]any{"suggestions": []any{}}
	}
	flow = none.create("s", fmt.Sprintf(iterative, 20, ""))
	status = none.reach(flow, v1alpha1.StatusSucceeded)
	assert.Equal(t, "0/0", status.Progress)
}

// What suggests nothing that can be used fails the search, with a sentence; a restart asks again, and only that.
func TestIterativeUnusable(t *testing.T) {
	t.Parallel()
	w := begin(t, "iter-unusable")
	w.start(interceptor.Funcs{})
	for name, c := range map[string]struct {
		status  v1alpha1.Status
		outputs map[string]any
		says    string
	}{
		"fails":    {v1alpha1.StatusFailed, nil, `, which suggests trials, failed: was played; raise spec.restarts to ask again`},
		"stopped":  {v1alpha1.StatusStopped, nil, `, which suggests trials, stopped: was played; raise spec.restarts to ask again`},
		"silent":   {v1alpha1.StatusSucceeded, nil, `succeeded, and what the operation suggests has no suggestions: return an object such as`},
		"misspelt": {v1alpha1.StatusSucceeded, map[string]any{"suggestion": []any{}}, `has no suggestions`},
		"no-list":  {v1alpha1.StatusSucceeded, map[string]any{"suggestions": 3}, `cannot be read`},
		"numbers":  {v1alpha1.StatusSucceeded, map[string]any{"suggestions": []any{3}}, `suggestions[0] is 3: return an object such as`},
		"outside":  {v1alpha1.StatusSucceeded, map[string]any{"suggestions": []any{map[string]any{"x": 101}}}, `suggestions[0].x is 101, which is no value of range [0,101,1]: return one that is, or declare others in iterative.params`},
		"unknown":  {v1alpha1.StatusSucceeded, map[string]any{"suggestions": []any{map[string]any{"x": 1, "y": 1}}}, `suggestions[0].y is not among iterative.params`},
	} {
		broken := true
		w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
			if broken && iterationOf(op) == 1 {
				return c.status, c.outputs
			}
			return iterativeEnds(op)
		}
		flow := w.create(name, fmt.Sprintf(iterative, 3, ""))
		status := w.reach(flow, v1alpha1.StatusFailed)
		last := status.Timeline[len(status.Timeline)-1]
		assert.Equal(t, "NoSuggestions", last.Reason)
		assert.Contains(t, last.Message, `operation "`+name+`-suggest-1-`)
		assert.Contains(t, last.Message, c.says)
		assert.Contains(t, status.Search, "asked 2 of at most 3 times: there is no answer that could be used")
		assert.EqualValues(t, 2, status.Children.Succeeded)
		if c.status != v1alpha1.StatusSucceeded {
			require.Len(t, status.Problems, 1, name)
			assert.Contains(t, status.Problems[0].Name, "-suggest-1-")
		}
		broken = false
		w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.Restarts = 1 })
		status = w.reach(flow, v1alpha1.StatusSucceeded)
		assert.Empty(t, status.Problems)
		assert.Equal(t, expected(3), w.tried(), name)
		var attempts []string
		for _, op := range w.questions() {
			attempts = append(attempts, op.Labels[v1alpha1.IterationLabel]+"/"+op.Labels[v1alpha1.WorkflowAttemptLabel])
		}
		assert.Equal(t, []string{"0/1", "1/1", "1/2", "2/2"}, attempts, name)
		require.NoError(t, admin.DeleteAllOf(t.Context(), &v1alpha1.Operation{}, client.InNamespace(w.namespace)))
	}
}

// Stopped while it asks or while trials run, it goes on where it was; repeated after success it asks anew.
func TestIterativeStopsAndGoesOn(t *testing.T) {
	t.Parallel()
	for name, held := range map[string]func(op *v1alpha1.Operation) bool{
		"asking": func(op *v1alpha1.Operation) bool { return iterationOf(op) == 1 },
		"trying": func(op *v1alpha1.Operation) bool { return op.Labels[v1alpha1.IndexLabel] == "3" },
	} {
		w := begin(t, "iter-stop-"+name)
		stop := w.start(interceptor.Funcs{})
		hold := true
		w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
			if hold && held(op) {
				return "", nil
			}
			return iterativeEnds(op)
		}
		flow := w.create("s", fmt.Sprintf(iterative, 3, ""))
		// What runs beside it would be stopped and run again, too.
		w.until("it alone is held", func() bool {
			running := slices.DeleteFunc(w.operations(), func(op v1alpha1.Operation) bool { return op.Status.Phase.Final() })
			return len(running) == 1 && held(&running[0]) && running[0].Status.Phase == v1alpha1.StatusRunning
		})
		w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.DesiredState = v1alpha1.Stopped })
		status := w.reach(flow, v1alpha1.StatusStopped)
		assert.Contains(t, way(status), "stopping stopped")
		hold = false
		w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.DesiredState = v1alpha1.Run })
		w.reach(flow, v1alpha1.StatusSucceeded)
		assert.Equal(t, expected(3), w.tried(), name)
		before := len(w.operations())
		assert.Equal(t, 3+6+1, before, "one of them twice")

		w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.Restarts = 1 })
		w.until("it runs again", func() bool { return w.read(flow).Attempt == 3 })
		status = w.reach(flow, v1alpha1.StatusSucceeded)
		assert.Equal(t, "6/6", status.Progress)
		assert.Len(t, w.operations(), before+3+6)
		stop()
	}
}

// A failed trial is told as such; repeated, what comes of it counts from then on.
func TestIterativeToldOfFailures(t *testing.T) {
	t.Parallel()
	w := begin(t, "iter-failures")
	w.start(interceptor.Funcs{})
	broken := true
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		if broken && (op.Labels[v1alpha1.IndexLabel] == "1" || iterationOf(op) == 2) {
			return v1alpha1.StatusFailed, nil
		}
		return iterativeEnds(op)
	}
	flow := w.create("s", fmt.Sprintf(iterative, 3, ""))
	w.reach(flow, v1alpha1.StatusFailed)
	states := func(op *v1alpha1.Operation) (out string) {
		for _, o := range requestOf(t, op).Observations {
			out += fmt.Sprintf("%s %t ", o.State, o.Value != nil)
		}
		return out
	}
	asked := w.questions()
	require.Len(t, asked, 3)
	assert.Equal(t, "Succeeded true Failed false ", states(&asked[1]))
	broken = false
	w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.Restarts = 1 })
	w.reach(flow, v1alpha1.StatusSucceeded)
	asked = w.questions()
	require.Len(t, asked, 4)
	assert.Equal(t, "Succeeded true Succeeded true Succeeded true Succeeded true ", states(&asked[3]))
}

// A goal that is reached ends it before it is asked again; so do failures that are too many.
func TestIterativeStopsEarly(t *testing.T) {
	t.Parallel()
	w := begin(t, "iter-early")
	w.start(interceptor.Funcs{})
	w.ends = iterativeEnds
	flow := w.create("goal", fmt.Sprintf(iterative, 9, "earlyStopping: {metrics: [{metric: loss, value: 30, optimization: minimize}]}"))
	status := w.reach(flow, v1alpha1.StatusSucceeded)
	last := status.Timeline[len(status.Timeline)-1]
	assert.Contains(t, last.Message, "and earlyStopping.metrics asks for at most 30")
	assert.Less(t, len(w.questions()), 9)
	for _, op := range w.questions() {
		assert.Equal(t, v1alpha1.StatusSucceeded, op.Status.Phase, "it is not asked for what is stopped at once")
	}
	w = begin(t, "iter-failing")
	w.start(interceptor.Funcs{})
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		if iterationOf(op) < 0 && paramOf(op, "x") < 30 {
			return v1alpha1.StatusFailed, nil
		}
		return iterativeEnds(op)
	}
	flow = w.create("failing", fmt.Sprintf(iterative, 9, "earlyStopping: {failure: {percent: 40}}"))
	status = w.reach(flow, v1alpha1.StatusFailed)
	assert.Contains(t, status.Timeline[len(status.Timeline)-1].Message, "1 of 2 children failed, more than earlyStopping.failure.percent allows (40%)")
	assert.Len(t, w.questions(), 1)
}

// An operation that somebody deletes is asked again for the same, before it is asked for more.
func TestIterativeLostAnswer(t *testing.T) {
	t.Parallel()
	w := begin(t, "iter-lost")
	stop := w.start(interceptor.Funcs{})
	hold := true
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		if hold && op.Labels[v1alpha1.IndexLabel] == "4" {
			return "", nil
		}
		return iterativeEnds(op)
	}
	flow := w.create("s", fmt.Sprintf(iterative, 4, ""))
	w.until("the third iteration is tried", func() bool { return len(w.tried()) == 4 && len(w.questions()) == 3 && len(w.operations()) == 9 })
	lost := w.questions()[1]
	require.NoError(t, admin.Delete(t.Context(), &lost))
	stop()
	w.start(interceptor.Funcs{})
	hold = false
	w.reach(flow, v1alpha1.StatusSucceeded)
	assert.Equal(t, expected(4), w.tried())
	asked := w.questions()
	require.Len(t, asked, 4)
	assert.NotEqual(t, lost.UID, asked[1].UID)
	assert.Equal(t, requestOf(t, &lost), requestOf(t, &asked[1]))
}

// Many suggestions at once are made as they are wanted.
func TestIterativeIsPaced(t *testing.T) {
	t.Parallel()
	w := begin(t, "iter-paced")
	w.start(interceptor.Funcs{})
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		if iterationOf(op) < 0 {
			return iterativeEnds(op)
		}
		var all []map[string]int64
		for x := range int64(101) {
			all = append(all, map[string]int64{"x": x})
		}
		return v1alpha1.StatusSucceeded, map[string]any{"suggestions": all}
	}
	flow := w.create("s", fmt.Sprintf(iterative, 2, ""))
	status := w.reach(flow, v1alpha1.StatusSucceeded)
	assert.Equal(t, "202/202", status.Progress)
	assert.LessOrEqual(t, w.mostWaiting, ahead)
	assert.Len(t, w.tried(), 202)
}

// What it is asked is bounded, whatever the trials are.
func TestIterativeRequestIsBounded(t *testing.T) {
	t.Parallel()
	const trials = 70
	w := begin(t, "iter-bounded")
	w.start(interceptor.Funcs{})
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		if iterationOf(op) < 0 {
			return v1alpha1.StatusSucceeded, nil
		}
		var all []map[string]string
		for i := range trials {
			all = append(all, map[string]string{"text": fmt.Sprintf("%02d%s", i, strings.Repeat("x", 2000))})
		}
		return v1alpha1.StatusSucceeded, map[string]any{"suggestions": all}
	}
	flow := w.create("s", `
entrypoint: main
templates:
- name: job
  inputs: [{name: text, type: string}]
  operation: {template: {pod: {spec: {containers: [{name: main, image: none, args: ["{{ params.text }}"]}]}}}}
- name: ask
  operation: {template: {pod: {spec: {containers: [{name: main, image: none, args: ["{{ params.request }}"]}]}}}}
- name: main
  matrix: {template: job, iterative: {maxIterations: 2, suggest: {template: ask}}}
`)
	w.until("it was asked twice", func() bool { return len(w.questions()) == 2 })
	asked := w.questions()[1]
	assert.LessOrEqual(t, len(asked.Spec.Params["request"].Raw), search.MaxRequest)
	r := requestOf(t, &asked)
	assert.Greater(t, len(r.Observations), trials/2)
	assert.EqualValues(t, trials, int64(len(r.Observations))+r.Omitted)
	assert.EqualValues(t, trials-1, r.Observations[len(r.Observations)-1].Index)
	w.edit(flow, func(s *v1alpha1.WorkflowSpec) { s.DesiredState = v1alpha1.Stopped })
	w.until("it ends", func() bool { return w.read(flow).Phase.Final() })
}
