package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/test/perf/harness"
)

func TestWriteTables(t *testing.T) {
	run := func(outer int, whole, posts float64) mapped {
		return mapped{Children: 1000, Outer: outer, Seats: 50, Whole: whole, Costs: harness.Costs{Writes: map[string]float64{"POST operations": posts}}}
	}
	var text strings.Builder
	writeTables(&text, []mapped{run(0, 100, 1), run(10, 130, 1), run(0, 90, 1), run(10, 120, 1), run(0, 500, 1), run(10, 110, 1.5)})
	require.Contains(t, text.String(), "| 1000 | 100 | ")
	require.Contains(t, text.String(), "| 10 × 100 | 120 | ")
	require.Contains(t, text.String(), "whole: 1.20 (")
	require.Contains(t, text.String(), "| | 1000 | 10 × 100 |\n|---|---|---|\n| POST operations | 1.00 | 1.00 |\n")

	text.Reset()
	writeTables(&text, []mapped{run(0, 100, 1)})
	require.NotContains(t, text.String(), "÷")
}

func TestWorkflowOf(t *testing.T) {
	flat := workflowOf("map", "q", mapped{Children: 1000}).Spec
	require.Equal(t, []string{"all", "one"}, []string{flat.Templates[0].Name, flat.Templates[1].Name})
	require.Equal(t, "[0,1000,1]", string(flat.Templates[0].Matrix.Grid.Params["rate"].Value.Raw))
	nested := workflowOf("map", "q", mapped{Children: 1000, Outer: 10}).Spec
	require.Equal(t, "some", nested.Templates[0].Matrix.Template)
	require.Equal(t, "[0,10,1]", string(nested.Templates[0].Matrix.Grid.Params["group"].Value.Raw))
	require.Equal(t, "[0,100,1]", string(nested.Templates[1].Matrix.Grid.Params["rate"].Value.Raw))
}
