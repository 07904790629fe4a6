package operation

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
)

// What keeps a pod from starting is the last that happened to it, not what failed on the way.
func TestTrouble(t *testing.T) {
	scheduled := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	event := func(after time.Duration, kind, reason string) corev1.Event {
		return corev1.Event{Type: kind, Reason: reason, Message: "so it was", LastTimestamp: metav1.NewTime(scheduled.Add(after))}
	}
	// The scheduler writes its events with the newer API.
	scheduling := func(after time.Duration, kind, reason string) corev1.Event {
		return corev1.Event{Type: kind, Reason: reason, EventTime: metav1.NewMicroTime(scheduled.Add(after))}
	}
	const normal, warning = corev1.EventTypeNormal, corev1.EventTypeWarning
	for name, c := range map[string]struct {
		events []corev1.Event
		want   string
	}{
		"nothing":                        {},
		"a missing volume":               {[]corev1.Event{scheduling(0, normal, "Scheduled"), event(2*time.Second, warning, "FailedMount")}, "FailedMount"},
		"found, and a large image":       {[]corev1.Event{event(2*time.Second, warning, "FailedMount"), event(20*time.Second, normal, "Pulling")}, ""},
		"no node at first":               {[]corev1.Event{scheduling(-time.Minute, warning, "FailedScheduling"), scheduling(0, normal, "Scheduled"), event(time.Second, normal, "Pulling")}, ""},
		"no node, and nothing after":     {[]corev1.Event{scheduling(-time.Minute, warning, "FailedScheduling")}, ""},
		"again and again":                {[]corev1.Event{event(20*time.Second, warning, "FailedMount"), event(10*time.Second, normal, "SuccessfulAttachVolume")}, "FailedMount"},
		"a warning of the same second":   {[]corev1.Event{event(time.Second, warning, "FailedMount"), event(time.Second, normal, "Pulling")}, "FailedMount"},
		"a warning that is no hindrance": {[]corev1.Event{event(time.Second, warning, "DNSConfigForming")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "run", UID: "pod"}}
			var objects []client.Object
			for i := range c.events {
				e := c.events[i]
				e.Namespace, e.Name, e.InvolvedObject.UID = "team", string(rune('a'+i)), pod.UID
				objects = append(objects, &e)
			}
			reader := fake.NewClientBuilder().WithScheme(scheme()).WithObjects(objects...).Build()
			now := testingclock.NewFakeClock(scheduled.Add(time.Minute))
			w := &work{Reconciler: &Reconciler{clock: now, failures: newFailures(reader, now)}, op: &v1alpha1.Operation{}}
			cause := w.trouble(t.Context(), pod, operation.Observation{ScheduledAt: scheduled, StartingAt: scheduled.Add(time.Second)})
			if c.want == "" {
				assert.Nil(t, cause)
				return
			}
			assert.Equal(t, c.want, cause.Reason)
		})
	}
}

// However many pods start in a namespace, its events are read once in a while, and told apart by whom they are of.
func TestFailuresAreReadOnce(t *testing.T) {
	now := testingclock.NewFakeClock(time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC))
	var lists atomic.Int64
	builder := fake.NewClientBuilder().WithScheme(scheme()).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			lists.Add(1)
			return c.List(ctx, list, options...)
		},
	})
	pods := make([]*corev1.Pod, 100)
	for i := range pods {
		pods[i] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: []string{"a", "b"}[i%2], UID: types.UID(fmt.Sprint(i))}}
	}
	broken := pods[6]
	builder.WithObjects(&corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "e"}, InvolvedObject: corev1.ObjectReference{UID: broken.UID},
		Type: corev1.EventTypeWarning, Reason: "FailedMount", LastTimestamp: metav1.NewTime(now.Now())})
	f := newFailures(builder.Build(), now)
	ask := func() {
		for _, pod := range pods {
			found, err := f.of(t.Context(), pod)
			require.NoError(t, err)
			require.Equal(t, pod == broken, found != nil)
		}
	}
	ask()
	now.Step(startsWithin - time.Second)
	ask()
	require.EqualValues(t, 2, lists.Load(), "one of each namespace")
	now.Step(time.Second)
	ask()
	require.EqualValues(t, 4, lists.Load())
}
