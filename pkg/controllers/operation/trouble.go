package operation

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/timeline"
)

// startsWithin is how long a start may take before its node's events are asked what holds it up: a
// volume or secret that is missing shows nowhere else.
const startsWithin = 15 * time.Second

// trouble is what the events of a pod say keeps it from starting: the last of them, if it is that something failed. What
// failed before went on since.
func (w *work) trouble(ctx context.Context, object client.Object, seen operation.Observation) *operation.Cause {
	pod, ok := object.(*corev1.Pod)
	if !ok || w.clock.Since(seen.StartingAt) < startsWithin {
		return nil
	}
	events := &corev1.EventList{}
	err := w.live.List(ctx, events, client.InNamespace(pod.Namespace), client.MatchingFieldsSelector{
		Selector: fields.SelectorFromSet(fields.Set{"involvedObject.uid": string(pod.UID)}),
	})
	if err != nil {
		return w.warned() // no reason to stop following it
	}
	last := lastOf(events.Items)
	if last == nil || last.Type != corev1.EventTypeWarning || !strings.HasPrefix(last.Reason, "Failed") || last.Reason == "FailedScheduling" {
		return nil
	}
	return &operation.Cause{Class: operation.Configuration, Reason: last.Reason, Message: fmt.Sprintf("it has been starting since %s: %s",
		seen.StartingAt.UTC().Format(time.RFC3339), last.Message)}
}

// warned is what was written down as the trouble of an operation; nil: nothing.
func (w *work) warned() *operation.Cause {
	if last := timeline.Last(w.op.Status.Timeline); last.Status == v1alpha1.StatusWarning {
		return &operation.Cause{Class: operation.Configuration, Reason: last.Reason, Message: last.Message}
	}
	return nil
}

// lastOf is the last of some events; of those of the same second a warning.
func lastOf(events []corev1.Event) (last *corev1.Event) {
	for i := range events {
		e := &events[i]
		if last == nil {
			last = e
		} else if order := eventTime(e).Compare(eventTime(last)); order > 0 || order == 0 && e.Type == corev1.EventTypeWarning {
			last = e
		}
	}
	return last
}

// eventTime is when an event was last seen, whichever of the two APIs of events it was written with.
func eventTime(e *corev1.Event) time.Time {
	at := e.LastTimestamp.Time
	if e.EventTime.After(at) {
		at = e.EventTime.Time
	}
	if e.Series != nil && e.Series.LastObservedTime.After(at) {
		at = e.Series.LastObservedTime.Time
	}
	return at.Truncate(time.Second)
}
