package workflow

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestEarlyStopping(t *testing.T) {
	failure := func(percent int) v1alpha1.EarlyStopping {
		return v1alpha1.EarlyStopping{Failure: &v1alpha1.FailurePolicy{Percent: percent}}
	}
	metric := func(o v1alpha1.Optimization, value float64) v1alpha1.EarlyStopping {
		return v1alpha1.EarlyStopping{Metrics: []v1alpha1.MetricPolicy{{Metric: "loss", Value: value, Optimization: o}}}
	}
	loss := func(values ...float64) []Measurement {
		var out []Measurement
		for i, v := range values {
			out = append(out, Measurement{"sweep-" + string(rune('0'+i)), "loss", v})
		}
		return out
	}
	tests := []struct {
		name     string
		policy   v1alpha1.EarlyStopping
		planned  int
		children Counts
		measured []Measurement
		want     *Stop
	}{
		{"no policy", v1alpha1.EarlyStopping{}, 1, Counts{Failed: 1}, loss(0), nil},
		{"exactly the share is good", failure(30), 10, Counts{Failed: 3}, nil, nil},
		{"one more is not", failure(30), 10, Counts{Failed: 4}, nil, &Stop{Failed, "4 of 10 children failed, more than earlyStopping.failure.percent allows (30%): the rest is stopped"}},
		{"an early failure among many planned", failure(50), 100, Counts{Failed: 1}, nil, nil},
		{"half of an odd number", failure(50), 3, Counts{Failed: 2}, nil, &Stop{Failed, "2 of 3 children failed, more than earlyStopping.failure.percent allows (50%): the rest is stopped"}},
		{"consequences do not count again", failure(50), 4, Counts{Failed: 1, UpstreamFailed: 3}, nil, nil},
		{"planned unknown", failure(50), 0, Counts{Succeeded: 1, Failed: 1}, nil, nil},
		{"planned unknown, too many", failure(50), 0, Counts{Succeeded: 1, Failed: 2}, nil, &Stop{Failed, "2 of 3 children failed, more than earlyStopping.failure.percent allows (50%): the rest is stopped"}},
		{"none at all", failure(50), 0, Counts{}, nil, nil},
		{"the value itself is good", metric(v1alpha1.Minimize, 0.1), 5, Counts{}, loss(0.5, 0.1), &Stop{Succeeded, `loss of "sweep-1" is 0.1, and earlyStopping.metrics asks for at most 0.1: the rest is stopped`}},
		{"not yet", metric(v1alpha1.Minimize, 0.1), 5, Counts{}, loss(0.5, 0.11), nil},
		{"maximize names the best", metric(v1alpha1.Maximize, 0.9), 5, Counts{}, loss(0.95, 0.99, 0.99, 0.2), &Stop{Succeeded, `loss of "sweep-1" is 0.99, and earlyStopping.metrics asks for at least 0.9: the rest is stopped`}},
		{"no number", metric(v1alpha1.Maximize, 0.9), 5, Counts{}, loss(math.NaN(), math.Inf(1)), nil},
		{"no number, minimize", metric(v1alpha1.Minimize, 0.9), 5, Counts{}, loss(math.NaN(), math.Inf(-1)), nil},
		{"another metric", metric(v1alpha1.Minimize, 1), 5, Counts{}, []Measurement{{"a", "accuracy", 0.5}}, nil},
		{"a goal goes before failures", v1alpha1.EarlyStopping{Failure: &v1alpha1.FailurePolicy{Percent: 1}, Metrics: []v1alpha1.MetricPolicy{{Metric: "accuracy", Value: 1, Optimization: v1alpha1.Maximize}, {Metric: "loss", Value: 0, Optimization: v1alpha1.Minimize}}}, 2, Counts{Failed: 2}, loss(-1),
			&Stop{Succeeded, `loss of "sweep-0" is -1, and earlyStopping.metrics asks for at most 0: the rest is stopped`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, StopEarly(&tt.policy, tt.planned, tt.children, tt.measured))
		})
	}
}

func TestFailurePolicyProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		planned := rapid.IntRange(1, 50).Draw(t, "planned")
		f := v1alpha1.FailurePolicy{Percent: rapid.IntRange(1, 99).Draw(t, "percent")}
		stopped := false
		var c Counts
		for i := range planned {
			c[rapid.SampledFrom([]Status{Succeeded, Failed, Failed, Stopped}).Draw(t, "outcome")]++
			stop := tooManyFailed(f, planned, c) != nil
			if stopped && !stop {
				t.Fatalf("after %d children the decision was taken back", i+1)
			}
			stopped = stop
			if want := float64(c[Failed])/float64(planned)*100 > float64(f.Percent)+1e-9; stop != want {
				t.Fatalf("%d of %d failed, %d%%: %v", c[Failed], planned, f.Percent, stop)
			}
		}
	})
}
