package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
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
		s.queues = queueNames(r.Queues)
	}
	s.recorder = newRecorder(r.Seats, s.expected(r.Pods))
	if err := follow(ctx, b.client, s.run, s.recorder); err != nil {
		return r, err
	}
	before, err := b.read(ctx)
	if err != nil {
		return r, err
	}
	if err := s.send(ctx, r); err != nil {
		return r, err
	}
	if err := await(ctx, s.recorder.ended, "end", s.run); err != nil {
		return r, err
	}
	after, err := b.read(ctx)
	if err != nil {
		return r, err
	}
	r.timing = s.recorder.timing()
	r.Writes, r.WritesPerPod = perPod(before.writes, after.writes, r.Pods)
	cpu := func(component string) float64 {
		return float64((after.cpu[component] - before.cpu[component]).Milliseconds()) / float64(r.Pods)
	}
	r.SchedulerCPU, r.ControlPlaneCPU = cpu(schedulerComponent), cpu(controlPlaneComponent)
	return r, clean(ctx, b.client, s.run)
}

// sending is the pods of one run on their way.
type sending struct {
	bench     *bench
	run       string
	scheduler string
	queues    []string
	recorder  *recorder
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
		return await(ctx, s.recorder.bound, "get a node", s.run)
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
	if err := await(ctx, s.recorder.bound, "get a node", s.run); err != nil {
		return err
	}
	return s.set(ctx, r.Seats, v1alpha1.QueuePaused)
}

func (s *sending) set(ctx context.Context, seats int, state v1alpha1.QueueState) error {
	for _, q := range s.queues {
		if err := s.bench.queue(ctx, q, new(int32(seats)), state); err != nil {
			return err
		}
	}
	return nil
}

// create makes the pods with the numbers from to to.
func (s *sending) create(ctx context.Context, from, to int) error {
	return createAll(ctx, s.bench.client, to-from, func(i int) *corev1.Pod {
		i += from
		p := podOf(s.run, fmt.Sprintf("%s-%d", s.run, i), s.queues[i%len(s.queues)], s.scheduler)
		s.recorder.created(p.Name, s.queues[i%len(s.queues)], time.Now())
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

// reading is what the meters show at one moment.
type reading struct {
	writes map[string]float64
	cpu    map[string]time.Duration
}

func (b *bench) read(ctx context.Context) (reading, error) {
	r := reading{cpu: map[string]time.Duration{}}
	pids, err := b.pids()
	if err != nil {
		return r, err
	}
	for component, pid := range pids {
		if r.cpu[component], err = cpuTime(pid); err != nil {
			return r, fmt.Errorf("CPU time of %s: %w", component, err)
		}
	}
	r.writes, err = writes(ctx, b.client)
	return r, err
}

func queueName(i int) string { return fmt.Sprintf("bench-%d", i) }

func queueNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, queueName(i))
	}
	return names
}

// queue makes a queue what it should be.
func (b *bench) queue(ctx context.Context, name string, seats *int32, state v1alpha1.QueueState) error {
	q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QueueSpec{Concurrency: seats, State: state}}
	err := b.objects.Create(ctx, q)
	if apierrors.IsAlreadyExists(err) {
		old := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := b.objects.Get(ctx, client.ObjectKeyFromObject(old), old); err != nil {
			return err
		}
		changed := old.DeepCopy()
		changed.Spec.Concurrency, changed.Spec.State = seats, state
		err = b.objects.Patch(ctx, changed, client.MergeFrom(old))
	}
	if err != nil {
		return fmt.Errorf("queue %s: %w", name, err)
	}
	return nil
}
