package main

import (
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/perf/harness"
)

// watched is what the watches have shown of a run. All times are times of receipt in one client.
type watched struct {
	*harness.Recorder
	now  func() time.Time
	Done chan error // told once: when enough have succeeded, or one has ended otherwise

	mu          sync.Mutex
	enough      int
	ops         map[string]*times
	queued      int
	succeeded   []time.Time
	recorded    []time.Duration // from the end of a pod to its operation's success
	bound       []time.Time
	firstRun    time.Time
	waiting     map[string]bool // have a pod without a node
	mostWaiting int
	over        bool
}

type times struct {
	queued, ended time.Time
	bound, over   bool
}

func newWatched(r *harness.Recorder, enough int) *watched {
	return &watched{Recorder: r, now: time.Now, Done: make(chan error, 1), enough: enough, ops: map[string]*times{}, waiting: map[string]bool{}}
}

// created notes that an operation is about to be created.
func (w *watched) created(name, queue string) {
	w.Recorder.Created(name, queue, w.now())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ops[name] = &times{}
}

// seePod takes a version of a pod that an operation runs as.
func (w *watched) seePod(o runtime.Object, deleted bool) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	now, name := w.now(), pod.Labels[v1alpha1.OperationLabel]
	bound := pod.Spec.NodeName != ""
	ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	if !deleted {
		w.Recorder.Observe(name, bound, ended, now)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	op := w.ops[name]
	if op == nil {
		return
	}
	if bound || deleted {
		delete(w.waiting, name)
	} else {
		w.waiting[name] = true
		w.mostWaiting = max(w.mostWaiting, len(w.waiting))
	}
	if bound && !op.bound {
		op.bound = true
		w.bound = append(w.bound, now)
	}
	if ended && op.ended.IsZero() {
		op.ended = now
	}
}

// seeOperation takes a version of an operation.
func (w *watched) seeOperation(o runtime.Object, _ bool) {
	op, ok := o.(*v1alpha1.Operation)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.ops[op.Name]
	if seen == nil || seen.over {
		return
	}
	now, phase := w.now(), op.Status.Phase
	if seen.queued.IsZero() && op.Status.QueuedTime != nil {
		seen.queued = now
		w.queued++
	}
	if phase == v1alpha1.StatusRunning && w.firstRun.IsZero() {
		w.firstRun = now
	}
	if !phase.Final() {
		return
	}
	seen.over = true
	if phase != v1alpha1.StatusSucceeded {
		w.tell(fmt.Errorf("operation %s is %s: %s", op.Name, phase, op.Status.Timeline[len(op.Status.Timeline)-1].Message))
		return
	}
	w.succeeded = append(w.succeeded, now)
	if !seen.ended.IsZero() { // the two watches are not ordered with each other
		w.recorded = append(w.recorded, now.Sub(seen.ended))
	}
	if len(w.succeeded) == w.enough {
		w.tell(nil)
	}
}

func (w *watched) tell(err error) {
	if !w.over {
		w.over = true
		w.Done <- err
	}
}

// figures are copies of what was counted so far.
type figures struct {
	harness.Timing
	Finished     float64 `json:"succeededPerSecond"`
	RecordedP50  float64 `json:"recordedP50Ms"`
	RecordedP99  float64 `json:"recordedP99Ms"`
	MostWaiting  int     `json:"mostWaitingPods"`
	queued       int
	bound        []time.Time
	firstRunning time.Time
}

func (w *watched) figures() figures {
	f := figures{Timing: w.Recorder.Timing()}
	w.mu.Lock()
	defer w.mu.Unlock()
	f.Finished = harness.Rate(w.succeeded)
	f.RecordedP50, f.RecordedP99 = harness.Millis(w.recorded, 0.5), harness.Millis(w.recorded, 0.99)
	f.MostWaiting, f.queued, f.bound, f.firstRunning = w.mostWaiting, w.queued, append([]time.Time(nil), w.bound...), w.firstRun
	return f
}
