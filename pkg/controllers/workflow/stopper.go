package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/curve"
	"github.com/queueyard/queueyard/pkg/workflow"
)

const (
	// readEvery is how often the log of a running trial is read.
	readEvery = 10 * time.Second
	// lookEvery is how often it is looked for workflows whose trials are to be read, as a share of that.
	lookEvery = 10
	// readsPerSecond bounds the reads of all logs, readsAtATime how many are under way.
	readsPerSecond, readsAtATime = 20, 8
	// pageBytes of a log are read at a time, and so many pages of one log in a row.
	pageBytes, pages = 1 << 20, 4
	// lastTries is how often the log of a trial that is over is tried.
	lastTries = 3
	// longestPause bounds the pauses after reads that failed: they double so often.
	longestPause = 5
)

// stopper stops trials by the policies of their matrices. It reads the logs of those that run, judges, and
// stops them; what follows is as with every operation that is stopped. It remembers what it has read, and finds it anew
// in logs and annotations where it does not.
type stopper struct {
	*Reconciler
	logs  trialLogs
	every time.Duration
	rate  flowcontrol.RateLimiter
	// boards of workflows with policies. Only run uses them.
	boards map[types.UID]*board
}

// board is what is known of the trials of one workflow.
type board struct {
	attempt  int32
	policies []workflow.StoppingPolicy
	trials   map[string]*trial
	next     time.Time
}

// trial is what one trial has printed in its current attempt.
type trial struct {
	op      *v1alpha1.Operation // nil once it is settled
	phase   v1alpha1.Status
	attempt int32
	curves  []*curve.Curve // one for each policy
	since   time.Time      // what is older was read
	// err of the last read, how many failed in a row, and when to try again; more: there was more than it took.
	err      error
	failures int
	next     time.Time
	more     bool
	// over: it will print no more; settled: and all it has printed is known; stopped: a policy has told it to stop.
	over, settled, stopped bool
}

func newStopper(r *Reconciler, logs trialLogs, every time.Duration) *stopper {
	return &stopper{
		Reconciler: r, logs: logs, every: every,
		rate: flowcontrol.NewTokenBucketRateLimiter(readsPerSecond, readsPerSecond), boards: map[types.UID]*board{},
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (s *stopper) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (s *stopper) Start(ctx context.Context) error {
	for {
		s.round(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-s.clock.After(s.every / lookEvery):
		}
	}
}

// round reads and judges the trials of all workflows whose turn it is.
func (s *stopper) round(ctx context.Context) {
	all := s.runs.all()
	for uid := range s.boards {
		if all[uid] == nil {
			delete(s.boards, uid)
		}
	}
	var due []*board
	var reads []read
	for uid, r := range all {
		if b := s.board(uid, r); b != nil {
			due = append(due, b)
			reads = append(reads, s.look(ctx, b, r)...)
		}
	}
	workqueue.ParallelizeUntil(ctx, readsAtATime, len(reads), func(i int) { s.read(ctx, reads[i].board, reads[i].trial) })
	for _, b := range due {
		s.settle(ctx, b)
		s.judge(ctx, b)
	}
}

// read is a log to be read.
type read struct {
	board *board
	trial *trial
}

// board is that of a workflow with policies whose turn it is, or nil.
func (s *stopper) board(uid types.UID, r *run) *board {
	if len(r.plan.Policies) == 0 {
		delete(s.boards, uid)
		return nil
	}
	b := s.boards[uid]
	if b == nil || b.attempt != r.attempt || !slices.Equal(b.policies, r.plan.Policies) {
		b = &board{attempt: r.attempt, policies: r.plan.Policies, trials: map[string]*trial{}}
		s.boards[uid] = b
	}
	now := s.clock.Now()
	if now.Before(b.next) {
		return nil
	}
	b.next = now.Add(s.every)
	return b
}

// look takes note of the trials that exist, and says whose logs are to be read.
func (s *stopper) look(ctx context.Context, b *board, r *run) (reads []read) {
	r.mu.Lock()
	var names []string
	exist := make(map[string]bool, len(r.children))
	for _, c := range r.children {
		exist[c.name] = true
		if t := b.trials[c.name]; !c.nested && (t == nil || !t.settled) && !(t == nil && c.waits()) {
			names = append(names, c.name)
		}
	}
	r.mu.Unlock()
	for name := range b.trials {
		if !exist[name] {
			delete(b.trials, name)
		}
	}
	for _, name := range names {
		op := &v1alpha1.Operation{}
		if err := s.client.Get(ctx, keyOf(r.namespace, name), op); err != nil {
			continue // it was made a moment ago, or is gone
		}
		t := b.trials[name]
		if t == nil || t.attempt != op.Status.Attempt {
			t = &trial{attempt: op.Status.Attempt, curves: newCurves(b.policies)}
			b.trials[name] = t
		}
		t.op, t.phase = op, op.Status.Phase
		wanted := b.wanted(t)
		if t.settled {
			t.op = nil
		}
		if wanted && !s.clock.Now().Before(t.next) {
			reads = append(reads, read{b, t})
		}
	}
	return reads
}

// wanted says whether a log has something to tell.
func (b *board) wanted(t *trial) bool {
	op := t.op
	switch phase := phaseOf(op.Status.Phase, op.Spec.Restarts > op.Status.Restarts); {
	case phase == v1alpha1.StatusRunning:
		return t.goesOn()
	case phase == v1alpha1.StatusSucceeded || phase == v1alpha1.StatusFailed:
		t.over = true
		t.settled = op.Status.Run == nil || b.recall(t)
		return !t.settled
	case phase.Final(): // it is no yardstick, but with what it had when it was judged
		t.over, t.settled = true, true
		b.recall(t)
	}
	return false
}

// goesOn says whether a trial runs and is to.
func (t *trial) goesOn() bool {
	return t.phase == v1alpha1.StatusRunning && !t.stopped && t.op.Spec.DesiredState != v1alpha1.Stopped
}

func newCurves(policies []workflow.StoppingPolicy) []*curve.Curve {
	curves := make([]*curve.Curve, len(policies))
	for i, p := range policies {
		curves[i] = curve.New(p.EvaluationInterval)
	}
	return curves
}

// read reads what is new of a log.
func (s *stopper) read(ctx context.Context, b *board, t *trial) {
	t.more = false
	for range pages {
		if t.err = s.rate.Wait(ctx); t.err != nil {
			return
		}
		var data []byte
		if data, t.err = s.logs.read(ctx, t.op, t.since, pageBytes); t.err != nil {
			t.failures++
			t.next = s.clock.Now().Add(s.every << min(longestPause, t.failures-1))
			log.FromContext(ctx).V(2).Info("The log of a trial could not be read", "operation", client.ObjectKeyFromObject(t.op), "error", t.err.Error())
			return
		}
		t.failures = 0
		last := curve.Log(data, func(r curve.Report) {
			for i, p := range b.policies {
				if value, has := r.Values[p.Metric]; has {
					t.curves[i].Add(r.Step, value)
				}
			}
		}).Truncate(time.Second) // since is exact to the second
		full := len(data) >= pageBytes
		switch {
		case last.After(t.since):
			t.since = last
		case full: // one second fills a page: the rest of it is left out
			t.since = t.since.Add(time.Second)
		}
		if !full {
			return
		}
	}
	t.more = true
}

// finished says that all is known of a trial that is over, or that no more will be.
func (b *board) finished(t *trial) bool {
	_, any := b.reported(t)
	switch {
	case t.err == nil:
		return !t.more
	case errors.Is(t.err, errNoLog) || apierrors.IsNotFound(t.err):
		return true
	}
	return t.failures >= lastTries || t.failures > 0 && !any
}

// settle writes down what trials printed that are over.
func (s *stopper) settle(ctx context.Context, b *board) {
	var done []*trial
	for _, t := range b.trials {
		if t.over && !t.settled && b.finished(t) {
			done = append(done, t)
		}
	}
	workqueue.ParallelizeUntil(ctx, parallel, len(done), func(i int) {
		t := done[i]
		if reported, any := b.reported(t); any {
			op := t.op.DeepCopy()
			annotate(op, map[string]string{v1alpha1.ReportedAnnotation: reported})
			if err := s.client.Patch(ctx, op, client.MergeFrom(t.op)); client.IgnoreNotFound(err) != nil {
				log.FromContext(ctx).Error(err, "What a trial printed could not be written down", "operation", client.ObjectKeyFromObject(op))
				return
			}
		}
		t.op, t.settled = nil, true
	})
}

// judge stops what the policies say.
func (s *stopper) judge(ctx context.Context, b *board) {
	for i, policy := range b.policies {
		var all []workflow.Series
		var running []int
		var trials []*trial
		for name, t := range b.trials {
			if len(t.curves[i].Points()) == 0 {
				continue
			}
			if t.goesOn() {
				running = append(running, len(all))
			}
			failed := t.phase == v1alpha1.StatusFailed
			all = append(all, workflow.Series{Child: name, Points: t.curves[i].Points(), Failed: failed, Ended: failed || t.phase == v1alpha1.StatusSucceeded})
			trials = append(trials, t)
		}
		for _, k := range running {
			message := policy.Judge(all[k], all)
			if message == "" {
				continue
			}
			if err := s.stopTrial(ctx, b, trials[k], message); client.IgnoreNotFound(err) != nil {
				log.FromContext(ctx).Error(err, "A trial could not be stopped", "operation", client.ObjectKeyFromObject(trials[k].op))
			}
		}
	}
}

// stopTrial stops a trial, and writes down with it why and what it had printed.
func (s *stopper) stopTrial(ctx context.Context, b *board, t *trial, message string) error {
	op := t.op.DeepCopy()
	op.Spec.DesiredState = v1alpha1.Stopped
	reported, _ := b.reported(t)
	annotate(op, map[string]string{v1alpha1.ReportedAnnotation: reported})
	stopCause{v1alpha1.ReasonStoppedByPolicy, message}.write(op)
	if err := s.client.Patch(ctx, op, client.MergeFrom(t.op)); err != nil {
		return err
	}
	t.stopped = true
	return nil
}

// reported is what a trial has printed, as its annotation has it.
type reported struct {
	Attempt int32           `json:"attempt"`
	Curves  []reportedCurve `json:"curves"`
}

type reportedCurve struct {
	Metric   string       `json:"metric"`
	Interval int64        `json:"interval"`
	Curve    *curve.Curve `json:"curve"`
}

func (b *board) reported(t *trial) (text string, any bool) {
	r := reported{Attempt: t.attempt}
	for i, p := range b.policies {
		any = any || len(t.curves[i].Points()) > 0
		r.Curves = append(r.Curves, reportedCurve{p.Metric, max(1, p.EvaluationInterval), t.curves[i]})
	}
	raw, err := json.Marshal(r)
	return string(raw), any && err == nil
}

// recall takes what was written down of a trial. It says whether that is all that the policies ask for.
func (b *board) recall(t *trial) bool {
	var r reported
	if err := json.Unmarshal([]byte(t.op.Annotations[v1alpha1.ReportedAnnotation]), &r); err != nil || r.Attempt != t.attempt {
		return false
	}
	found := 0
	for i, p := range b.policies {
		for _, c := range r.Curves {
			if c.Metric == p.Metric && c.Interval == max(1, p.EvaluationInterval) && c.Curve != nil {
				t.curves[i] = c.Curve
				found++
				break
			}
		}
	}
	return found == len(b.policies)
}
