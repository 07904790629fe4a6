package search

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The optima are what the literature says they are.
func TestProblems(t *testing.T) {
	for _, x := range [][]float64{{-3.14159265, 12.275}, {3.14159265, 2.275}, {9.42477796, 2.475}} {
		require.InDelta(t, Branin.Minimum, Branin.At(x), 1e-6)
	}
	require.InDelta(t, Hartmann6.Minimum, Hartmann6.At([]float64{0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573}), 1e-6)
}

// The gates that are cheap, over a few seeds. The others, over 20, are those of make bench-search.
func TestQuality(t *testing.T) {
	if testing.Short() {
		t.Skip("it searches for seconds")
	}
	regret := func(s Search, p Problem, trials int) float64 {
		r, err := s.MedianRegret(p, 5, trials)
		require.NoError(t, err)
		return r[0]
	}
	require.LessOrEqual(t, regret(Bayes("ei", 1), Branin, 50), 0.01)
	require.LessOrEqual(t, regret(Bayes("ei", 4), Branin, 50), 0.01)
	require.LessOrEqual(t, regret(TPE(1), Branin, 200), min(0.1, regret(Random(), Branin, 200)/2))
	require.LessOrEqual(t, regret(TPE(1), Hartmann6, 200), min(0.4, regret(Random(), Hartmann6, 200)/2))
}
