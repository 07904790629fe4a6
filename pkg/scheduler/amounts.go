package scheduler

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
)

// The ledger counts in whole numbers: thousandths of a cpu, and units of everything else.

func amounts(list map[v1.ResourceName]resource.Quantity) map[string]int64 {
	if len(list) == 0 {
		return nil
	}
	out := make(map[string]int64, len(list))
	for name, q := range list {
		if name == v1.ResourceCPU {
			out[string(name)] = q.MilliValue()
		} else {
			out[string(name)] = q.Value()
		}
	}
	return out
}

func quantities(amounts map[string]int64) v1.ResourceList {
	if len(amounts) == 0 {
		return nil
	}
	out := make(v1.ResourceList, len(amounts))
	for name, n := range amounts {
		if name == ledger.CostPerHour {
			continue
		}
		switch v1.ResourceName(name) {
		case v1.ResourceCPU:
			out[v1.ResourceCPU] = *resource.NewMilliQuantity(n, resource.DecimalSI)
		case v1.ResourceMemory, v1.ResourceEphemeralStorage:
			out[v1.ResourceName(name)] = *resource.NewQuantity(n, resource.BinarySI)
		default:
			out[v1.ResourceName(name)] = *resource.NewQuantity(n, resource.DecimalSI)
		}
	}
	return out
}

// limitsOf is what an object's concurrency and quota say. A bound of -1 in either is none.
func limitsOf(concurrency *int32, quota *v1alpha1.Quota) ledger.Limits {
	l := ledger.Limits{Seats: int64(ptr.Deref(concurrency, int32(ledger.Unlimited)))}
	if quota == nil {
		return l
	}
	l.Resources = amounts(quota.Resources)
	for name, q := range quota.Resources {
		if q.Sign() < 0 {
			delete(l.Resources, string(name))
		}
	}
	if quota.Cost != nil && quota.Cost.Sign() >= 0 {
		if l.Resources == nil {
			l.Resources = map[string]int64{}
		}
		l.Resources[ledger.CostPerHour] = cost.Of(*quota.Cost)
	}
	return l
}
