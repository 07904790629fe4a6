package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/test/perf/harness"
)

func TestPlan(t *testing.T) {
	b := &bench{options: options{rates: true, repeats: 2, pods: 500, shapes: []harness.Shape{{Queues: 1, Seats: 50}, {Queues: 10, Seats: 2}}}}
	var names []string
	for _, r := range b.plan(100) {
		require.Equal(t, 100, r.Waiting)
		names = append(names, r.Run)
	}
	require.Equal(t, []string{stockRun, freeRun, freeRun, stockRun, "1x50", "10x2"}, names)

	b.options.rates = false
	runs := b.plan(0)
	require.Len(t, runs, 2)
	require.Equal(t, 500, runs[0].Pods, "no more than the cap")
	require.Equal(t, 400, runs[1].Pods)
}
