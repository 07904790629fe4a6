package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/audit"
)

// summarize prints what happened per queue. It is an error if an operation failed or a promise was
// broken.
func summarize(operations []operation, queues []audit.QueueSummary, violations []audit.Violation) error {
	order := map[string][]string{}
	slices.SortStableFunc(operations, func(a, b operation) int { return a.started.Compare(b.started) })
	failed := 0
	for _, o := range operations {
		order[o.queue] = append(order[o.queue], o.name)
		if o.state != "succeeded" {
			failed++
		}
	}
	slices.SortFunc(queues, func(a, b audit.QueueSummary) int { return cmp.Compare(b.Queue, a.Queue) })
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nQUEUE\tOPERATIONS\tPEAK RUNNING\tLIMIT\tWAIT P50\tWAIT MAX\tORDER IN WHICH THEY STARTED")
	for _, q := range queues {
		if q.Queue == v1alpha1.DefaultName {
			continue
		}
		limit := "-"
		if q.Limit >= 0 {
			limit = fmt.Sprint(q.Limit)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%.1fs\t%.1fs\t%s\n",
			q.Queue, q.Operations, q.Peak, limit, q.WaitP50, q.WaitMax, strings.Join(order[q.Queue], " "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Printf("\n%d operations, %d failed, %d violations of a limit or of the order seen by the auditor.\n", len(operations), failed, len(violations))
	for _, v := range violations {
		fmt.Println(" ", v)
	}
	if failed > 0 || len(violations) > 0 {
		return fmt.Errorf("%d operations failed and %d promises were broken", failed, len(violations))
	}
	return nil
}
