// Package limits turns what the API says of limits and requests into what the ledger counts. It is
// pure.
package limits

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// Of is what an object's concurrency and quota bound. A bound of -1 in either is none.
func Of(concurrency *int32, quota *v1alpha1.Quota) ledger.Limits {
	l := ledger.Limits{Seats: int64(ptr.Deref(concurrency, v1alpha1.Unlimited))}
	if quota == nil {
		return l
	}
	l.Resources = make(map[string]int64, len(quota.Resources)+1)
	for name, q := range quota.Resources {
		if name != ledger.CostPerHour && q.Sign() >= 0 {
			l.Resources[string(name)] = bound(name, q)
		}
	}
	if quota.Cost != nil && quota.Cost.Sign() >= 0 {
		l.Resources[ledger.CostPerHour] = cost.Of(*quota.Cost)
	}
	return l
}

// Queue is what a queue is told to do.
func Queue(q *v1alpha1.Queue) ledger.QueueConfig {
	c := ledger.QueueConfig{
		Agent:      tenancy.InfoOf(q).Agent,
		Level:      ledger.HighestLevel,
		Limits:     Of(q.Spec.Concurrency, q.Spec.Quota),
		Strategy:   ledger.BestEffortFIFO,
		Paused:     q.Spec.State == v1alpha1.QueuePaused,
		Guaranteed: int64(q.Spec.Guaranteed),
	}
	if p := q.Spec.Priority; p != nil && *p >= 0 {
		c.Level = int64(*p)
	}
	if q.Spec.Strategy == v1alpha1.StrictFIFO {
		c.Strategy = ledger.StrictFIFO
	}
	return c
}

// bound is a quantity as a limit. A part of a unit is no unit: half a GPU admits none.
func bound(name corev1.ResourceName, q resource.Quantity) int64 {
	n := Amount(name, q)
	if quantity := quantity(name, n); quantity.Cmp(q) > 0 {
		n--
	}
	return n
}
