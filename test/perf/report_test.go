package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/test/perf/harness"
)

func TestWriteTables(t *testing.T) {
	placed := func(run string, rate float64) result {
		return result{Waiting: 100, Run: run, Timing: harness.Timing{Placed: rate}, WritesPerPod: 5}
	}
	var text strings.Builder
	writeTables(&text, []result{
		placed(stockRun, 100), placed(freeRun, 90), placed(stockRun, 300), placed(freeRun, 99), placed(stockRun, 90), placed(freeRun, 120),
		{Waiting: 100, Run: "1x50", Queues: 1, Seats: 50, Pods: 1000, Timing: harness.Timing{Finished: 48, Utilisation: 0.97, UtilisationMin: 0.97, TurnoverP50: 12, TurnoverP99: 90}},
	})
	require.Contains(t, text.String(), "| 100 | 100 | 99 | 0.99 | 5.0 | 5.0 |")
	require.Contains(t, text.String(), "| 1 × 50 | 100 | 1000 | 48.0 (50) | 0.970 (0.970) | 12 / 90 |")
}
