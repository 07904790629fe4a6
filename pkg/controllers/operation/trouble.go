package operation

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/timeline"
)

// startsWithin is how long a start may take before events are asked what holds it up: a volume or secret that is missing shows
// nowhere else, nor does what a Job is refused.
const startsWithin = 15 * time.Second

// trouble is what the events of the pods of an attempt say keeps them from starting: the last of one, if it is that something failed.
// What failed before went on since.
func (w *work) trouble(ctx context.Context, object client.Object, seen operation.Observation) *operation.Cause {
	if w.clock.Since(seen.StartingAt) < startsWithin || isAssignment(w.op.Status.Run) {
		return nil
	}
	var pods []*corev1.Pod
	var err error
	if pod, ok := object.(*corev1.Pod); ok {
		pods = []*corev1.Pod{pod}
	} else if pods, err = w.podsOfAttempt(ctx); err != nil {
		return w.warned() // no reason to stop following it
	}
	for _, pod := range pods {
		failed, err := w.failures.of(ctx, pod)
		if err != nil {
			return w.warned()
		}
		if failed != nil && !over(pod) {
			return &operation.Cause{Class: operation.Configuration, Reason: failed.reason, Message: fmt.Sprintf("it has been starting since %s: %s",
				seen.StartingAt.UTC().Format(time.RFC3339), failed.message)}
		}
	}
	return nil
}

// warned is what was written down as the trouble of an operation; nil: nothing.
func (w *work) warned() *operation.Cause {
	if last := timeline.Last(w.op.Status.Timeline); last.Status == v1alpha1.StatusWarning {
		return &operation.Cause{Class: operation.Configuration, Reason: last.Reason, Message: last.Message}
	}
	return nil
}
