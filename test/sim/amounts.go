package sim

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
)

// requestsOf is what one pod of a stream asks for.
func requestsOf(list map[corev1.ResourceName]resource.Quantity) map[string]int64 {
	requests := limits.Amounts(list)
	requests[string(corev1.ResourcePods)] = 1
	return requests
}

// limitsOf is the limits that a simulation obeys: its operations cost nothing.
func limitsOf(concurrency *int32, quota *v1alpha1.Quota) ledger.Limits {
	return costless(limits.Of(concurrency, quota))
}

func queueConfig(q *v1alpha1.Queue) ledger.QueueConfig {
	c := limits.Queue(q)
	c.Limits = costless(c.Limits)
	return c
}

func costless(l ledger.Limits) ledger.Limits {
	delete(l.Resources, ledger.CostPerHour)
	return l
}
