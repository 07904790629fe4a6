package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/test/perf/harness"
)

func TestWriteTables(t *testing.T) {
	run := func(queues int, rate, statusWrites float64) flow {
		return flow{
			Shape: harness.Shape{Queues: queues, Seats: 20}, Operations: 100, Figures: harness.Figures{Succeeded: rate},
			Costs: harness.Costs{Writes: map[string]float64{statusWrite: statusWrites, "POST pods": 1, "DELETE pods": 0.001}, Requests: map[string]float64{"GET": 2}},
		}
	}
	var text strings.Builder
	writeTables(&text, []flow{run(1, 30, 3), run(1, 50, 4), run(1, 40, 3.5), run(10, 90, 3)}, &waitingLine{Queued: 1024, HeapBefore: 10, Heap: 14, Restart: 2500})
	require.Contains(t, text.String(), "| 1 × 20 | 100 | 40.0 (20) |")
	require.Contains(t, text.String(), "| 3.50 |")
	require.Contains(t, text.String(), "| PUT operations/status | 3.50 | 3.00 |\n| requests of the controller: GET | 2.00 | 2.00 |\n")
	require.NotContains(t, text.String(), "DELETE")
	require.Contains(t, text.String(), "| 10 → 14 (4.0 KiB each) |")
	require.Contains(t, text.String(), "| 2.5 |")
}
