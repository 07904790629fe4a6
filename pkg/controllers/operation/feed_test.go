package operation

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/requestqueue"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/operation"
)

// holding is a client of which a cache could be: pods are found by their operation.
func holding(objects ...client.Object) client.WithWatch {
	return fake.NewClientBuilder().WithScheme(scheme()).WithObjects(objects...).
		WithIndex(&corev1.Pod{}, byOperation, func(o client.Object) []string {
			if key, ok := keyOf(o); ok {
				return []string{key.String()}
			}
			return nil
		}).Build()
}

func newInbox() inbox {
	return requestqueue.New("test", workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](firstRetry, lastRetry))
}

// Whoever has news never waits for those who work on them, and the end never waits for either.
func TestNewsWaitForNobody(t *testing.T) {
	const queues, each = 20, 200
	f := newFeed(holding(), holding(), &written{})
	queue := newInbox()
	defer queue.ShutDown()
	require.NoError(t, f.into(t.Context(), queue))
	f.window.Limits(func(l *ledger.Ledger) {
		l.SetAgent("agent", ledger.Limits{Seats: ledger.Unlimited})
		for q := range queues {
			l.SetQueue(fmt.Sprint(q), ledger.QueueConfig{Agent: "agent", Limits: ledger.Limits{Seats: ledger.Unlimited}})
		}
	})
	for q := range queues {
		for i := range each {
			f.window.Wait(ledger.Pod{UID: fmt.Sprintf("ns/%d-%d/uid", q, i), Operation: fmt.Sprint(q, "-", i), Queue: fmt.Sprint(q)}, false, false)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Start(ctx) }()
	eventually(t, "all are told", func() bool { return queue.Len() == queues*each })
	cancel()
	require.NoError(t, <-done)
}

// A new leader's cache may show that an operation pauses before the attempt that runs. Its place in its
// workflow is nobody else's then.
func TestOldStateFreesNothing(t *testing.T) {
	w := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "w", UID: "w"}}
	runs, waits := child("runs", "default", w), child("waits", "default", w)
	for _, op := range []*v1alpha1.Operation{runs, waits} {
		op.UID = types.UID(op.Name)
		op.Status = v1alpha1.OperationStatus{Phase: v1alpha1.StatusQueued, Queue: "default", Attempt: 1}
	}
	old := runs.DeepCopy()
	old.ResourceVersion, old.Status.Phase = "5", v1alpha1.StatusRetrying
	old.Status.RetryTime = &metav1.MicroTime{Time: time.Now().Add(time.Hour)}
	runs.ResourceVersion, runs.Status.Phase, runs.Status.Attempt = "9", v1alpha1.StatusRunning, 2
	cache := holding(old, waits)
	written := &written{}
	f := newFeed(cache, holding(runs, waits), written)
	f.window.SetWorkflow(workflowKey("team", "w", "w"), "", 1)
	queue := newInbox()
	defer queue.ShutDown()
	require.NoError(t, f.into(t.Context(), queue))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Start(ctx) }()

	r := &Reconciler{client: cache, feed: f, written: written}
	result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(old)})
	require.NoError(t, err)
	require.Equal(t, lag, result.RequeueAfter, "it waits for its cache")
	released, _ := f.window.Release(f.describe(waits, &waits.Status), false)
	require.False(t, released)

	f.window.Leave(uidOf(runs))
	released, _ = f.window.Release(f.describe(waits, &waits.Status), false)
	require.True(t, released, "when it has ended")
	cancel()
	require.NoError(t, <-done)
}

// What has what it runs as keeps it over a restart, before anything is decided.
func TestWhatExistsIsDueAfterARestart(t *testing.T) {
	run := func(kind, apiVersion, namespace string) *v1alpha1.RunReference {
		return &v1alpha1.RunReference{APIVersion: apiVersion, Kind: kind, Namespace: namespace, Name: "run"}
	}
	here, there, none := run("Pod", "v1", "team"), run("Assignment", v1alpha1.GroupVersion.String(), "queueyard-agent-east"), run("Assignment", v1alpha1.GroupVersion.String(), "queueyard-agent-west")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "run",
		Labels:      map[string]string{v1alpha1.OperationLabel: "Pod", v1alpha1.OperationUIDLabel: "uid"},
		Annotations: map[string]string{v1alpha1.OriginAnnotation: "team"}}}
	cache := holding(pod, &v1alpha1.Assignment{ObjectMeta: metav1.ObjectMeta{Namespace: there.Namespace, Name: there.Name}})
	f := newFeed(cache, cache, &written{})
	for run, want := range map[*v1alpha1.RunReference]bool{here: true, there: true, none: false} {
		op := podOperation(run.Kind, "default")
		op.UID = types.UID(run.Namespace)
		op.Status = v1alpha1.OperationStatus{Phase: v1alpha1.StatusQueued, Queue: "default", Attempt: 1, Run: run}
		require.NoError(t, f.enter(t.Context(), op, false))
		due, _ := f.wait(op, &op.Status, operation.Observation{Stage: operation.Waiting})
		require.Equal(t, want, due, "%+v", run)
	}
}
