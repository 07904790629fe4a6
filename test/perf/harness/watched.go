package harness

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Watched is what watches show of the operations of some queues. All times are times of receipt in one client.
type Watched struct {
	*Recorder
	// Done is told once: when enough have succeeded, or one has ended otherwise.
	Done chan error

	now    func() time.Time
	queues map[string]int
	enough int

	mu          sync.Mutex
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
	queued, bound, over bool
	ended               time.Time // its pod's
}

// NewWatched expects a number of operations in each queue, each with so many seats; enough of them are to succeed.
func NewWatched(seats int, expected map[string]int, enough int) *Watched {
	return &Watched{
		Recorder: NewRecorder(seats, expected), Done: make(chan error, 1), now: time.Now, queues: expected, enough: enough,
		ops: map[string]*times{}, waiting: map[string]bool{},
	}
}

// Watch follows operations and what they run as until the context ends.
func (w *Watched) Watch(ctx context.Context, c *Cluster, namespace string) error {
	if err := c.Follow(ctx, &corev1.PodList{}, namespace, v1alpha1.OperationLabel, w.seePod); err != nil {
		return err
	}
	return c.Follow(ctx, &v1alpha1.OperationList{}, namespace, "", w.seeOperation)
}

// Await waits until enough have succeeded.
func (w *Watched) Await(ctx context.Context) error {
	select {
	case err := <-w.Done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("not all operations ended: %w", ctx.Err())
	}
}

// know is an operation of one of the queues, or nil.
func (w *Watched) know(name, queue string) *times {
	op := w.ops[name]
	if op == nil && w.queues[queue] > 0 {
		op = &times{}
		w.ops[name] = op
		w.Created(name, queue, w.now())
	}
	return op
}

func (w *Watched) seePod(o runtime.Object, deleted bool) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	name := pod.Labels[v1alpha1.OperationLabel]
	op := w.know(name, pod.Labels[v1alpha1.QueueLabel])
	if op == nil {
		return
	}
	now := w.now()
	bound := pod.Spec.NodeName != ""
	ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	if !deleted {
		w.Observe(name, bound, ended, now)
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

func (w *Watched) seeOperation(o runtime.Object, _ bool) {
	op, ok := o.(*v1alpha1.Operation)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.know(op.Name, op.Spec.Queue)
	if seen == nil || seen.over {
		return
	}
	now, phase := w.now(), op.Status.Phase
	if !seen.queued && op.Status.QueuedTime != nil {
		seen.queued = true
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

func (w *Watched) tell(err error) {
	if !w.over {
		w.over = true
		w.Done <- err
	}
}

// Figures are what was seen so far.
type Figures struct {
	Timing
	// Succeeded is operations per second, between the 10th and the 90th percent of them.
	Succeeded float64 `json:"succeededPerSecond"`
	// Recorded is the milliseconds from the end of a pod to its operation being seen as succeeded.
	RecordedP50 float64 `json:"recordedP50Ms"`
	RecordedP99 float64 `json:"recordedP99Ms"`
	// MostWaiting is the most pods without a node at any time.
	MostWaiting int `json:"mostWaitingPods"`

	FirstNode    time.Time `json:"-"` // when the first pod was seen on a node
	FirstRunning time.Time `json:"-"` // when the first operation was seen as running
}

// Figures are taken at any time.
func (w *Watched) Figures() Figures {
	f := Figures{Timing: w.Timing()}
	w.mu.Lock()
	defer w.mu.Unlock()
	f.Succeeded = Rate(w.succeeded)
	f.RecordedP50, f.RecordedP99 = Millis(w.recorded, 0.5), Millis(w.recorded, 0.99)
	f.MostWaiting, f.FirstRunning = w.mostWaiting, w.firstRun
	if len(w.bound) > 0 {
		f.FirstNode = w.bound[0]
	}
	return f
}

// Queued is how many have queued so far.
func (w *Watched) Queued() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queued
}

// OnNodes are the times at which pods were seen on nodes first.
func (w *Watched) OnNodes() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.bound)
}
