package main

import (
	"fmt"
	"io"

	"github.com/queueyard/queueyard/test/perf/harness"
)

func writeClusters(w io.Writer, all []figures) {
	if len(all) == 0 {
		return
	}
	fmt.Fprint(w, "| clusters | operations | alone p50 / p99 ms | finished/s (ceiling) | writes | controller CPU ms | control plane CPU ms | all CPU ms (cores busy) | RSS of the controller MiB | load |\n"+
		"|---|---|---|---|---|---|---|---|---|---|\n")
	var heads []string
	var columns []map[string]float64
	for _, f := range all {
		fmt.Fprintf(w, "| %s | %d | %.0f / %.0f | %.1f (%d) | %.1f | %.1f | %.1f | %.0f (%.1f) | %.0f | %.1f |\n",
			f.Clusters, f.Operations, f.AloneP50, f.AloneP99, f.Succeeded, f.Seats, f.WritesSum, f.ControllerCPU, f.ControlPlaneCPU, f.AllCPU, f.Busy, f.ControllerRSS, f.Load)
		heads, columns = append(heads, f.Clusters), append(columns, f.Counts())
	}
	fmt.Fprint(w, "\nWrites to the hub for each operation, and requests of its controller.\n\n")
	harness.WriteCounts(w, heads, columns)
}

func writeCrowds(w io.Writer, all []crowded) {
	if len(all) == 0 {
		return
	}
	fmt.Fprint(w, "| agents | watches | at rest: requests/s | writes/s | controller / control plane CPU ms/s | heap / RSS of the controller MiB | RSS of the control plane MiB | finished/s | requests/s | writes for each operation | load |\n"+
		"|---|---|---|---|---|---|---|---|---|---|---|\n")
	var heads []string
	var columns []map[string]float64
	for _, f := range all {
		fmt.Fprintf(w, "| %d | %.0f | %.1f | %.1f | %.0f / %.0f | %.0f / %.0f | %.0f | %.1f | %.0f | %.1f | %.1f |\n",
			f.Agents, f.Watches, f.IdleRequests, f.IdleWrites, f.IdleController, f.IdlePlane, f.Heap, f.RSS, f.PlaneRSS, f.Succeeded, f.Requests, f.WritesSum, f.Load)
		heads, columns = append(heads, fmt.Sprint(f.Agents)), append(columns, f.Counts())
	}
	fmt.Fprint(w, "\nWrites to the hub for each operation, and requests of its controller.\n\n")
	harness.WriteCounts(w, heads, columns)
}
