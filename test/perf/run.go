package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/test/perf/harness"
)

// measure sends one run's pods and takes the figures.
func (b *bench) measure(ctx context.Context, r result) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	b.runs++
	s := &sending{bench: b, run: fmt.Sprintf("%s-%d", r.Run, b.runs), scheduler: v1alpha1.SchedulerName, queues: []string{freeQueue}}
	switch {
	case r.Run == stockRun:
		s.scheduler, s.queues = stockProfile, []string{""}
	case r.Seats > 0:
		s.queues = harness.QueueNames(r.Queues)
	}
	s.recorder = harness.NewRecorder(r.Seats, s.expected(r.Pods))
	if err := b.cluster.Follow(ctx, &corev1.PodList{}, namespace, runLabel+"="+s.run, s.see); err != nil {
		return r, err
	}
	before, err := b.cluster.Read(ctx)
	if err != nil {
		return r, err
	}
	if err := s.send(ctx, r); err != nil {
		return r, err
	}
	if err := await(ctx, s.recorder.Ended, "end", s.run); err != nil {
		return r, err
	}
	after, err := b.cluster.Read(ctx)
	if err != nil {
		return r, err
	}
	r.Timing = s.recorder.Timing()
	r.Writes, r.WritesPerPod = harness.Each(before.Writes, after.Writes, r.Pods)
	r.SchedulerCPU = after.CPUSince(before, sandbox.Scheduler, r.Pods)
	r.ControlPlaneCPU = after.CPUSince(before, sandbox.ControlPlane, r.Pods)
	return r, clean(ctx, b.cluster.Client, s.run)
}

// sending is the pods of one run on their way.
type sending struct {
	bench     *bench
	run       string
	scheduler string
	queues    []string
	recorder  *harness.Recorder
}

// see takes what the watch shows of a pod.
func (s *sending) see(o runtime.Object, deleted bool) {
	if p, ok := o.(*corev1.Pod); ok && !deleted {
		ended := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		s.recorder.Observe(p.Name, p.Spec.NodeName != "", ended, time.Now())
	}
}

func (s *sending) expected(pods int) map[string]int {
	expected := map[string]int{}
	for i := range pods {
		expected[s.queues[i%len(s.queues)]]++
	}
	return expected
}

// send creates the pods and returns when all have got a node. Queues with a waiting line are open
// only while there are pods of the run to go before it.
func (s *sending) send(ctx context.Context, r result) error {
	if r.Seats == 0 {
		if err := s.create(ctx, 0, r.Pods); err != nil {
			return err
		}
		return await(ctx, s.recorder.Bound, "get a node", s.run)
	}
	ahead := min(r.Pods, 2*r.Queues*r.Seats)
	if err := s.create(ctx, 0, ahead); err != nil {
		return err
	}
	if err := s.set(ctx, r.Seats, v1alpha1.QueueOpen); err != nil {
		return err
	}
	if err := s.create(ctx, ahead, r.Pods); err != nil {
		return err
	}
	if err := await(ctx, s.recorder.Bound, "get a node", s.run); err != nil {
		return err
	}
	return s.set(ctx, r.Seats, v1alpha1.QueuePaused)
}

func (s *sending) set(ctx context.Context, seats int, state v1alpha1.QueueState) error {
	for _, q := range s.queues {
		if err := s.bench.cluster.SetQueue(ctx, q, new(int32(seats)), state); err != nil {
			return err
		}
	}
	return nil
}

// create makes the pods with the numbers from to to.
func (s *sending) create(ctx context.Context, from, to int) error {
	return createAll(ctx, s.bench.cluster.Client, to-from, func(i int) *corev1.Pod {
		i += from
		p := podOf(s.run, fmt.Sprintf("%s-%d", s.run, i), s.queues[i%len(s.queues)], s.scheduler)
		s.recorder.Created(p.Name, s.queues[i%len(s.queues)], time.Now())
		return p
	})
}

func await(ctx context.Context, done <-chan struct{}, what, run string) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("not all pods of run %s %s: %w", run, what, ctx.Err())
	}
}
