// Package tenant says in the status of projects and organizations whether their references lead
// anywhere.
package tenant

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// The reasons of the Ready condition.
const (
	reasonReady          = "Ready"
	reasonSharedSpaces   = "SharedNamespaces"
	reasonInvalidSpec    = "InvalidSpec"
	reasonUnknownObjects = "UnknownReference"
)

// finding is what is wrong, or worth knowing, about an object.
type finding struct {
	reason  string
	message string
	// harmless findings leave the object ready.
	harmless bool
}

// report writes the findings into the status and tells whether that changed it.
func report(status *v1alpha1.TenantStatus, generation int64, findings []finding) bool {
	condition := metav1.Condition{
		Type:               v1alpha1.ReadyCondition,
		Status:             metav1.ConditionTrue,
		Reason:             reasonReady,
		Message:            "all references lead somewhere",
		ObservedGeneration: generation,
	}
	if len(findings) > 0 {
		messages := make([]string, 0, len(findings))
		for _, f := range findings {
			messages = append(messages, f.message)
			if !f.harmless {
				condition.Status = metav1.ConditionFalse
			}
		}
		condition.Reason = findings[0].reason
		condition.Message = strings.Join(messages, "; ")
	}
	changed := meta.SetStatusCondition(&status.Conditions, condition) || status.ObservedGeneration != generation
	status.ObservedGeneration = generation
	return changed
}
