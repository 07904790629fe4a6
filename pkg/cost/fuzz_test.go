package cost

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzAmount reads any text as a cost: what is accepted is within bounds and can be written and read again.
func FuzzAmount(f *testing.F) {
	for _, seed := range []string{"", "0", "2.50", "-1", "1e6", "1E-9", "1e999999999", "0x10", "1_000", " 1", "NaN", "Inf", "1Gi", "1/3", "9999999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse(text)
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, m, Micros(0))
		require.LessOrEqual(t, m, Micros(Max))
		again, err := Parse(Format(m))
		require.NoError(t, err)
		require.Equal(t, Format(m), Format(again))
	})
}
