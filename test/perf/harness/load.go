package harness

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// createdAt is how many creations are under way at a time.
const createdAt = 32

// CreateAll creates n objects with bounded parallelism and some patience.
func CreateAll(ctx context.Context, n int, create func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workqueue.ParallelizeUntil(ctx, createdAt, n, func(i int) {
		var last error
		err := wait.ExponentialBackoffWithContext(ctx, wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Steps: 6}, func(ctx context.Context) (bool, error) {
			last = create(ctx, i)
			return last == nil || apierrors.IsAlreadyExists(last), nil
		})
		if err != nil {
			cancel(fmt.Errorf("create object %d of %d: %w (%w)", i+1, n, last, err))
		}
	})
	return context.Cause(ctx)
}

// SetQueue makes a queue what it should be.
func (c *Cluster) SetQueue(ctx context.Context, name string, seats *int32, state v1alpha1.QueueState) error {
	q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QueueSpec{Concurrency: seats, State: state}}
	err := c.Objects.Create(ctx, q)
	if apierrors.IsAlreadyExists(err) {
		old := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := c.Objects.Get(ctx, client.ObjectKeyFromObject(old), old); err != nil {
			return err
		}
		changed := old.DeepCopy()
		changed.Spec.Concurrency, changed.Spec.State = seats, state
		err = c.Objects.Patch(ctx, changed, client.MergeFrom(old))
	}
	if err != nil {
		return fmt.Errorf("queue %s: %w", name, err)
	}
	return nil
}

// QueueNames are the names of the first n queues of a benchmark.
func QueueNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("bench-%d", i))
	}
	return names
}

// Rest waits until the cluster does less than so many writes in a second.
func (c *Cluster) Rest(ctx context.Context, quiet float64) error {
	before, err := c.Writes(ctx)
	if err != nil {
		return err
	}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster is not at rest: %w", ctx.Err())
		case <-second.C:
		}
		now, err := c.Writes(ctx)
		if err != nil {
			return err
		}
		if _, sum := Each(before, now, 1); sum < quiet {
			return nil
		}
		before = now
	}
}
