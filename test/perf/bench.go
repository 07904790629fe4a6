package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/perf/harness"
)

const (
	// runTimeout bounds one run.
	runTimeout = 5 * time.Minute
	// settleTimeout bounds the making of the line.
	settleTimeout = 10 * time.Minute
	// quiet is the number of writes in a second below which a cluster counts as at rest. It is more
	// than the scheduler's telling waiting pods why they wait, ten a second with two writes each,
	// which may go on for a long time after a long line has come.
	quiet = 60
	// The runs without seats: the stock profile, and a queue without a limit.
	stockRun = "stock"
	freeRun  = "free"
	// freeQueue has no limit: what it places per second is compared with the stock profile.
	freeQueue = "bench-free"
)

// result is one run.
type result struct {
	Waiting int    `json:"waiting"`
	Run     string `json:"run"` // stock, free, or a shape
	Queues  int    `json:"queues"`
	Seats   int    `json:"seats"`
	Pods    int    `json:"pods"`
	harness.Timing
	WritesPerPod    float64            `json:"writesPerPod"`
	Writes          map[string]float64 `json:"writes"`
	SchedulerCPU    float64            `json:"schedulerCPUMsPerPod"`
	ControlPlaneCPU float64            `json:"controlPlaneCPUMsPerPod"`
}

// bench runs the plan on a cluster.
type bench struct {
	options options
	cluster *harness.Cluster
	log     io.Writer
	runs    int
}

// run measures everything that was asked for.
func (b *bench) run(ctx context.Context) ([]result, error) {
	class := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: firstClass}, Value: 1000, PreemptionPolicy: new(corev1.PreemptNever)}
	if _, err := b.cluster.Client.SchedulingV1().PriorityClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	if err := b.cluster.SetQueue(ctx, freeQueue, nil, v1alpha1.QueueOpen); err != nil {
		return nil, err
	}
	widest := 1
	for _, s := range b.options.shapes {
		widest = max(widest, s.Queues)
	}
	for _, name := range harness.QueueNames(widest) {
		if err := b.cluster.SetQueue(ctx, name, nil, v1alpha1.QueuePaused); err != nil {
			return nil, err
		}
	}
	// The first run of a process pays for cold caches and connections; nobody wants its figures.
	if _, err := b.measure(ctx, result{Run: freeRun, Queues: 1, Pods: 200}); err != nil {
		return nil, err
	}
	var results []result
	waiting := slices.Clone(b.options.waiting)
	slices.Sort(waiting) // the line only grows
	for _, n := range waiting {
		for _, r := range b.plan(n) {
			if err := b.prepare(ctx, n); err != nil {
				return results, err
			}
			r, err := b.measure(ctx, r)
			if err != nil {
				return results, err
			}
			fmt.Fprintln(b.log, r)
			results = append(results, r)
		}
	}
	return results, nil
}

// plan lists the runs with one line. Stock and queue runs take turns, and turns in going first, so
// that a slow minute of the machine meets both.
func (b *bench) plan(waiting int) []result {
	var runs []result
	if b.options.rates {
		for i := range b.options.repeats {
			pair := []result{
				{Waiting: waiting, Run: stockRun, Pods: b.options.pods},
				{Waiting: waiting, Run: freeRun, Queues: 1, Pods: b.options.pods},
			}
			if i%2 == 1 {
				slices.Reverse(pair)
			}
			runs = append(runs, pair...)
		}
	}
	for _, s := range b.options.shapes {
		runs = append(runs, result{Waiting: waiting, Run: s.String(), Queues: s.Queues, Seats: s.Seats, Pods: s.Pods(b.options.pods)})
	}
	return runs
}

// prepare makes the line as long as it should be and waits until the cluster is at rest.
func (b *bench) prepare(ctx context.Context, waiting int) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if err := fillLine(ctx, b.cluster.Client, harness.QueueNames(1)[0], waiting); err != nil {
		return err
	}
	return b.cluster.Rest(ctx, quiet)
}
