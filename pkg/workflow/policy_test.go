package workflow

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/curve"
)

// series has the values of steps from 1 on.
func series(child string, ended bool, values ...float64) Series {
	s := Series{Child: child, Ended: ended}
	for i, v := range values {
		s.Points = append(s.Points, curve.At(int64(i)+1, v))
	}
	return s
}

func TestStoppingPolicy(t *testing.T) {
	median := StoppingPolicy{Kind: v1alpha1.Median, Metric: "loss", Optimization: v1alpha1.Minimize}
	truncation := StoppingPolicy{Kind: v1alpha1.Truncation, Metric: "loss", Optimization: v1alpha1.Minimize, Percent: 40}
	diff := StoppingPolicy{Kind: v1alpha1.Diff, Metric: "loss", Optimization: v1alpha1.Minimize, Percent: 50}
	with := func(p StoppingPolicy, change func(*StoppingPolicy)) StoppingPolicy { change(&p); return p }
	ended := func(values ...float64) Series { return series("e", true, values...) }
	running := func(values ...float64) Series { return series("r", false, values...) }
	failed := func(values ...float64) Series { s := ended(values...); s.Failed = true; return s }
	every := func(interval int64, values ...float64) []curve.Point {
		c := curve.New(interval)
		for i, v := range values {
			c.Add(int64(i)+1, v)
		}
		return c.Points()
	}
	nan := math.NaN()
	for _, tt := range []struct {
		name   string
		policy StoppingPolicy
		child  Series
		others []Series
		want   string
	}{
		{"nobody to compare with", median, running(9), nil, ""},
		{"running ones are no yardstick of the median", median, running(9), []Series{series("o", false, 1)}, ""},
		{"worse than the median of the averages", median, running(9, 5), []Series{ended(8, 1), ended(4, 2), ended(3, 1)},
			"loss at step 2 is 5 at best, worse than 3, the median of the running averages of 3 ended children: stopped by the policy median"},
		{"a median, no mean", median, running(9), []Series{ended(1), ended(10), ended(100)}, ""},
		{"the mean would stop it not", median, running(9), []Series{ended(1), ended(2), ended(100)},
			"loss at step 1 is 9 at best, worse than 2, the median of the running averages of 3 ended children: stopped by the policy median"},
		{"equal is not worse", median, running(9), []Series{ended(9)}, ""},
		{"the best so far counts, not the last", median, running(1, 50), []Series{ended(9, 9)}, ""},
		{"two in the middle", median, running(4), []Series{ended(1), ended(2), ended(5), ended(6)},
			"loss at step 1 is 4 at best, worse than 3.5, the median of the running averages of 4 ended children: stopped by the policy median"},
		{"what did not come as far does not count", median, running(9, 9), []Series{ended(1)}, ""},
		{"later values of others do not count", median, running(9), []Series{ended(10, 0, 0)}, ""},
		{"maximize", with(median, func(p *StoppingPolicy) { p.Optimization = v1alpha1.Maximize }), running(0.1, 0.3), []Series{ended(0.5, 0.7)},
			"loss at step 2 is 0.3 at best, worse than 0.6, the median of the running averages of 1 ended children: stopped by the policy median"},
		{"no number is worst", median, running(nan), []Series{ended(9)}, "loss at step 1 is +Inf at best, worse than 9, the median of the running averages of 1 ended children: stopped by the policy median"},
		{"no numbers anywhere", median, running(nan), []Series{ended(nan), ended(math.Inf(-1))}, ""},
		{"a failed one is the worst yardstick", median, running(9), []Series{failed(1), failed(2), ended(1)}, ""},
		{"of failed ones the minority does not matter", median, running(9), []Series{failed(1), ended(2), ended(1)},
			"loss at step 1 is 9 at best, worse than 2, the median of the running averages of 3 ended children: stopped by the policy median"},
		{"a failed one is not the best", diff, running(9), []Series{failed(1)}, ""},
		{"several values in a point", with(median, func(p *StoppingPolicy) { p.EvaluationInterval = 4 }), Series{Child: "r", Points: every(4, 9, 5, 6, 7)}, []Series{{Child: "e", Ended: true, Points: every(4, 1, 2, 3, 4, 0)}},
			"loss at step 4 is 5 at best, worse than 2.5, the median of the running averages of 1 ended children: stopped by the policy median"},
		{"it ended itself", median, ended(9), []Series{series("o", true, 1)}, ""},
		{"it reported nothing", median, running(), []Series{ended(1)}, ""},
		{"others report nothing", median, running(9), []Series{ended()}, ""},
		{"too few samples", with(median, func(p *StoppingPolicy) { p.MinSamples = 2 }), running(9), []Series{ended(1)}, ""},
		{"too early", with(median, func(p *StoppingPolicy) { p.MinInterval = 3 }), running(9, 9), []Series{ended(1, 1, 1)}, ""},
		{"judged at the last multiple", with(median, func(p *StoppingPolicy) { p.EvaluationInterval = 2 }), running(9, 8, 1), []Series{ended(2, 4, 100)},
			"loss at step 2 is 8 at best, worse than 3, the median of the running averages of 1 ended children: stopped by the policy median"},
		{"not at a multiple yet", with(median, func(p *StoppingPolicy) { p.EvaluationInterval = 2 }), running(9), []Series{ended(1, 1)}, ""},

		{"among the worst", truncation, running(9), []Series{series("a", false, 1), series("b", false, 2), series("c", false, 10), series("d", false, 3)},
			"loss at step 1 is 9 at best, worse than that of 3 of 4 children: stopped by the policy truncation, which stops the worst 40%"},
		{"not among the worst", truncation, running(9), []Series{series("a", false, 10), series("b", false, 2), series("c", false, 10), series("d", false, 3)}, ""},
		{"all are equal", truncation, running(9), []Series{series("a", false, 9), series("b", false, 9), series("c", false, 9)}, ""},
		{"less than one is to be stopped", truncation, running(9), []Series{series("a", false, 1)}, ""},

		{"too far behind", diff, running(2), []Series{series("a", false, 1), series("b", false, 5)},
			"loss at step 1 is 2 at best, and 1 is the best of 2 other children: stopped by the policy diff, which allows a difference of 50%"},
		{"just near enough", diff, running(1.5), []Series{series("a", false, 1)}, ""},
		{"the best itself", diff, running(1), []Series{series("a", false, 2)}, ""},
		{"negative", diff, running(-1), []Series{series("a", false, -4)},
			"loss at step 1 is -1 at best, and -4 is the best of 1 other children: stopped by the policy diff, which allows a difference of 50%"},
		{"it is not compared with itself", diff, running(9), []Series{running(1)}, ""},
	} {
		require.NoError(t, tt.policy.Validate(), tt.name)
		require.Equal(t, tt.want, tt.policy.Judge(tt.child, tt.others), tt.name)
	}
}

// Turning the sign and the direction of everything changes no decision, and the best of all is never stopped.
func TestStoppingPolicySymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := StoppingPolicy{Kind: rapid.SampledFrom([]v1alpha1.PolicyKind{v1alpha1.Median, v1alpha1.Truncation, v1alpha1.Diff}).Draw(t, "kind"), Metric: "m", Optimization: v1alpha1.Minimize,
			EvaluationInterval: rapid.Int64Range(0, 3).Draw(t, "interval"), MinInterval: rapid.Int64Range(0, 3).Draw(t, "min"), MinSamples: rapid.IntRange(0, 3).Draw(t, "samples")}
		if p.Kind != v1alpha1.Median {
			p.Percent = rapid.IntRange(1, 99).Draw(t, "percent")
		}
		require.NoError(t, p.Validate())
		turned := p
		turned.Optimization = v1alpha1.Maximize
		var all, other []Series
		for i := range rapid.IntRange(1, 8).Draw(t, "children") {
			values := rapid.SliceOfN(rapid.Float64Range(-10, 10), 0, 6).Draw(t, "values")
			negative := make([]float64, len(values))
			for k, v := range values {
				negative[k] = -v
			}
			name, ended := string(rune('a'+i)), rapid.Bool().Draw(t, "ended")
			all, other = append(all, series(name, ended, values...)), append(other, series(name, ended, negative...))
		}
		all[0].Ended, other[0].Ended = false, false
		says := p.Judge(all[0], all)
		require.Equal(t, says == "", turned.Judge(other[0], other) == "")
		if says == "" {
			return
		}
		require.Contains(t, says, string(p.Kind))
		step, _ := p.judged(all[0])
		best := true
		for _, s := range all[1:] {
			for _, point := range s.Points {
				best = best && (point.Step > step || point.Min >= p.best(all[0], step))
			}
		}
		require.False(t, best, "the best is stopped: %s", says)
	})
}

func TestStoppingPolicyRefused(t *testing.T) {
	good := StoppingPolicy{Kind: v1alpha1.Diff, Metric: "loss", Optimization: v1alpha1.Minimize, Percent: 10}
	require.NoError(t, good.Validate())
	for says, change := range map[string]func(*StoppingPolicy){
		"kind":               func(p *StoppingPolicy) { p.Kind = "mean" },
		"percent is 0":       func(p *StoppingPolicy) { p.Percent = 0 },
		"percent is 100":     func(p *StoppingPolicy) { p.Percent = 100 },
		"median has none":    func(p *StoppingPolicy) { p.Kind = v1alpha1.Median },
		"metric":             func(p *StoppingPolicy) { p.Metric = "" },
		"optimization":       func(p *StoppingPolicy) { p.Optimization = "less" },
		"evaluationInterval": func(p *StoppingPolicy) { p.EvaluationInterval = -1 },
		"minInterval":        func(p *StoppingPolicy) { p.MinInterval = -1 },
		"minSamples":         func(p *StoppingPolicy) { p.MinSamples = -1 },
	} {
		p := good
		change(&p)
		require.ErrorContains(t, p.Validate(), says)
	}
}
