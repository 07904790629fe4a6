package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/queueyard/queueyard/test/perf/harness"
)

// writeTables prints the results as Markdown.
func writeTables(w io.Writer, flows []flow, line *waitingLine) {
	if len(flows) > 0 {
		writeFlows(w, flows)
	}
	if line != nil {
		writeLine(w, line)
	}
}

func writeFlows(w io.Writer, flows []flow) {
	fmt.Fprint(w, "Operations that run for 1 s; CPU and writes are per operation.\n\n"+
		"| queues × seats | operations | finished/s (ceiling) | utilisation | turnover p50 / p99 ms | recorded p50 / p99 ms | writes | status writes | controller CPU ms | scheduler CPU ms | control plane CPU ms | RSS of controller / scheduler MiB |\n"+
		"|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	shapes := shapesOf(flows)
	for _, s := range shapes {
		same := of(flows, s)
		m := func(figure func(flow) float64) float64 { return harness.Median(same, figure) }
		fmt.Fprintf(w, "| %d × %d | %d | %.1f (%d) | %.3f | %.0f / %.0f | %.0f / %.0f | %.1f | %.2f | %.1f | %.1f | %.1f | %.0f / %.0f |\n",
			s.Queues, s.Seats, same[0].Operations, m(func(f flow) float64 { return f.Succeeded }), s.Queues*s.Seats, m(func(f flow) float64 { return f.Utilisation }),
			m(func(f flow) float64 { return f.TurnoverP50 }), m(func(f flow) float64 { return f.TurnoverP99 }),
			m(func(f flow) float64 { return f.RecordedP50 }), m(func(f flow) float64 { return f.RecordedP99 }),
			m(func(f flow) float64 { return f.WritesSum }), m(func(f flow) float64 { return f.Writes[statusWrite] }),
			m(func(f flow) float64 { return f.ControllerCPU }), m(func(f flow) float64 { return f.SchedulerCPU }), m(func(f flow) float64 { return f.ControlPlaneCPU }),
			m(func(f flow) float64 { return f.ControllerRSS }), m(func(f flow) float64 { return f.SchedulerRSS }))
	}
	fmt.Fprint(w, "\nWrites per operation of all clients, and requests of the controller (reads, reviews and leases included).\n\n")
	var heads []string
	var columns []map[string]float64
	for _, s := range shapes {
		heads = append(heads, fmt.Sprintf("%d × %d", s.Queues, s.Seats))
		columns = append(columns, harness.MedianCounts(of(flows, s), func(f flow) map[string]float64 { return f.Counts() }))
	}
	harness.WriteCounts(w, heads, columns)
}

// statusWrite is how the API server counts the writing of an operation's status.
const statusWrite = "PUT operations/status"

func shapesOf(flows []flow) (shapes []harness.Shape) {
	for _, f := range flows {
		if !slices.Contains(shapes, f.Shape) {
			shapes = append(shapes, f.Shape)
		}
	}
	return shapes
}

func of(flows []flow, shape harness.Shape) (same []flow) {
	for _, f := range flows {
		if f.Shape == shape {
			same = append(same, f)
		}
	}
	return same
}

func writeLine(w io.Writer, l *waitingLine) {
	fmt.Fprintf(w, "%d operations that wait in one queue of %d seats.\n\n| | |\n|---|---|\n", l.Queued, lineSeats)
	for _, row := range [][2]string{
		{"all created / all queued after s", fmt.Sprintf("%.0f / %.0f (%.0f per second)", l.CreatedIn, l.QueuedIn, float64(l.Queued)/l.QueuedIn)},
		{"CPU ms of controller / control plane for each, until queued", fmt.Sprintf("%.1f / %.1f", l.Creating.ControllerCPU, l.Creating.ControlPlaneCPU)},
		{"writes for each, until queued", fmt.Sprintf("%.2f", l.Creating.WritesSum)},
		{"heap of the controller MiB, before → with them", fmt.Sprintf("%.0f → %.0f (%.1f KiB each)", l.HeapBefore, l.Heap, (l.Heap-l.HeapBefore)*1024/float64(l.Queued))},
		{"RSS of the controller MiB, before → with them", fmt.Sprintf("%.0f → %.0f", l.RSSBefore, l.RSS)},
		{"most pods without a node at any time", fmt.Sprint(l.MostWaiting)},
		{"from the opening of the queue to the first pod on a node / operation seen running, ms", fmt.Sprintf("%.0f / %.0f", l.ToNode, l.ToRunning)},
		{"finished/s (ceiling), with the others behind", fmt.Sprintf("%.1f (%d)", l.Succeeded, lineSeats)},
		{"turnover p50 / p99 ms", fmt.Sprintf("%.0f / %.0f", l.TurnoverP50, l.TurnoverP99)},
		{"writes / status writes per ended operation, after its queueing", fmt.Sprintf("%.1f / %.2f", l.WritesSum, l.Writes[statusWrite])},
		{"CPU ms of controller / scheduler / control plane per ended operation", fmt.Sprintf("%.1f / %.1f / %.1f", l.ControllerCPU, l.SchedulerCPU, l.ControlPlaneCPU)},
		{"restart of the controller: longest time without a pod getting a node, s", fmt.Sprintf("%.1f", l.Restart/1000)},
	} {
		fmt.Fprintf(w, "| %s | %s |\n", row[0], row[1])
	}
	fmt.Fprintln(w)
}
