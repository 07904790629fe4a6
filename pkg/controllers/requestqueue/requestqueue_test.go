package requestqueue

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func named(i int) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: strconv.Itoa(i)}}
}

func newQueue() priorityqueue.PriorityQueue[reconcile.Request] {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Millisecond, time.Second)
	return New("test", limiter).(priorityqueue.PriorityQueue[reconcile.Request])
}

// Workers that take and give back while the queue is shut down all come to their end.
func TestWorkersComeToTheirEnd(t *testing.T) {
	const rounds, workers = 200, 16
	for range rounds {
		q := newQueue()
		var all, busy sync.WaitGroup
		busy.Add(workers)
		for worker := range workers {
			all.Go(func() {
				for i := 0; ; i++ {
					q.Add(named(i*workers + worker))
					request, shutdown := q.Get()
					if shutdown {
						return
					}
					q.Done(request)
					if i == 0 {
						busy.Done()
					}
				}
			})
		}
		busy.Wait()
		q.ShutDown()
		all.Wait()
	}
}

// One that waits for the next request comes back at the end, and nothing is given out after it.
func TestNothingAfterTheEnd(t *testing.T) {
	q := newQueue()
	back := make(chan bool)
	go func() {
		_, shutdown := q.Get()
		back <- shutdown
	}()
	q.ShutDown()
	q.ShutDown()
	require.True(t, <-back)
	q.Add(named(1))
	_, shutdown := q.Get()
	require.True(t, shutdown)
	require.True(t, q.ShuttingDown())
}

func TestPriorityGoesFirst(t *testing.T) {
	q := newQueue()
	defer q.ShutDown()
	q.AddWithOpts(priorityqueue.AddOpts{Priority: ptr.To(-1)}, named(1))
	q.Add(named(2))
	q.AddWithOpts(priorityqueue.AddOpts{Priority: ptr.To(3)}, named(3))
	for _, want := range []int{3, 2, 1} {
		request, _, _ := q.GetWithPriority()
		require.Equal(t, named(want), request)
		q.Done(request)
	}
}
