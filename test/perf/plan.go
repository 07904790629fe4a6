package main

import "github.com/queueyard/queueyard/test/perf/harness"

// options are what the command line says.
type options struct {
	waiting []int
	shapes  []harness.Shape
	rates   bool // compare the rate of placing with the stock scheduler's
	pods    int
	repeats int
	harness.Common
}
