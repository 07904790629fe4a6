package limits

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

func TestSharesAreAmountsAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SampledFrom([]string{Seats, "cpu", "memory", "nvidia.com/gpu", ledger.CostPerHour, Budget})
		amounts := rapid.MapOf(names, rapid.Int64Range(0, 1<<31-1)).Draw(t, "amounts")
		share := ShareOf(amounts)
		require.Equal(t, amounts, OfShare(&share))
	})
	require.Empty(t, OfShare(nil))
	require.Empty(t, OfShare(&v1alpha1.Share{Concurrency: ptr.To[int32](-1)}))
}

func tenantLimits() (*int32, *v1alpha1.Quota) {
	return ptr.To[int32](20), &v1alpha1.Quota{
		Resources: map[corev1.ResourceName]resource.Quantity{"cpu": resource.MustParse("8"), "memory": resource.MustParse("-1")},
		Cost:      ptr.To(resource.MustParse("2.50")),
		Budget:    &v1alpha1.Budget{Amount: resource.MustParse("100"), Window: "day"},
	}
}

func TestOfTenant(t *testing.T) {
	require.Equal(t, map[string]int64{Seats: 20, "cpu": 8000, ledger.CostPerHour: 2_500_000, Budget: 100_000_000}, OfTenant(tenantLimits()))
	require.Empty(t, OfTenant(nil, nil))
	require.Empty(t, OfTenant(ptr.To[int32](-1), &v1alpha1.Quota{}))
}

func TestNarrow(t *testing.T) {
	concurrency, quota := tenantLimits()
	whole := Of(concurrency, quota)
	require.Equal(t, ledger.Limits{
		Seats: 6, Resources: map[string]int64{"cpu": 8000, ledger.CostPerHour: 0},
		Whole: map[string]int64{Seats: 20, ledger.CostPerHour: 2_500_000},
	}, Narrow(Of(concurrency, quota), map[string]int64{Seats: 6, "cpu": 9000, "memory": 5, ledger.CostPerHour: 0, Budget: 1}),
		"a share above the limit, or of what is unlimited, bounds nothing")
	require.Equal(t, whole, Narrow(Of(concurrency, quota), nil))
	require.Equal(t, int64(ledger.Unlimited), Narrow(Of(nil, nil), map[string]int64{Seats: 3}).Seats)
}

func TestGive(t *testing.T) {
	concurrency, quota := tenantLimits()
	before := quota.DeepCopy()
	given := quota
	Give(&concurrency, &given, map[string]int64{Seats: 6, "cpu": 500, "memory": 5, ledger.CostPerHour: 1, Budget: 2_000_000})
	require.Equal(t, map[string]int64{Seats: 6, "cpu": 500, "memory": 5, ledger.CostPerHour: 1, Budget: 2_000_000}, OfTenant(concurrency, given))
	require.Equal(t, "day", given.Budget.Window)
	require.Equal(t, before, quota, "the original is left alone")

	concurrency, given = nil, nil
	Give(&concurrency, &given, map[string]int64{Seats: 0, "cpu": 1})
	require.Equal(t, map[string]int64{Seats: 0, "cpu": 1}, OfTenant(concurrency, given))
	concurrency, given = nil, nil
	Give(&concurrency, &given, map[string]int64{Budget: 1})
	require.Nil(t, given, "there is no window of it any more")
}
