package search

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Utilities are what they are defined to be, and their derivatives those of their values.
func TestUtilities(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mean, deviation, best := rapid.Float64Range(-3, 3).Draw(t, "mean"), rapid.Float64Range(0.05, 2).Draw(t, "deviation"), rapid.Float64Range(-3, 3).Draw(t, "best")
		eps := rapid.Float64Range(0, 0.5).Draw(t, "eps")
		z := (best - eps - mean) / deviation
		share := math.Erfc(-z/math.Sqrt2) / 2
		density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
		if z > -4 {
			value, _, _ := expectedImprovement{eps}.of(mean, deviation, best)
			require.InDelta(t, math.Log(deviation*(density+z*share)), value, 1e-6)
		}
		if z > -20 {
			value, _, _ := improvementProbability{eps}.of(mean, deviation, best)
			require.InDelta(t, math.Log(share), value, 1e-8)
		}
		value, _, _ := confidenceBound{2}.of(mean, deviation, best)
		require.InDelta(t, 2*deviation-mean, value, 1e-12)
		for name, u := range map[string]utility{"ei": expectedImprovement{eps}, "poi": improvementProbability{eps}, "ucb": confidenceBound{2}} {
			const h = 1e-6
			value := func(mean, deviation float64) float64 { v, _, _ := u.of(mean, deviation, best); return v }
			_, byMean, byDeviation := u.of(mean, deviation, best)
			require.InDelta(t, (value(mean+h, deviation)-value(mean-h, deviation))/(2*h), byMean, 1e-3*(1+math.Abs(byMean)), name)
			require.InDelta(t, (value(mean, deviation+h)-value(mean, deviation-h))/(2*h), byDeviation, 1e-3*(1+math.Abs(byDeviation)), name)
		}
	})
}

// Less is expected the farther off, without end.
func TestUtilityFar(t *testing.T) {
	for _, u := range []utility{expectedImprovement{}, improvementProbability{}} {
		before := math.Inf(1)
		for mean := 0.0; mean < 1e6; mean = mean*1.1 + 0.1 {
			value, byMean, byDeviation := u.of(mean, 1, 0)
			require.Less(t, value, before, "%T at %v", u, mean)
			require.Negative(t, byMean)
			require.False(t, math.IsNaN(byDeviation))
			before = value
		}
	}
}

// An improvement counts that is three times what is expected where most is.
func TestAmbitious(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		best := rapid.Float64Range(-3, 3).Draw(t, "best")
		means := rapid.SliceOfN(rapid.Float64Range(-3, 3), 1, 5).Draw(t, "means")
		deviations := rapid.SliceOfN(rapid.Float64Range(0.05, 2), len(means), len(means)).Draw(t, "deviations")
		most := 0.0
		for i := range means {
			z := (best - means[i]) / deviations[i]
			most = max(most, deviations[i]*(math.Exp(-z*z/2)/math.Sqrt(2*math.Pi)+z*math.Erfc(-z/math.Sqrt2)/2))
		}
		require.InDelta(t, 3*most, ambitious(means, deviations, best).eps, 1e-6)
	})
}

// What counts as an improvement is what the user says, also none.
func TestEps(t *testing.T) {
	var errs problems
	zero, some := 0.0, 0.25
	require.Nil(t, UtilityFunction{AcquisitionFunction: "poi"}.utility(&errs))
	require.Equal(t, improvementProbability{0}, UtilityFunction{AcquisitionFunction: "poi", Eps: &zero}.utility(&errs))
	require.Equal(t, improvementProbability{some}, UtilityFunction{AcquisitionFunction: "poi", Eps: &some}.utility(&errs))
	require.Equal(t, expectedImprovement{0}, UtilityFunction{}.utility(&errs))
	require.NoError(t, errs.err())
}

// While other trials are in flight, improvements give way to confidence bounds, unless the user says what an
// improvement is; for a trial alone they do not.
func TestCrowded(t *testing.T) {
	var errs problems
	some := 0.25
	for _, tt := range []struct {
		of   UtilityFunction
		want utility
	}{
		{UtilityFunction{}, confidenceBound{crowdedKappa}},
		{UtilityFunction{AcquisitionFunction: "ei", Kappa: &some}, confidenceBound{some}},
		{UtilityFunction{Eps: &some}, expectedImprovement{some}},
		{UtilityFunction{AcquisitionFunction: "ucb"}, confidenceBound{1.5}},
		{UtilityFunction{AcquisitionFunction: "poi", Eps: &some}, improvementProbability{some}},
		{UtilityFunction{AcquisitionFunction: "poi"}, confidenceBound{crowdedKappa}},
		{UtilityFunction{AcquisitionFunction: "ucb", Kappa: &some, Eps: &some}, confidenceBound{some}},
	} {
		require.Equal(t, tt.want, tt.of.crowded(tt.of.utility(&errs)), "%+v", tt.of)
	}
	require.NoError(t, errs.err())

	search := func(utility string) Algorithm {
		return made(t, fmt.Sprintf(`{"bayes": {"params": {"x": {"kind": "uniform", "value": [0, 1]}, "y": {"kind": "uniform", "value": [0, 1]}}, "maxIterations": 9, "utilityFunction": %s, %s}}`, utility, minimizeLoss))
	}
	ei, poi, bound := search(`{}`), search(`{"acquisitionFunction": "poi"}`), search(fmt.Sprintf(`{"acquisitionFunction": "ucb", "kappa": %v}`, crowdedKappa))
	var ended []Observation
	for _, trial := range ei.Suggest(nil, 6).Trials {
		ended = append(ended, Observation{Trial: trial, State: Succeeded, Value: float64(len(ended) % 4)})
	}
	alone := ei.Suggest(ended, 1).Trials
	crowd := append(ended, Observation{Trial: alone[0], State: InFlight})
	for _, improvement := range []Algorithm{ei, poi} {
		require.NotEqual(t, improvement.Suggest(ended, 1).Trials, bound.Suggest(ended, 1).Trials)
		require.Equal(t, improvement.Suggest(crowd, 3).Trials, bound.Suggest(crowd, 3).Trials)
	}
}
