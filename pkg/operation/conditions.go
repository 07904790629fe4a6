package operation

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// setConditions says the phase as kstatus and 'kubectl wait' understand it.
func setConditions(status *v1alpha1.OperationStatus, generation int64, now time.Time) {
	entry := last(status)
	reason, message := entry.Reason, entry.Message
	if message == "" {
		message = fmt.Sprintf("the operation is %s", status.Phase)
	}
	for _, c := range []struct {
		kind  string
		holds bool
	}{
		{v1alpha1.FinishedCondition, status.Phase.Final()},
		{v1alpha1.ReadyCondition, status.Phase == v1alpha1.StatusSucceeded},
		{v1alpha1.StalledCondition, status.Phase == v1alpha1.StatusFailed},
	} {
		state := metav1.ConditionFalse
		if c.holds {
			state = metav1.ConditionTrue
		}
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: c.kind, Status: state, Reason: reason, Message: message,
			ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now),
		})
	}
}
