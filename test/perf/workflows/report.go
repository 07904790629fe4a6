package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/queueyard/queueyard/test/perf/harness"
)

// writeTables prints the results as Markdown.
func writeTables(w io.Writer, all []mapped) {
	if len(all) == 0 {
		return
	}
	fmt.Fprint(w, "Children that run for 1 s; CPU and writes are per child.\n\n"+
		"| children | whole s | children/s (seats) | utilisation | turnover p50 / p99 ms | writes | controller CPU ms | scheduler CPU ms | control plane CPU ms | heap MiB, before → after | RSS of the controller MiB, before → after | most pods without a node |\n"+
		"|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	var heads []string
	var columns []map[string]float64
	for _, same := range grouped(all) {
		m := func(figure func(mapped) float64) float64 { return harness.Median(same, figure) }
		fmt.Fprintf(w, "| %s | %.0f | %.1f (%d) | %.3f | %.0f / %.0f | %.1f | %.1f | %.1f | %.1f | %.0f → %.0f | %.0f → %.0f | %.0f |\n",
			same[0].shape(), m(func(r mapped) float64 { return r.Whole }), m(func(r mapped) float64 { return r.Succeeded }), same[0].Seats,
			m(func(r mapped) float64 { return r.Utilisation }), m(func(r mapped) float64 { return r.TurnoverP50 }), m(func(r mapped) float64 { return r.TurnoverP99 }),
			m(func(r mapped) float64 { return r.WritesSum }), m(func(r mapped) float64 { return r.ControllerCPU }), m(func(r mapped) float64 { return r.SchedulerCPU }),
			m(func(r mapped) float64 { return r.ControlPlaneCPU }), m(func(r mapped) float64 { return r.HeapBefore }), m(func(r mapped) float64 { return r.Heap }),
			m(func(r mapped) float64 { return r.RSSBefore }), m(func(r mapped) float64 { return r.ControllerRSS }), m(func(r mapped) float64 { return float64(r.MostWaiting) }))
		heads = append(heads, same[0].shape())
		columns = append(columns, harness.MedianCounts(same, func(r mapped) map[string]float64 { return r.Counts() }))
	}
	if ratio := slowdown(all); ratio > 0 {
		fmt.Fprintf(w, "\nNested ÷ flat, whole: %.2f (target: at most 1.3).\n", ratio)
	}
	fmt.Fprint(w, "\nWrites per child of all clients, and requests of the controller (reads, reviews and leases included).\n\n")
	harness.WriteCounts(w, heads, columns)
}

// grouped are the runs of each nesting.
func grouped(all []mapped) (groups [][]mapped) {
	for _, m := range all {
		i := slices.IndexFunc(groups, func(g []mapped) bool { return g[0].Outer == m.Outer })
		if i < 0 {
			groups = append(groups, nil)
			i = len(groups) - 1
		}
		groups[i] = append(groups[i], m)
	}
	return groups
}

// slowdown is how much longer nested children take than those of one workflow; 0 if only one was measured.
func slowdown(all []mapped) float64 {
	groups := grouped(all)
	if len(groups) != 2 {
		return 0
	}
	whole := func(g []mapped) float64 { return harness.Median(g, func(m mapped) float64 { return m.Whole }) }
	if groups[0][0].Outer != 0 {
		slices.Reverse(groups)
	}
	return whole(groups[1]) / whole(groups[0])
}
