package sim

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkScale plays a large load; one operation of the benchmark is one simulated operation.
func BenchmarkScale(b *testing.B) {
	plan, load := Scale(b.N, 1000, 10_000)
	s, err := New(plan)
	require.NoError(b, err)
	require.NoError(b, s.AddLoad(load))
	b.ReportAllocs()
	b.ResetTimer()
	_, err = s.Run()
	require.NoError(b, err)
}
