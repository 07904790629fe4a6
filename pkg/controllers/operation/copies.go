package operation

import (
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
)

// Copies tells of operations that stand for an assignment of a hub whether they may begin here.
type Copies interface {
	// May says whether one may begin, or keep what it has that waits.
	May(op *v1alpha1.Operation, waits bool) bool
	// Changed gives those of which it has something new to say.
	Changed() <-chan event.TypedGenericEvent[client.Object]
}

// Option changes what the controller does.
type Option func(*Reconciler)

// WithCopies has operations that stand for an assignment begin when they may. Without it none ever does.
func WithCopies(copies Copies) Option {
	return func(r *Reconciler) { r.feed.copies = copies }
}

// mayBegin says whether an operation is this cluster's own, or may begin all the same.
func (f *feed) mayBegin(op *v1alpha1.Operation, seen operation.Observation) bool {
	return !operation.IsCopy(op) || f.copies != nil && f.copies.May(op, seen.Stage != operation.Absent)
}
