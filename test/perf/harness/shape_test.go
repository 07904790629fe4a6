package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseShapes(t *testing.T) {
	got, err := ParseShapes("1x50, 10x20")
	require.NoError(t, err)
	require.Equal(t, []Shape{{1, 50}, {10, 20}}, got)
	require.Equal(t, "10x20", got[1].String())
	require.Equal(t, 1000, got[0].Pods(2000))
	require.Equal(t, 2000, got[1].Pods(2000))
	for _, bad := range []string{"50", "x50", "1x", "0x5", "1x-1", "axb"} {
		_, err := ParseShapes(bad)
		require.ErrorContains(t, err, bad)
	}
}

func TestParseCounts(t *testing.T) {
	got, err := ParseCounts("100,10000")
	require.NoError(t, err)
	require.Equal(t, []int{100, 10000}, got)
	for _, bad := range []string{"many", "-1"} {
		_, err := ParseCounts(bad)
		require.ErrorContains(t, err, bad)
	}
}
