package cost

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func list(pairs ...string) map[corev1.ResourceName]resource.Quantity {
	out := map[corev1.ResourceName]resource.Quantity{}
	for i := 0; i < len(pairs); i += 2 {
		out[corev1.ResourceName(pairs[i])] = resource.MustParse(pairs[i+1])
	}
	return out
}

func TestRate(t *testing.T) {
	tests := []struct {
		name             string
		prices, requests map[corev1.ResourceName]resource.Quantity
		want             Micros
	}{
		{"nothing", nil, list("cpu", "4"), 0},
		{"no price for it", list("cpu", "1"), list("nvidia.com/gpu", "1"), 0},
		{"a cpu", list("cpu", "0.04"), list("cpu", "1"), 40_000},
		{"parts of a cpu", list("cpu", "0.04"), list("cpu", "250m"), 10_000},
		{"a GiB", list("memory", "0.005"), list("memory", "1Gi"), 5_000},
		{"a decimal gigabyte is less", list("memory", "1"), list("memory", "1G"), 931_323},
		{"sum", list("cpu", "0.04", "memory", "0.005", "nvidia.com/gpu", "2.5"), list("cpu", "8", "memory", "64Gi", "nvidia.com/gpu", "2"), 320_000 + 320_000 + 5_000_000},
		{"rounded up", list("cpu", "0.000001"), list("cpu", "1m"), 1},
		{"beyond all measure", list("cpu", "9P"), list("cpu", "9P"), Max},
		{"a price without end", list("cpu", "1e2000000000"), list("cpu", "1"), Max},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, Prices(tt.prices).Rate(tt.requests))
		})
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]Micros{"0": 0, "2.50": 2_500_000, "1k": 1_000_000_000, "0.0000001": 1} {
		got, err := Parse(text)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "-1", "much", "1 EUR", "NaN", "1e2000000000", "1e-2000000000"} {
		_, err := Parse(text)
		require.Error(t, err, text)
	}
}

func TestFormat(t *testing.T) {
	for m, want := range map[Micros]string{0: "0.00", 2_500_000: "2.50", 40_000: "0.04", 1: "0.000001", 12_345_600: "12.3456", 1_000_000_000: "1000.00"} {
		require.Equal(t, want, Format(m))
	}
}

func TestWhatIsWrittenCanBeRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.Int64Range(0, Max).Draw(t, "micros")
		if got, err := Parse(Format(m)); err != nil || got != m {
			t.Fatalf("%d became %d: %v", m, got, err)
		}
	})
}

func TestDeclared(t *testing.T) {
	label := map[string]string{v1alpha1.CostLabel: "2.5"}
	tests := []struct {
		name                string
		labels, annotations map[string]string
		rate                Micros
		declared            bool
		err                 string
	}{
		{name: "nothing"},
		{name: "label", labels: label, rate: 2_500_000, declared: true},
		{name: "annotation", annotations: label, rate: 2_500_000, declared: true},
		{name: "both alike", labels: label, annotations: label, rate: 2_500_000, declared: true},
		{name: "both", labels: label, annotations: map[string]string{v1alpha1.CostLabel: "3"}, declared: true, err: "differ"},
		{name: "no number", labels: map[string]string{v1alpha1.CostLabel: "cheap"}, declared: true, err: `queueyard.io/cost: "cheap" is no amount: write a number such as 2.50`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rate, declared, err := Declared(tt.labels, tt.annotations)
			require.Equal(t, tt.declared, declared)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.rate, rate)
		})
	}
}

func TestMeter(t *testing.T) {
	var m Meter
	m.Add(4_000_000, 15*time.Minute)
	require.EqualValues(t, 1_000_000, m.Spent)
	m.Add(Max, 1000*time.Hour)
	require.Equal(t, Max, m.Spent)
}

func TestMeterLosesNothingToSmallSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Int64Range(0, 1e9).Draw(t, "rate")
		var steps, whole Meter
		var total time.Duration
		for _, step := range rapid.SliceOf(rapid.Int64Range(0, int64(time.Minute))).Draw(t, "steps") {
			steps.Add(rate, time.Duration(step))
			total += time.Duration(step)
		}
		whole.Add(rate, total)
		if steps.Spent != whole.Spent {
			t.Fatalf("in steps %d, at once %d", steps.Spent, whole.Spent)
		}
	})
}

func TestWindow(t *testing.T) {
	at := func(s string) time.Time {
		parsed, err := time.Parse(time.RFC3339, s)
		require.NoError(t, err)
		return parsed
	}
	tests := []struct{ window, now, start, end string }{
		{"hour", "2030-05-06T07:08:09Z", "2030-05-06T07:00:00Z", "2030-05-06T08:00:00Z"},
		{"day", "2030-12-31T23:59:59Z", "2030-12-31T00:00:00Z", "2031-01-01T00:00:00Z"},
		{"day", "2030-05-06T01:00:00+02:00", "2030-05-05T00:00:00Z", "2030-05-06T00:00:00Z"},
		{"month", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"30m", "1970-01-01T01:45:00Z", "1970-01-01T01:30:00Z", "1970-01-01T02:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.window+" "+tt.now, func(t *testing.T) {
			start, end, err := Window(tt.window, at(tt.now))
			require.NoError(t, err)
			require.Equal(t, at(tt.start), start)
			require.Equal(t, at(tt.end), end)
		})
	}
	for _, window := range []string{"", "week", "1s", "-1h", "x"} {
		_, _, err := Window(window, at("2030-01-01T00:00:00Z"))
		require.Error(t, err, window)
	}
}

func TestWindowsFollowEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.SampledFrom([]string{Hour, Day, Month, "1m", "36h", "168h"}).Draw(t, "window")
		now := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "now"), 0)
		start, end, err := Window(window, now)
		if err != nil || now.Before(start) || !now.Before(end) {
			t.Fatalf("%s is not in [%s, %s): %v", now, start, end, err)
		}
		next, _, _ := Window(window, end)
		if !next.Equal(end) {
			t.Fatalf("the window after %s starts at %s", end, next)
		}
	})
}
