package supervisor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBackoff(t *testing.T) {
	b := &backoff{}
	var delays []time.Duration
	for range 9 {
		delays = append(delays, b.next(time.Second))
	}
	require.Equal(t, []time.Duration{
		200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond,
		3200 * time.Millisecond, 6400 * time.Millisecond, 12800 * time.Millisecond, 25600 * time.Millisecond, 30 * time.Second,
	}, delays)
	require.Equal(t, firstDelay, b.next(healthyRun), "a long run starts the delays anew")
}
