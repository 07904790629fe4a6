package tenancy

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// CheckPlacement refuses what would walk around the queues of a managed namespace.
func CheckPlacement(namespace, nodeName, schedulerName string) *Refusal {
	if nodeName != "" {
		return refuse(ReasonNodeGiven,
			"spec.nodeName is %s, but pods of namespace %q get their node through a queue: remove spec.nodeName; to choose among nodes, set spec.nodeSelector or spec.affinity",
			quote(nodeName), namespace)
	}
	switch schedulerName {
	case "", corev1.DefaultSchedulerName, v1alpha1.SchedulerName:
		return nil
	}
	return refuse(ReasonOtherScheduler,
		"spec.schedulerName is %s, but pods of namespace %q are scheduled by %s: remove spec.schedulerName, or use a namespace without label %s",
		quote(schedulerName), namespace, v1alpha1.SchedulerName, v1alpha1.ManagedLabel)
}
