package operation

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

const (
	// countPeriod is how often at most the count of a queue is written.
	countPeriod = time.Second
	// countsManager is the field manager of the counts: the rest of a queue's status is the scheduler's.
	countsManager = "queueyard-operations"
)

// counts keeps how many operations wait in each queue, and writes that into the queues' status.
type counts struct {
	client client.Client
	clock  clock.WithTicker
	ready  <-chan struct{} // closed when all operations have been seen

	mu      sync.Mutex
	in      map[types.UID]string // the queue that an operation waits in
	waiting map[string]int32
	changed map[string]bool // queues whose status may say something else
}

func newCounts(c client.Client, clock clock.WithTicker, ready <-chan struct{}) *counts {
	return &counts{client: c, clock: clock, ready: ready, in: map[types.UID]string{}, waiting: map[string]int32{}, changed: map[string]bool{}}
}

// seen takes a version of an operation.
func (c *counts) seen(op *v1alpha1.Operation) {
	queue := ""
	if waits(op.Status.Phase) {
		queue = op.Status.Queue
	}
	c.put(op.UID, queue)
}

func (c *counts) gone(op *v1alpha1.Operation) { c.put(op.UID, "") }

// put notes which queue an operation waits in; empty: none.
func (c *counts) put(uid types.UID, queue string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.in[uid]
	if before == queue {
		return
	}
	if before != "" {
		delete(c.in, uid)
		c.changed[before] = true
		if c.waiting[before]--; c.waiting[before] == 0 {
			delete(c.waiting, before)
		}
	}
	if queue != "" {
		c.in[uid] = queue
		c.changed[queue] = true
		c.waiting[queue]++
	}
}

// look has the status of a queue compared with what is counted.
func (c *counts) look(queue string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed[queue] = true
}

// take gives the counts of the queues that have to be looked at.
func (c *counts) take() map[string]int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := map[string]int32{}
	for queue := range c.changed {
		due[queue] = c.waiting[queue]
	}
	c.changed = map[string]bool{}
	return due
}

// Start implements manager.Runnable.
func (c *counts) Start(ctx context.Context) error {
	select {
	case <-c.ready:
	case <-ctx.Done():
		return nil
	}
	ticker := c.clock.NewTicker(countPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
		for queue, waiting := range c.take() {
			if err := c.write(ctx, queue, waiting); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				log.FromContext(ctx).Error(err, "Cannot write how many operations wait; the next second tries again", "queue", queue)
				c.look(queue)
			}
		}
	}
}

// write writes a count, if the status says another. When what the cache has is out of date, what is newer will come.
func (c *counts) write(ctx context.Context, queue string, waiting int32) error {
	q := &v1alpha1.Queue{}
	if err := c.client.Get(ctx, types.NamespacedName{Name: queue}, q); err != nil {
		return err
	}
	if said := q.Status.Operations; said == nil && waiting == 0 || said != nil && said.Waiting == waiting {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": q.UID},
		"status":   map[string]any{"operations": v1alpha1.QueueOperations{Waiting: waiting}},
	})
	if err != nil {
		return err
	}
	return c.client.Status().Patch(ctx, q, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(countsManager))
}

var _ manager.LeaderElectionRunnable = &counts{}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (c *counts) NeedLeaderElection() bool { return true }
