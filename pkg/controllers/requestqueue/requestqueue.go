// Package requestqueue is controller-runtime's priority queue, with an end that does not hang.
package requestqueue

import (
	"sync"
	"sync/atomic"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// queue lets one worker at a time wait for the next request. Up to controller-runtime 0.25, a queue that is shut down
// while a worker waits may hand that worker, which has left, a request, and never comes back from it; the other
// workers then wait for ever for the lock that it holds. So it is shut down when nobody waits.
type queue struct {
	priorityqueue.PriorityQueue[reconcile.Request]
	turn  sync.Mutex
	ended atomic.Bool
}

// New makes the queue of a controller. It fits controller.Options.NewQueue.
func New(controller string, limiter workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	return &queue{PriorityQueue: priorityqueue.New(controller, func(o *priorityqueue.Opts[reconcile.Request]) { o.RateLimiter = limiter })}
}

// GetWithPriority implements priorityqueue.PriorityQueue.
func (q *queue) GetWithPriority() (request reconcile.Request, priority int, shutdown bool) {
	q.turn.Lock()
	defer q.turn.Unlock()
	if q.ended.Load() {
		return reconcile.Request{}, 0, true
	}
	request, priority, shutdown = q.PriorityQueue.GetWithPriority()
	return request, priority, shutdown || q.ended.Load()
}

// Get implements workqueue.TypedInterface.
func (q *queue) Get() (request reconcile.Request, shutdown bool) {
	request, _, shutdown = q.GetWithPriority()
	return request, shutdown
}

// ShutDown implements workqueue.TypedInterface.
func (q *queue) ShutDown() {
	if q.ended.Swap(true) {
		return
	}
	q.PriorityQueue.Add(reconcile.Request{}) // of no object: whoever waits comes back
	q.turn.Lock()
	defer q.turn.Unlock()
	q.PriorityQueue.ShutDown()
}

// ShutDownWithDrain implements workqueue.TypedInterface. It does not drain, as the one below does not.
func (q *queue) ShutDownWithDrain() { q.ShutDown() }

// ShuttingDown implements workqueue.TypedInterface.
func (q *queue) ShuttingDown() bool { return q.ended.Load() }
