package limits

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
)

// Seats is how the seats of a share are called among its amounts.
const Seats = ""

// Budget is how the budget of a share is called among its amounts.
const Budget = "queueyard.io/budget"

// OfTenant is what the limits of a project or an organization allow, by dimension. A dimension that is missing is
// unlimited.
func OfTenant(concurrency *int32, quota *v1alpha1.Quota) map[string]int64 {
	l := Of(concurrency, quota)
	amounts := l.Resources
	if amounts == nil {
		amounts = map[string]int64{}
	}
	if l.Seats >= 0 {
		amounts[Seats] = l.Seats
	}
	if quota != nil && quota.Budget != nil {
		amounts[Budget] = cost.Of(quota.Budget.Amount)
	}
	return amounts
}

// OfShare is what a share names, by dimension.
func OfShare(s *v1alpha1.Share) map[string]int64 {
	amounts := map[string]int64{}
	if s == nil {
		return amounts
	}
	for name, q := range s.Resources {
		amounts[string(name)] = Amount(name, q)
	}
	if s.Concurrency != nil && *s.Concurrency >= 0 {
		amounts[Seats] = int64(*s.Concurrency)
	}
	if s.Cost != nil {
		amounts[ledger.CostPerHour] = cost.Of(*s.Cost)
	}
	if s.Budget != nil {
		amounts[Budget] = cost.Of(*s.Budget)
	}
	return amounts
}

// ShareOf writes amounts as the API does.
func ShareOf(amounts map[string]int64) v1alpha1.Share {
	var s v1alpha1.Share
	resources := map[string]int64{}
	for name, n := range amounts {
		switch name {
		case Seats:
			s.Concurrency = ptr.To(int32(min(n, math.MaxInt32)))
		case ledger.CostPerHour:
			s.Cost = money(n)
		case Budget:
			s.Budget = money(n)
		default:
			resources[name] = n
		}
	}
	s.Resources = Quantities(resources)
	return s
}

func money(millionths int64) *resource.Quantity {
	return resource.NewScaledQuantity(millionths, resource.Micro)
}

// Narrow bounds limits by this cluster's share of them.
func Narrow(l ledger.Limits, share map[string]int64) ledger.Limits {
	for name, n := range share {
		switch name {
		case Seats:
			if l.Seats > n {
				l.Whole = with(l.Whole, name, l.Seats)
				l.Seats = n
			}
		case Budget:
		default:
			if whole, bounded := l.Resources[name]; bounded && whole > n {
				l.Whole = with(l.Whole, name, whole)
				l.Resources[name] = n
			}
		}
	}
	return l
}

func with(m map[string]int64, name string, n int64) map[string]int64 {
	if m == nil {
		m = map[string]int64{}
	}
	m[name] = n
	return m
}

// Give writes a share into the limits of a tenant: what it names takes the place of what is set, also of nothing, for a
// limit that was taken away holds until its shares have been.
func Give(concurrency **int32, quota **v1alpha1.Quota, share map[string]int64) {
	s := ShareOf(share)
	if s.Concurrency != nil {
		*concurrency = s.Concurrency
	}
	given := (*quota).DeepCopy()
	if given == nil {
		given = &v1alpha1.Quota{}
	}
	for name, q := range s.Resources {
		if given.Resources == nil {
			given.Resources = map[corev1.ResourceName]resource.Quantity{}
		}
		given.Resources[name] = q
	}
	if s.Cost != nil {
		given.Cost = s.Cost
	}
	if s.Budget != nil && given.Budget != nil {
		given.Budget.Amount = *s.Budget
	}
	if *quota != nil || len(s.Resources) > 0 || s.Cost != nil {
		*quota = given
	}
}
