package limits

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

func TestAmount(t *testing.T) {
	for _, tt := range []struct {
		name  corev1.ResourceName
		text  string
		asked int64 // as a request
		bound int64 // as a limit
	}{
		{"cpu", "1500m", 1500, 1500},
		{"cpu", "100u", 1, 0},
		{"memory", "1Gi", 1 << 30, 1 << 30},
		{"ephemeral-storage", "2G", 2e9, 2e9},
		{"nvidia.com/gpu", "3", 3, 3},
		{"nvidia.com/gpu", "500m", 1, 0},
		{"google.com/tpu", "4", 4, 4},
		{"example.com/licence", "0", 0, 0},
		{"pods", "12", 12, 12},
		{"cpu", "9P", 9e18, 9e18},
		{"cpu", "10P", math.MaxInt64, math.MaxInt64},
		{"cpu", "8E", math.MaxInt64, math.MaxInt64},
		{"memory", "1e30", math.MaxInt64, math.MaxInt64},
		{"memory", "1e2000000000", math.MaxInt64, math.MaxInt64},
	} {
		q := resource.MustParse(tt.text)
		require.Equal(t, tt.asked, Amount(tt.name, q), "%s %s asked for", tt.name, tt.text)
		if q.AsDec().Scale() > -100 {
			l := Of(nil, &v1alpha1.Quota{Resources: map[corev1.ResourceName]resource.Quantity{tt.name: q}})
			require.Equal(t, tt.bound, l.Resources[string(tt.name)], "%s %s as a limit", tt.name, tt.text)
		}
	}
	require.Zero(t, Amount("cpu", resource.MustParse("-1")))
	require.Equal(t, map[string]int64{"cpu": 500, "memory": 1}, Amounts(corev1.ResourceList{
		"cpu": resource.MustParse("0.5"), "memory": resource.MustParse("1")}))
}

func TestQuantitiesAreAmountsAgain(t *testing.T) {
	amounts := map[string]int64{"cpu": 1500, "memory": 1 << 30, "ephemeral-storage": 70, "nvidia.com/gpu": 3, "pods": 2}
	list := Quantities(amounts)
	require.Equal(t, amounts, Amounts(list))
	require.Equal(t, "1500m", list.Cpu().String())
	require.Equal(t, "1Gi", list.Memory().String())
	require.Nil(t, Quantities(nil))
	require.Empty(t, Quantities(map[string]int64{ledger.CostPerHour: 5}))
}

func TestQueue(t *testing.T) {
	unlimited := ledger.Limits{Seats: ledger.Unlimited}
	for _, tt := range []struct {
		name string
		spec v1alpha1.QueueSpec
		want ledger.QueueConfig
	}{
		{"nothing set", v1alpha1.QueueSpec{}, ledger.QueueConfig{Agent: "default", Level: ledger.HighestLevel, Limits: unlimited}},
		{"-1 is unset", v1alpha1.QueueSpec{Priority: ptr.To[int32](-1), Concurrency: ptr.To[int32](-1)},
			ledger.QueueConfig{Agent: "default", Level: ledger.HighestLevel, Limits: unlimited}},
		{"everything set", v1alpha1.QueueSpec{
			Agent: "lab", Priority: ptr.To[int32](0), Concurrency: ptr.To[int32](0), Guaranteed: 2,
			Strategy: v1alpha1.StrictFIFO, State: v1alpha1.QueuePaused,
			Quota: &v1alpha1.Quota{
				Resources: map[corev1.ResourceName]resource.Quantity{
					"cpu": resource.MustParse("2"), "memory": resource.MustParse("-1"),
					ledger.CostPerHour: resource.MustParse("1"), // cost is bounded by quota.cost alone
				},
				Cost: ptr.To(resource.MustParse("2.50")),
			},
		}, ledger.QueueConfig{
			Agent: "lab", Level: 0, Guaranteed: 2, Strategy: ledger.StrictFIFO, Paused: true,
			Limits: ledger.Limits{Seats: 0, Resources: map[string]int64{"cpu": 2000, ledger.CostPerHour: 2_500_000}},
		}},
		{"a draining queue admits", v1alpha1.QueueSpec{State: v1alpha1.QueueDraining, Quota: &v1alpha1.Quota{Cost: ptr.To(resource.MustParse("-1"))}},
			ledger.QueueConfig{Agent: "default", Level: ledger.HighestLevel, Limits: ledger.Limits{Seats: ledger.Unlimited, Resources: map[string]int64{}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, Queue(&v1alpha1.Queue{Spec: tt.spec}))
		})
	}
}
