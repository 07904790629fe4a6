package operation

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/operation"
)

// startsWithin is how long a start may take before its node's events are asked what holds it up: a
// volume or secret that is missing shows nowhere else.
const startsWithin = 15 * time.Second

// trouble is what the events of a pod say keeps it from starting.
func (w *work) trouble(ctx context.Context, object client.Object, seen operation.Observation) *operation.Cause {
	pod, ok := object.(*corev1.Pod)
	if !ok || w.clock.Since(seen.StartingAt) < startsWithin {
		return nil
	}
	events := &corev1.EventList{}
	err := w.live.List(ctx, events, client.InNamespace(pod.Namespace), client.MatchingFieldsSelector{
		Selector: fields.SelectorFromSet(fields.Set{"involvedObject.uid": string(pod.UID), "type": corev1.EventTypeWarning}),
	})
	if err != nil {
		return nil // no reason to stop following it
	}
	var last *corev1.Event
	for i := range events.Items {
		e := &events.Items[i]
		if strings.HasPrefix(e.Reason, "Failed") && (last == nil || last.LastTimestamp.Before(&e.LastTimestamp)) {
			last = e
		}
	}
	if last == nil {
		return nil
	}
	return &operation.Cause{Class: operation.Configuration, Reason: last.Reason, Message: fmt.Sprintf("it has been starting since %s: %s",
		seen.StartingAt.UTC().Format(time.RFC3339), last.Message)}
}
