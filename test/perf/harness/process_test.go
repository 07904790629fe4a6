package harness

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseCPU(t *testing.T) {
	got, err := parseCPU("42 (a name) with) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 100 0 0")
	require.NoError(t, err)
	require.Equal(t, 2*time.Second, got)
	_, err = parseCPU("nonsense")
	require.Error(t, err)
}

func TestParseResident(t *testing.T) {
	got, err := parseResident("Name:\tx\nVmPeak:\t  9999 kB\nVmRSS:\t    2560 kB\nThreads:\t7\n")
	require.NoError(t, err)
	require.Equal(t, 2.5, got)
	_, err = parseResident("Name:\tx\n")
	require.Error(t, err)
}
