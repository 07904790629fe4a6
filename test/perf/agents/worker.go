package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

const (
	// players work on that many copies at a time.
	players = 16
	// countPeriod is how often the numbers of queues and agents are written, as a scheduler does.
	countPeriod = time.Second
	// runTime is how long a copy runs.
	runTime = time.Second
)

// world plays controllers, schedulers and nodes of the workers: what comes runs for a second. It writes what they would
// write of operations, queues and agents.
type world struct {
	client client.Client // reads come from caches
	queue  workqueue.TypedRateLimitingInterface[client.ObjectKey]

	mu      sync.Mutex
	running map[string]int32 // by queue
	changed map[string]bool
}

func newWorld(c client.Client) *world {
	return &world{
		client:  c,
		queue:   workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[client.ObjectKey]()),
		running: map[string]int32{}, changed: map[string]bool{},
	}
}

// play goes on until the context ends.
func (w *world) play(ctx context.Context, objects cache.Cache) error {
	operations, err := objects.GetInformer(ctx, &v1alpha1.Operation{})
	if err != nil {
		return err
	}
	look := func(o any) {
		if op, ok := o.(*v1alpha1.Operation); ok {
			w.queue.Add(client.ObjectKeyFromObject(op))
		}
	}
	if _, err := operations.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: look, UpdateFunc: func(_, o any) { look(o) }}); err != nil {
		return err
	}
	for range players {
		go w.work(ctx)
	}
	go w.count(ctx)
	<-ctx.Done()
	w.queue.ShutDown()
	return nil
}

func (w *world) work(ctx context.Context) {
	for {
		key, stop := w.queue.Get()
		if stop {
			return
		}
		again, err := w.step(ctx, key)
		switch {
		case err != nil:
			w.queue.AddRateLimited(key) // it was seen too early
		default:
			w.queue.Forget(key)
			if again > 0 {
				w.queue.AddAfter(key, again)
			}
		}
		w.queue.Done(key)
	}
}

// step leads a copy on: queued, running, and a second later succeeded.
func (w *world) step(ctx context.Context, key client.ObjectKey) (time.Duration, error) {
	op := &v1alpha1.Operation{}
	if err := w.client.Get(ctx, key, op); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	if !op.DeletionTimestamp.IsZero() {
		op.Finalizers = nil
		return 0, client.IgnoreNotFound(w.client.Update(ctx, op))
	}
	now := metav1.NowMicro()
	enter := func(s v1alpha1.Status, message string) {
		op.Status.Phase = s
		op.Status.Timeline = append(op.Status.Timeline, v1alpha1.TimelineEntry{Status: s, Time: now, Reason: "Played", Message: message, Attempt: 1})
	}
	switch op.Status.Phase {
	case "":
		op.Status.QueuedTime, op.Status.Queue, op.Status.Attempt = &now, op.Spec.Queue, 1
		enter(v1alpha1.StatusQueued, "")
	case v1alpha1.StatusQueued:
		enter(v1alpha1.StatusScheduled, "on node played")
		enter(v1alpha1.StatusRunning, "")
		w.move(op.Spec.Queue, 1)
	case v1alpha1.StatusRunning:
		if wait := runTime - time.Since(op.Status.Timeline[len(op.Status.Timeline)-1].Time.Time); wait > 0 {
			return wait, nil
		}
		enter(v1alpha1.StatusSucceeded, "")
		w.move(op.Spec.Queue, -1)
	default:
		return 0, nil
	}
	err := w.client.Status().Update(ctx, op)
	if err != nil && op.Status.Phase != v1alpha1.StatusQueued {
		w.move(op.Spec.Queue, map[v1alpha1.Status]int32{v1alpha1.StatusRunning: -1, v1alpha1.StatusSucceeded: 1}[op.Status.Phase])
	}
	return 0, client.IgnoreNotFound(err)
}

func (w *world) move(queue string, by int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running[queue] += by
	w.changed[queue] = true
}

// count writes how many run in the queues where that is another number, and says of what is new that it is in force.
func (w *world) count(ctx context.Context) {
	ticker := time.NewTicker(countPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		queues, agents := &v1alpha1.QueueList{}, &v1alpha1.AgentList{}
		if w.client.List(ctx, queues) != nil || w.client.List(ctx, agents) != nil {
			continue
		}
		w.mu.Lock()
		running, changed := map[string]int32{}, w.changed
		for queue := range changed {
			running[queue] = w.running[queue]
		}
		w.changed = map[string]bool{}
		w.mu.Unlock()
		byAgent := map[string]int32{}
		touched := map[string]bool{}
		for i := range queues.Items {
			q := &queues.Items[i]
			n := q.Status.Admitted
			if changed[q.Name] {
				n, touched[q.Spec.Agent] = running[q.Name], true
			}
			byAgent[q.Spec.Agent] += n
			if n == q.Status.Admitted && q.Status.ObservedGeneration == q.Generation {
				continue
			}
			q.Status.Admitted, q.Status.ObservedGeneration = n, q.Generation
			if w.client.Status().Update(ctx, q) != nil {
				w.move(q.Name, 0)
			}
		}
		for i := range agents.Items {
			a := &agents.Items[i]
			if n := byAgent[a.Name]; touched[a.Name] && n != a.Status.Admitted || a.Status.ObservedGeneration != a.Generation {
				a.Status.Admitted, a.Status.ObservedGeneration = n, a.Generation
				_ = w.client.Status().Update(ctx, a) // the next time, if it was changed meanwhile
			}
		}
	}
}

// agentName is the name of a simulated agent.
func agentName(i int) string { return fmt.Sprintf("crowd-%d", i) }
