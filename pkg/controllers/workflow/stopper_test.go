package workflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/flowcontrol"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/workflow"
)

// playedLogs are those of operations by their param x, as nodes would serve them.
type playedLogs struct {
	mu     sync.Mutex
	byX    map[int64][]byte
	failed map[int64]error
	reads  map[int64]int
}

func newPlayedLogs() *playedLogs {
	return &playedLogs{byX: map[int64][]byte{}, failed: map[int64]error{}, reads: map[int64]int{}}
}

var logsBegin = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// print adds steps from one to another, one a second, all with one loss.
func (l *playedLogs) print(x, from, to int64, loss float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for step := from; step <= to; step++ {
		at := logsBegin.Add(time.Duration(step) * time.Second).Format(time.RFC3339Nano)
		l.byX[x] = fmt.Appendf(l.byX[x], "%s some words\n%s queueyard {\"step\": %d, \"loss\": %v}\n", at, at, step, loss)
	}
}

// lose makes a log that can't be read.
func (l *playedLogs) lose(x int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed[x] = err
}

func (l *playedLogs) read(_ context.Context, op *v1alpha1.Operation, since time.Time, limit int64) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := paramOf(op, "x")
	l.reads[x]++
	if err := l.failed[x]; err != nil {
		return nil, err
	}
	var out []byte
	for line := range bytes.Lines(l.byX[x]) {
		stamp, _, _ := bytes.Cut(line, []byte{' '})
		if at, err := time.Parse(time.RFC3339Nano, string(stamp)); err == nil && !at.Before(since) {
			out = append(out, line...)
		}
	}
	return out[:min(int64(len(out)), limit)], nil
}

// A trial that promises little is stopped while it runs, with the rule and its numbers; the rest goes on. A controller that is
// started anew judges by what was written down of trials whose logs are gone.
func TestPolicies(t *testing.T) {
	t.Parallel()
	w := begin(t, "policies")
	logs := newPlayedLogs()
	with := func(mgr ctrl.Manager) error { return setup(mgr, logs, 50*time.Millisecond) }
	stop := w.startWith(interceptor.Funcs{}, with)
	ending := map[int64]float64{0: 0.25}
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		if loss, ends := ending[paramOf(op, "x")]; ends {
			op.Status.Run = &v1alpha1.RunReference{APIVersion: "v1", Kind: "Pod", Namespace: w.namespace, Name: op.Name}
			return v1alpha1.StatusSucceeded, map[string]any{"loss": loss}
		}
		return "", nil
	}
	logs.print(0, 1, 10, 0.25)
	sweep := w.create("sweep", "entrypoint: main\ntemplates:"+job+`- name: main
  matrix:
    template: job
    grid: {params: {x: {kind: range, value: [0, 4, 1]}}}
    metric: {name: loss, optimization: minimize}
    earlyStopping: {policies: [{kind: median, evaluationInterval: 5}]}
`)
	of := func(x int64) *v1alpha1.Operation {
		for _, op := range w.operations() {
			if paramOf(&op, "x") == x {
				return &op
			}
		}
		return &v1alpha1.Operation{}
	}
	w.until("what the first printed is written down", func() bool { return of(0).Annotations[v1alpha1.ReportedAnnotation] != "" })
	w.until("the others run", func() bool { return w.read(sweep).Children.Running == 3 })
	stop()
	logs.lose(0, errNoLog)
	logs.print(1, 1, 14, 0.125)
	logs.print(2, 1, 4, 0.5) // comes to no step at which it is judged
	logs.print(3, 1, 14, 0.5)
	w.startWith(interceptor.Funcs{}, with)
	w.until("the worst is stopped", func() bool { return w.read(sweep).Children.Stopped == 1 })
	const message = "loss at step 10 is 0.5 at best, worse than 0.25, the median of the running averages of 1 ended children: stopped by the policy median"
	stopped := of(3)
	assert.Equal(t, v1alpha1.StatusStopped, stopped.Status.Phase)
	assert.Equal(t, v1alpha1.ReasonStoppedByPolicy, stopped.Annotations[v1alpha1.StopReasonAnnotation])
	assert.Equal(t, message, stopped.Annotations[v1alpha1.StopMessageAnnotation])
	assert.JSONEq(t, `{"attempt": 0, "curves": [{"metric": "loss", "interval": 5, "curve": {"width": 5, "points": [[5, 5, 2.5, 0.5, 0.5], [10, 5, 2.5, 0.5, 0.5], [14, 4, 2, 0.5, 0.5]]}}]}`, stopped.Annotations[v1alpha1.ReportedAnnotation])
	ending[1], ending[2] = 0.125, 0.5
	status := w.reach(sweep, v1alpha1.StatusSucceeded)
	assert.EqualValues(t, 3, status.Children.Succeeded)
	assert.Equal(t, of(1).Name, status.Best.Name)
	logs.mu.Lock()
	defer logs.mu.Unlock()
	assert.Positive(t, logs.reads[3])
}

// A trial that a policy has stopped has its result: it is not repeated with those that failed.
func TestJudgedTrialsAreNotRepeated(t *testing.T) {
	t.Parallel()
	w := begin(t, "judged")
	w.start(interceptor.Funcs{})
	fails := true
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		switch x := paramOf(op, "x"); {
		case x == 0 && fails:
			return v1alpha1.StatusFailed, nil
		case x == 1:
			return "", nil
		default:
			return v1alpha1.StatusSucceeded, nil
		}
	}
	sweep := w.create("sweep", "entrypoint: main\ntemplates:"+job+"- name: main\n  matrix: {template: job, grid: {params: {x: {kind: range, value: [0, 3, 1]}}}}\n")
	w.until("one runs", func() bool { s := w.read(sweep).Children; return s.Running == 1 && s.Failed == 1 })
	for _, op := range w.operations() {
		if paramOf(&op, "x") == 1 {
			op.Status.Phase = v1alpha1.StatusStopped
			op.Status.Timeline = append(op.Status.Timeline, v1alpha1.TimelineEntry{Status: op.Status.Phase, Time: metav1.NowMicro(), Reason: v1alpha1.ReasonStoppedByPolicy, Message: "it was bad"})
			require.NoError(t, admin.Status().Update(t.Context(), &op))
		}
	}
	w.reach(sweep, v1alpha1.StatusFailed)
	fails = false
	w.edit(sweep, func(s *v1alpha1.WorkflowSpec) { s.Restarts = 1 })
	status := w.reach(sweep, v1alpha1.StatusSucceeded)
	assert.EqualValues(t, 1, status.Children.Stopped)
	times := map[int64]int{}
	for _, op := range w.operations() {
		times[paramOf(&op, "x")]++
	}
	assert.Equal(t, map[int64]int{0: 2, 1: 1, 2: 1}, times)
}

// What ends a workflow early is told to all that waits or runs.
func TestEarlyStoppingIsTold(t *testing.T) {
	t.Parallel()
	w := begin(t, "told")
	w.start(interceptor.Funcs{})
	w.ends = func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		if paramOf(op, "x") == 7 {
			return v1alpha1.StatusSucceeded, map[string]any{"loss": 0.5}
		}
		return "", nil
	}
	sweep := w.create("sweep", "entrypoint: main\ntemplates:"+job+`- name: main
  matrix: {template: inner, grid: {params: {x: {kind: range, value: [0, 8, 1]}}}, earlyStopping: {metrics: [{metric: loss, value: 1, optimization: minimize}]}}
- name: inner
  dag: {operations: [{name: only, template: job}], outputs: {loss: "{{ ops.only.outputs.loss }}"}}
`)
	w.reach(sweep, v1alpha1.StatusSucceeded)
	list := &v1alpha1.WorkflowList{}
	require.NoError(t, admin.List(t.Context(), list, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.WorkflowLabel: "sweep"}))
	stopped := 0
	for _, inner := range list.Items {
		if inner.Status.Phase != v1alpha1.StatusStopped {
			continue
		}
		stopped++
		last := inner.Status.Timeline[len(inner.Status.Timeline)-1]
		assert.Equal(t, v1alpha1.ReasonStoppedEarly, last.Reason)
		assert.Contains(t, last.Message, "is 0.5, and earlyStopping.metrics asks for at most 1")
	}
	assert.Positive(t, stopped)
	for _, op := range w.operations() {
		if op.Status.Phase == v1alpha1.StatusStopped {
			assert.Equal(t, v1alpha1.ReasonStoppedEarly, op.Annotations[v1alpha1.StopReasonAnnotation])
			assert.Contains(t, op.Annotations[v1alpha1.StopMessageAnnotation], "is 0.5, and earlyStopping.metrics asks for at most 1")
		}
	}
}

// trialOf is a running trial that nothing was read of.
func trialOf(b *board) *trial {
	op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "t"}, Status: v1alpha1.OperationStatus{Phase: v1alpha1.StatusRunning, Attempt: 1}}
	t := &trial{op: op, phase: op.Status.Phase, attempt: 1, curves: newCurves(b.policies)}
	b.trials = map[string]*trial{"t": t}
	return t
}

func medianBoard() *board {
	return &board{policies: []workflow.StoppingPolicy{{Kind: v1alpha1.Median, Metric: "loss", Optimization: v1alpha1.Minimize}}}
}

func steps(t *trial) (out []int64) {
	for _, p := range t.curves[0].Points() {
		out = append(out, p.Step)
	}
	return out
}

// A long log is read page by page, some in a row; what is left follows the next time, from where it was.
func TestLongLogs(t *testing.T) {
	t.Parallel()
	logs := newPlayedLogs()
	clock := clocktesting.NewFakeClock(logsBegin)
	s := newStopper(&Reconciler{clock: clock}, logs, 10*time.Second)
	s.rate = flowcontrol.NewFakeAlwaysRateLimiter()
	b := medianBoard()
	one := trialOf(b)
	const reports = 3*pages + 2
	for step := int64(1); step <= reports; step++ {
		logs.print(0, step, step, 1)
		at := logsBegin.Add(time.Duration(step) * time.Second).Format(time.RFC3339Nano)
		noise := at + " " + strings.Repeat("x", 4000) + "\n"
		logs.byX[0] = append(logs.byX[0], strings.Repeat(noise, pageBytes/2/len(noise))...)
	}
	seen := 0
	for turn := 1; len(one.curves[0].Points()) < reports; turn++ {
		require.Less(t, turn, 10)
		before := logs.reads[0]
		s.read(t.Context(), b, one)
		require.NoError(t, one.err)
		require.LessOrEqual(t, logs.reads[0]-before, pages)
		require.Greater(t, len(steps(one)), seen)
		seen = len(steps(one))
		require.Equal(t, seen < reports, one.more)
	}
	require.EqualValues(t, 1, steps(one)[0])
	require.EqualValues(t, reports, steps(one)[reports-1])

	// A second that fills a page holds nothing up.
	at := logsBegin.Add(100 * time.Second).Format(time.RFC3339Nano)
	noise := at + " " + strings.Repeat("x", 4000) + "\n"
	logs.byX[0] = append(logs.byX[0], strings.Repeat(noise, 2*pageBytes/len(noise))...)
	logs.print(0, 101, 101, 1)
	s.read(t.Context(), b, one)
	require.EqualValues(t, 101, steps(one)[reports])
	require.False(t, one.more)
}

// A log that can't be read is tried ever less often, and given up when its trial is over.
func TestLogsThatFail(t *testing.T) {
	t.Parallel()
	logs := newPlayedLogs()
	clock := clocktesting.NewFakeClock(logsBegin)
	c := fake.NewClientBuilder().WithScheme(scheme()).Build()
	s := newStopper(&Reconciler{clock: clock, client: c}, logs, 10*time.Second)
	b := medianBoard()
	one := trialOf(b)
	require.NoError(t, c.Create(t.Context(), one.op))
	logs.lose(0, errors.New("the node does not answer"))
	for _, pause := range []time.Duration{10, 20, 40, 80, 160, 320, 320} {
		s.read(t.Context(), b, one)
		require.Equal(t, clock.Now().Add(pause*time.Second), one.next)
	}
	one.over = true
	s.settle(t.Context(), b)
	require.True(t, one.settled)

	one = trialOf(b)
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(one.op), one.op))
	one.curves[0].Add(1, 5)
	one.over = true
	for try := 1; try <= lastTries; try++ {
		require.False(t, one.settled, try)
		s.read(t.Context(), b, one)
		s.settle(t.Context(), b)
	}
	require.True(t, one.settled)
	got := &v1alpha1.Operation{}
	require.NoError(t, c.Get(t.Context(), client.ObjectKey{Namespace: "n", Name: "t"}, got))
	require.JSONEq(t, `{"attempt": 1, "curves": [{"metric": "loss", "interval": 1, "curve": {"width": 1, "points": [[1, 5]]}}]}`, got.Annotations[v1alpha1.ReportedAnnotation])

	// It is what the next controller begins with, unless the trial has begun again since or the policies ask for more.
	another := trialOf(b)
	another.op = got
	require.True(t, b.recall(another))
	require.Equal(t, []int64{1}, steps(another))
	another.attempt = 2
	require.False(t, b.recall(another))
	another.attempt = 1
	b.policies[0].EvaluationInterval = 2
	require.False(t, b.recall(another))
	got.Annotations[v1alpha1.ReportedAnnotation] = `{"attempt": 1, "curves": [{"metric": "loss", "interval": 2}]}`
	require.False(t, b.recall(another))
}

// A log is read of the pod that the attempt runs as; of a Job, of the pod that was made last.
func TestPodOf(t *testing.T) {
	t.Parallel()
	pod := func(name, job string, age time.Duration) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, CreationTimestamp: metav1.NewTime(logsBegin.Add(-age))}}
		if job != "" {
			p.Labels = map[string]string{"job-name": job}
		}
		return p
	}
	logs := &podLogs{cached: fake.NewClientBuilder().WithScheme(scheme()).WithObjects(pod("a", "", 0), pod("b", "job", time.Hour), pod("c", "job", time.Minute), pod("d", "other", 0)).Build()}
	for run, want := range map[string]string{"Pod/a": "a", "Job/job": "c", "Pod/x": "", "Job/x": "", "Ship/a": "", "": ""} {
		op := &v1alpha1.Operation{}
		if kind, name, is := strings.Cut(run, "/"); is {
			op.Status.Run = &v1alpha1.RunReference{Kind: kind, Namespace: "n", Name: name}
		}
		got, err := logs.podOf(t.Context(), op)
		if want == "" {
			require.ErrorIs(t, err, errNoLog, run)
			continue
		}
		require.NoError(t, err, run)
		require.Equal(t, want, got.Name, run)
	}
}
