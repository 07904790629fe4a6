package sim

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

// The ledger counts in whole numbers, and the scheduler gives it thousandths of a cpu and units of
// everything else.

func amounts(list map[corev1.ResourceName]resource.Quantity) map[string]int64 {
	out := make(map[string]int64, len(list))
	for name, q := range list {
		if name == corev1.ResourceCPU {
			out[string(name)] = q.MilliValue()
		} else {
			out[string(name)] = q.Value()
		}
	}
	return out
}

func limitsOf(concurrency *int32, quota *v1alpha1.Quota) ledger.Limits {
	limits := ledger.Limits{Seats: int64(ptr.Deref(concurrency, v1alpha1.Unlimited))}
	if quota == nil {
		return limits
	}
	limits.Resources = amounts(quota.Resources)
	for name, q := range quota.Resources {
		if q.Sign() < 0 {
			delete(limits.Resources, string(name))
		}
	}
	return limits
}

func queueConfig(q *v1alpha1.Queue, agent string) ledger.QueueConfig {
	c := ledger.QueueConfig{
		Agent:  agent,
		Level:  ledger.HighestLevel,
		Limits: limitsOf(q.Spec.Concurrency, q.Spec.Quota),
		Paused: q.Spec.State == v1alpha1.QueuePaused,
	}
	if priority := q.Spec.Priority; priority != nil && *priority >= 0 {
		c.Level = int64(*priority)
	}
	if q.Spec.Strategy == v1alpha1.StrictFIFO {
		c.Strategy = ledger.StrictFIFO
	}
	return c
}
