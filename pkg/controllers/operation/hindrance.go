package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/refusal"
	"github.com/queueyard/queueyard/pkg/operation"
)

// hindrance is what keeps an operation that waits from going on, besides limits.
type hindrance struct {
	operation.Cause
	// alone: it is of this operation or its namespace, so others go before it.
	alone bool
}

// Reasons of hindrances besides those of what the API server refuses.
const (
	reasonError        = "ReconcileError"
	reasonUnknownKind  = "UnknownKind"
	reasonNotPermitted = "NotPermitted"
)

// errCreate is what the API server said to what an operation is to run as.
type errCreate struct{ error }

func (e errCreate) Unwrap() error { return e.error }

// hindranceOf is what an error says of why an operation does not go on.
func hindranceOf(err error) *hindrance {
	if unread := (*errKind)(nil); errors.As(err, &unread) {
		return &hindrance{Cause: unread.cause}
	}
	if create := (errCreate{}); errors.As(err, &create) {
		return refused(refusal.Said(err), refusal.ForNow(err))
	}
	return &hindrance{Cause: operation.Cause{Class: operation.Infrastructure, Reason: reasonError, Message: err.Error() + ": it is tried again"}}
}

// hinders says of a reason that it is none of a limit: what has it may go on without a word of the ledger.
func hinders(reason string) bool {
	switch reason {
	case v1alpha1.ReasonResourceQuotaExceeded, v1alpha1.ReasonNamespaceTerminating, v1alpha1.ReasonFailedCreate, corev1.PodReasonSchedulingGated, reasonError, reasonUnknownKind, reasonNotPermitted:
		return true
	}
	return false
}

func refused(said string, alone bool) *hindrance {
	reason, message := refusal.Why(said)
	return &hindrance{operation.Cause{Class: operation.Configuration, Reason: reason, Message: message}, alone}
}

// withoutPods is what the events of a Job, or of another object that makes pods, say keeps it from making any.
func (w *work) withoutPods(ctx context.Context, object client.Object) *hindrance {
	if w.clock.Since(object.GetCreationTimestamp().Time) < startsWithin {
		return nil
	}
	failed, err := w.failures.of(ctx, object)
	if err != nil || failed == nil {
		return nil
	}
	return refused(failed.message, true)
}

// heldUp is what keeps an attempt that waits from standing in line, and when to ask again: somebody else's gate, or that it gets no pods.
func (w *work) heldUp(ctx context.Context, object client.Object) (by *hindrance, again time.Duration) {
	pods, err := w.podsOfAttempt(ctx)
	_, alive := object.(*corev1.Pod)
	for _, pod := range pods {
		if over(pod) {
			continue
		}
		alive = true
		if gates := pod.Spec.SchedulingGates; len(gates) > 0 && !operation.Gated(pod) {
			return &hindrance{operation.Cause{Class: operation.Configuration, Reason: corev1.PodReasonSchedulingGated, Message: fmt.Sprintf(
				"scheduling gate %s is on pod %s: it stands in line when whoever set that takes it off", gates[0].Name, pod.Name)}, true}, 0
		}
	}
	if err != nil || alive {
		return nil, 0
	}
	return w.withoutPods(ctx, object), startsWithin
}
