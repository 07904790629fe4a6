package limits

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/queueyard/queueyard/pkg/ledger"
)

// The ledger counts in whole numbers: thousandths of a cpu, and units of everything else.

var (
	mostUnits = resource.NewQuantity(math.MaxInt64, resource.DecimalSI)
	mostCPU   = resource.NewMilliQuantity(math.MaxInt64, resource.DecimalSI)
)

// Amounts are requests as the ledger counts them.
func Amounts(list map[corev1.ResourceName]resource.Quantity) map[string]int64 {
	out := make(map[string]int64, len(list)+2) // what callers add: pods and cost
	for name, q := range list {
		out[string(name)] = Amount(name, q)
	}
	return out
}

// Amount is a quantity as the ledger counts it, rounded up. What is below nothing counts as nothing;
// what is beyond the largest number counts as that, where Quantity itself would turn it negative.
func Amount(name corev1.ResourceName, q resource.Quantity) int64 {
	switch {
	case q.Sign() <= 0:
		return 0
	case endless(q):
		return math.MaxInt64
	case name == corev1.ResourceCPU:
		if q.Cmp(*mostCPU) >= 0 {
			return math.MaxInt64
		}
		return q.MilliValue()
	case q.Cmp(*mostUnits) >= 0:
		return math.MaxInt64
	}
	return q.Value()
}

// endless says whether a quantity has so many digits that comparing it would take for ever, such as
// 1e2000000000.
func endless(q resource.Quantity) bool {
	if _, short := q.AsInt64(); short {
		return false
	}
	const digits = 19 // of the largest number
	return q.AsDec().Scale() < -digits
}

// Quantities are amounts as the API writes them. Cost is none of them: it is no resource.
func Quantities(amounts map[string]int64) corev1.ResourceList {
	if len(amounts) == 0 {
		return nil
	}
	out := make(corev1.ResourceList, len(amounts))
	for name, n := range amounts {
		if name != ledger.CostPerHour {
			out[corev1.ResourceName(name)] = quantity(corev1.ResourceName(name), n)
		}
	}
	return out
}

func quantity(name corev1.ResourceName, n int64) resource.Quantity {
	switch name {
	case corev1.ResourceCPU:
		return *resource.NewMilliQuantity(n, resource.DecimalSI)
	case corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		return *resource.NewQuantity(n, resource.BinarySI)
	}
	return *resource.NewQuantity(n, resource.DecimalSI)
}
