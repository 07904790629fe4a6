package elementary

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAgainstMath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-700, 700).Draw(t, "x")
		require.InEpsilon(t, math.Exp(x), Exp(x), 1e-13)
		y := rapid.Float64Range(1e-300, 1e300).Draw(t, "y")
		require.InDelta(t, math.Log(y), Log(y), 1e-13*math.Max(1, math.Abs(math.Log(y))))
		z := rapid.Float64Range(-30, 10).Draw(t, "z")
		cdf := math.Erfc(-z/math.Sqrt2) / 2
		require.InEpsilon(t, cdf, NormalCDF(z), 1e-11)
		require.InEpsilon(t, math.Erfc(-z/math.Sqrt2)/2/(math.Exp(-z*z/2)/sqrt2Pi), Mills(-z), 1e-10)
	})
	require.InDelta(t, 1e-10, Log(1+1e-10), 1e-16)
}

func TestEnds(t *testing.T) {
	require.Zero(t, Exp(-1000))
	require.Equal(t, 1.0, Exp(0))
	require.True(t, math.IsInf(Exp(1000), 1))
	require.True(t, math.IsInf(Log(0), -1))
	require.True(t, math.IsNaN(Log(-1)) && math.IsNaN(Exp(math.NaN())))
	require.Zero(t, Log(1))
	require.Equal(t, 0.5, NormalCDF(0))
	require.Equal(t, 1.0, NormalCDF(40))
	require.Zero(t, NormalCDF(-60))
	require.InEpsilon(t, 1e-4, Mills(1e4), 1e-7)
}

// Golden bits: the same on every architecture.
func TestGolden(t *testing.T) {
	for x, want := range map[float64][4]uint64{
		0.3:  {0x3ff599058c8c1a96, 0xbff34378fcbda721, 0x3fe3c5ee2cc40b78, 0x3ff00786a792bc34},
		2.7:  {0x402dc26c32572a3e, 0x3fefc8b7f138bdea, 0x3fefe3993a9ccb96, 0x3fd54ad8479bfeed},
		-9.1: {0x3f1d45c3fb7086ca, 0x4001aa8bc6956467, 0x3beaa947b3de13e5, 0x43c0af86f27ea750},
	} {
		require.Equal(t, want, [4]uint64{math.Float64bits(Exp(x)), math.Float64bits(Log(math.Abs(x))), math.Float64bits(NormalCDF(x)), math.Float64bits(Mills(x))}, x)
	}
}
