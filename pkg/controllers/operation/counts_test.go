package operation

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func inQueue(i int, queue string, phase v1alpha1.Status) *v1alpha1.Operation {
	return &v1alpha1.Operation{
		ObjectMeta: metav1.ObjectMeta{UID: types.UID(fmt.Sprint(i))},
		Status:     v1alpha1.OperationStatus{Queue: queue, Phase: phase},
	}
}

func TestWhatCounts(t *testing.T) {
	c := newCounts(nil, nil, nil)
	for step, tc := range []struct {
		do   func()
		want map[string]int32
	}{
		{func() { c.seen(inQueue(1, "a", v1alpha1.StatusQueued)) }, map[string]int32{"a": 1}},
		{func() { c.seen(inQueue(1, "a", v1alpha1.StatusQueued)) }, map[string]int32{}},
		{func() { c.seen(inQueue(2, "a", v1alpha1.StatusUnschedulable)) }, map[string]int32{"a": 2}},
		{func() { c.seen(inQueue(1, "b", v1alpha1.StatusQueued)) }, map[string]int32{"a": 1, "b": 1}},
		{func() { c.seen(inQueue(1, "b", v1alpha1.StatusRunning)) }, map[string]int32{"b": 0}},
		{func() { c.seen(inQueue(1, "b", v1alpha1.StatusSucceeded)) }, map[string]int32{}},
		{func() { c.gone(inQueue(2, "a", v1alpha1.StatusUnschedulable)) }, map[string]int32{"a": 0}},
		{func() { c.look("b") }, map[string]int32{"b": 0}},
	} {
		tc.do()
		require.Equal(t, tc.want, c.take(), "step %d", step)
	}
	require.Empty(t, c.in)
	require.Empty(t, c.waiting)
}

// However often a count changes, it is written once a second, and what has not changed is not written.
func TestCountsAreWrittenOnceASecond(t *testing.T) {
	var writes atomic.Int32
	queues := []client.Object{&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "b"}}}
	api := fake.NewClientBuilder().WithScheme(scheme()).WithObjects(queues...).WithStatusSubresource(queues...).
		WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, options ...client.SubResourcePatchOption) error {
			writes.Add(1)
			return c.SubResource(sub).Patch(ctx, o, p, options...)
		}}).Build()
	clock := testingclock.NewFakeClock(time.Unix(0, 0))
	ready := make(chan struct{})
	c := newCounts(api, clock, ready)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Start(ctx) }()
	saysWaiting := func(queue string, want int32) {
		t.Helper()
		eventually(t, queue, func() bool {
			q := &v1alpha1.Queue{}
			require.NoError(t, api.Get(ctx, types.NamespacedName{Name: queue}, q))
			return q.Status.Operations != nil && q.Status.Operations.Waiting == want
		})
	}

	for i := range 100 {
		c.seen(inQueue(i, "a", v1alpha1.StatusQueued))
	}
	close(ready)
	eventually(t, "it waits for the next second", clock.HasWaiters)
	require.Zero(t, writes.Load())
	clock.Step(countPeriod)
	saysWaiting("a", 100)
	for i := range 40 {
		c.seen(inQueue(i, "a", v1alpha1.StatusRunning))
		c.seen(inQueue(100+i, "a", v1alpha1.StatusQueued)) // the same number
	}
	c.look("b") // where none waits and nothing says so
	clock.Step(countPeriod)
	eventually(t, "all have been looked at", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.changed) == 0
	})
	for i := range 10 {
		c.seen(inQueue(i, "b", v1alpha1.StatusQueued))
	}
	clock.Step(countPeriod)
	saysWaiting("b", 10)
	for i := range 10 {
		c.seen(inQueue(i, "b", v1alpha1.StatusStopped))
	}
	clock.Step(countPeriod)
	saysWaiting("b", 0)
	require.EqualValues(t, 3, writes.Load())
	cancel()
	require.NoError(t, <-done)
}

// The count and the rest of the status have two writers, and neither touches what the other wrote.
func TestTwoWritersOfAQueue(t *testing.T) {
	start(t, interceptor.Funcs{})
	q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "counted"}, Spec: v1alpha1.QueueSpec{Concurrency: ptr.To[int32](0)}}
	require.NoError(t, admin.Create(t.Context(), q))
	counted := func(want int32) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d wait", want), func() bool {
			require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(q), q))
			return q.Status.Operations != nil && q.Status.Operations.Waiting == want
		})
	}
	ops := []*v1alpha1.Operation{podOperation("counted-a", "counted"), podOperation("counted-b", "counted")}
	for _, op := range ops {
		require.NoError(t, admin.Create(t.Context(), op))
	}
	counted(2)
	byScheduler := []byte(`{"status": {"pending": 7, "admitted": 1, "running": 1, "usage": {"cpu": "3"}, "conditions": []}}`)
	require.NoError(t, admin.Status().Patch(t.Context(), q, client.RawPatch(types.MergePatchType, byScheduler)))
	require.EqualValues(t, 2, q.Status.Operations.Waiting)
	require.NoError(t, admin.Delete(t.Context(), ops[0]))
	counted(1)
	require.EqualValues(t, 7, q.Status.Pending)
	require.Equal(t, "3", q.Status.Usage.Cpu().String())
	byHand := []byte(`{"status": {"operations": {"waiting": 99}}}`)
	require.NoError(t, admin.Status().Patch(t.Context(), q, client.RawPatch(types.MergePatchType, byHand)))
	counted(1)
	for _, f := range q.ManagedFields {
		if f.Manager == countsManager {
			require.Contains(t, string(f.FieldsV1.Raw), `"f:waiting"`)
			for _, others := range []string{"f:pending", "f:admitted", "f:running", "f:usage", "f:conditions"} {
				require.NotContains(t, string(f.FieldsV1.Raw), others)
			}
			return
		}
	}
	t.Fatalf("no field is %s's", countsManager)
}
