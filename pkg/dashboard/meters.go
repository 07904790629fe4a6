package dashboard

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// meter is how much of something is used, as numbers to draw and as text to read.
type meter struct {
	Name string  `json:"name"`
	Used float64 `json:"used"`
	// Limit is unset where there is none.
	Limit     *float64 `json:"limit,omitempty"`
	UsedText  string   `json:"usedText"`
	LimitText string   `json:"limitText,omitempty"`
}

func meterOf(name string, used resource.Quantity, limit *resource.Quantity) meter {
	m := meter{Name: name, Used: used.AsApproximateFloat64(), UsedText: used.String()}
	if limit != nil && limit.Sign() >= 0 {
		n := limit.AsApproximateFloat64()
		m.Limit, m.LimitText = &n, limit.String()
	}
	return m
}

// seats is the meter of operations.
func seats(admitted int32, concurrency *int32) meter {
	var limit *resource.Quantity
	if concurrency != nil && *concurrency != v1alpha1.Unlimited {
		limit = resource.NewQuantity(int64(*concurrency), resource.DecimalSI)
	}
	return meterOf("operations", *resource.NewQuantity(int64(admitted), resource.DecimalSI), limit)
}

// meters are seats, all that is used or bounded, cost and budget.
func meters(admitted int32, concurrency *int32, usage corev1.ResourceList, cost string, quota *v1alpha1.Quota, budget *v1alpha1.BudgetStatus) []meter {
	out := []meter{seats(admitted, concurrency)}
	if quota == nil {
		quota = &v1alpha1.Quota{}
	}
	names := map[corev1.ResourceName]struct{}{}
	for name := range usage {
		names[name] = struct{}{}
	}
	for name := range quota.Resources {
		names[name] = struct{}{}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		var limit *resource.Quantity
		if q, ok := quota.Resources[name]; ok {
			limit = &q
		}
		out = append(out, meterOf(string(name), usage[name], limit))
	}
	if rate, err := resource.ParseQuantity(cost); err == nil && (!rate.IsZero() || quota.Cost != nil) {
		out = append(out, meterOf("cost per hour", rate, quota.Cost))
	}
	if quota.Budget != nil {
		var spent resource.Quantity
		if budget != nil {
			if q, err := resource.ParseQuantity(budget.Spent); err == nil {
				spent = q
			}
		}
		out = append(out, meterOf("budget per "+quota.Budget.Window, spent, &quota.Budget.Amount))
	}
	return out
}
