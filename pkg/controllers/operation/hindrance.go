package operation

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/refusal"
	"github.com/queueyard/queueyard/pkg/operation"
)

// hindrance is what keeps an operation that waits from going on, besides limits.
type hindrance struct {
	operation.Cause
	// alone: it is of this operation or its namespace, and others may go before it.
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

// makesPods says of what an operation runs as that it is to have pods and has none.
func (w *work) makesPods(ctx context.Context, object client.Object, seen operation.Observation) bool {
	if _, pod := object.(*corev1.Pod); pod || isAssignment(w.op.Status.Run) || seen.Stage != operation.Waiting || seen.Deleting {
		return false
	}
	pods, err := w.podsOfAttempt(ctx)
	return err == nil && !slices.ContainsFunc(pods, func(pod *corev1.Pod) bool { return !over(pod) })
}
