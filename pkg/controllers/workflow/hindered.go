package workflow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/refusal"
	"github.com/queueyard/queueyard/pkg/workflow"
)

// A workflow that the controller cannot lead on says why, in a condition, once that has been so for a while: what goes wrong once
// mostly goes right the next time.

// hinderedFor is how long a workflow does not go on before it says so.
const hinderedFor = 2 * time.Second

const (
	reasonInvalid = "InvalidWorkflow"
	reasonError   = "ReconcileError"
)

// hindered is since when workflows do not go on.
type hindered struct {
	mu    sync.Mutex
	since map[types.UID]time.Time
}

// begin says for how long that has been so.
func (h *hindered) begin(uid types.UID, now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.since[uid]; !known {
		h.since[uid] = now
	}
	return now.Sub(h.since[uid])
}

func (h *hindered) end(uid types.UID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.since, uid)
}

// errInvalid is what is wrong with a workflow that was compiled and no longer is.
type errInvalid struct{ error }

func (e errInvalid) Unwrap() error { return e.error }

// stopInvalid stops what is in a workflow that no longer can be led on, if somebody wants that.
func (s *sight) stopInvalid(ctx context.Context) error {
	if invalid := (errInvalid{}); !errors.As(s.err, &invalid) || s.workflow.Spec.DesiredState != v1alpha1.Stopped {
		return nil
	}
	children, err := s.childrenOf(ctx, s.workflow.Namespace, s.workflow.UID)
	for _, o := range children {
		if c, _, ok := look(o); ok && workflow.StatusOf(c.phase) == workflow.Active {
			err = errors.Join(err, s.stop(ctx, &c.child, stopCause{}))
		}
	}
	return err
}

// errCreate is what the API server said to a child.
type errCreate struct {
	child string
	error
}

func (e errCreate) Unwrap() error { return e.error }

// created is what becomes of an error of making a child; one that is there was made before.
func created(child client.Object, err error) error {
	if err = client.IgnoreAlreadyExists(err); err != nil {
		return errCreate{child.GetName(), err}
	}
	return nil
}

// why is what an error says of why a workflow does not go on.
func why(err error) (reason, message string) {
	if invalid := (errInvalid{}); errors.As(err, &invalid) {
		return reasonInvalid, fmt.Sprintf("it is under way and no longer valid, by what this version demands: %s. Correct what of it may be changed, or delete it and create it anew; "+
			"it goes on by itself once it is valid, and its operations that run go on meanwhile", strings.ReplaceAll(invalid.Error(), "\n", "; "))
	}
	if create := (errCreate{}); errors.As(err, &create) {
		reason, message = refusal.Why(refusal.Said(create))
		return reason, fmt.Sprintf("%s cannot be made: %s", create.child, message)
	}
	return reasonError, err.Error() + ": it is tried again"
}

// say writes down why a workflow does not go on, or that it does.
func (r *Reconciler) say(ctx context.Context, w *v1alpha1.Workflow, err error) error {
	before := w.DeepCopy()
	if err == nil {
		r.runs.hindered.end(w.UID)
		if !meta.RemoveStatusCondition(&w.Status.Conditions, v1alpha1.ProgressingCondition) {
			return nil
		}
	} else {
		if r.runs.hindered.begin(w.UID, r.clock.Now()) < hinderedFor {
			return nil
		}
		reason, message := why(err)
		if !meta.SetStatusCondition(&w.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ProgressingCondition, Status: metav1.ConditionFalse, Reason: reason, Message: message,
			ObservedGeneration: w.Generation, LastTransitionTime: metav1.NewTime(r.clock.Now()),
		}) {
			return nil
		}
	}
	return r.client.Status().Patch(ctx, w, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}
