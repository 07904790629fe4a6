package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/queueyard/queueyard/test/perf/harness"
)

// String is the run in one line.
func (r result) String() string {
	text := fmt.Sprintf("%6d waiting, %-5s %6.1f placed/s, %.1f writes and %.1f ms of the scheduler's CPU per pod", r.Waiting, r.Run, r.Placed, r.WritesPerPod, r.SchedulerCPU)
	if r.Seats > 0 {
		text += fmt.Sprintf(", utilisation %.3f, turnover %.0f/%.0f ms", r.Utilisation, r.TurnoverP50, r.TurnoverP99)
	}
	return text
}

// writeTables prints the results as Markdown.
func writeTables(w io.Writer, results []result) {
	var rates, shapes []result
	for _, r := range results {
		if r.Seats > 0 {
			shapes = append(shapes, r)
		} else {
			rates = append(rates, r)
		}
	}
	if len(rates) > 0 {
		fmt.Fprint(w, "Pods placed per second, medians of the runs in turns; writes and CPU are per pod.\n\n"+
			"| waiting | stock placed/s | queues placed/s | queues ÷ stock | stock writes | queues writes | stock scheduler CPU ms | queues scheduler CPU ms |\n"+
			"|---|---|---|---|---|---|---|---|\n")
		for _, n := range waitingOf(rates) {
			stock, free := medians(rates, n, stockRun), medians(rates, n, freeRun)
			fmt.Fprintf(w, "| %d | %.0f | %.0f | %.2f | %.1f | %.1f | %.2f | %.2f |\n", n, stock.Placed, free.Placed, free.Placed/stock.Placed,
				stock.WritesPerPod, free.WritesPerPod, stock.SchedulerCPU, free.SchedulerCPU)
		}
		fmt.Fprintln(w)
	}
	if len(shapes) > 0 {
		fmt.Fprint(w, "Queues with seats, pods that run for 1 s.\n\n"+
			"| queues × seats | waiting | pods | finished/s (ceiling) | utilisation (lowest queue) | turnover p50 / p99 ms | writes per pod | scheduler CPU ms per pod | control plane CPU ms per pod |\n"+
			"|---|---|---|---|---|---|---|---|---|\n")
		for _, r := range shapes {
			fmt.Fprintf(w, "| %d × %d | %d | %d | %.1f (%d) | %.3f (%.3f) | %.0f / %.0f | %.1f | %.2f | %.1f |\n", r.Queues, r.Seats, r.Waiting, r.Pods,
				r.Finished, r.Queues*r.Seats, r.Utilisation, r.UtilisationMin, r.TurnoverP50, r.TurnoverP99, r.WritesPerPod, r.SchedulerCPU, r.ControlPlaneCPU)
		}
		fmt.Fprintln(w)
	}
}

func waitingOf(results []result) []int {
	var counts []int
	for _, r := range results {
		counts = append(counts, r.Waiting)
	}
	slices.Sort(counts)
	return slices.Compact(counts)
}

// medians takes the median of each figure over the runs of one kind.
func medians(results []result, waiting int, run string) result {
	var same []result
	for _, r := range results {
		if r.Waiting == waiting && r.Run == run {
			same = append(same, r)
		}
	}
	of := func(figure func(result) float64) float64 { return harness.Median(same, figure) }
	return result{
		Timing:       harness.Timing{Placed: of(func(r result) float64 { return r.Placed })},
		WritesPerPod: of(func(r result) float64 { return r.WritesPerPod }),
		SchedulerCPU: of(func(r result) float64 { return r.SchedulerCPU }),
	}
}
