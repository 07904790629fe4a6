// Workflows measures a large map on a simulated cluster: how many of its children end per second, what one
// costs, and what nesting adds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/queueyard/queueyard/test/perf/harness"
)

const usage = `Brings up sandboxes with simulated nodes in temporary directories, runs a Workflow that maps over many params, once
with all children under it and once with nested workflows of a like number of children each, and measures with
watches. A child is an Operation that runs as a pod of 1 cpu for one second. Prints Markdown tables.

  children/s    children that succeed per second, between the 10th and the 90th percent of them
  whole         seconds from the creation of the workflow to its success
  turnover      milliseconds from the end of a child's pod to the next child's pod on a node
  heap          what is alive in the controller's heap, before and with the children that are over
  writes        successful writes of all clients to the API server, leases left out

`

type options struct {
	children int
	outer    int
	seats    int
	repeats  int
	harness.Common
}

func main() {
	var o options
	flag.IntVar(&o.children, "children", 10000, "children")
	flag.IntVar(&o.outer, "nested", 100, "nested workflows, among which the children are divided; 0: leave that out")
	flag.IntVar(&o.seats, "seats", 50, "seats of their queue")
	flag.IntVar(&o.repeats, "repeats", 1, "runs of each, in turns, on a new sandbox each; the tables have their medians")
	harness.Main("workflows", usage, 20, func(ctx context.Context, common harness.Common) (any, error) {
		if o.outer > 0 && o.children%o.outer != 0 {
			return nil, fmt.Errorf("-children %d can't be divided among -nested %d: give a multiple", o.children, o.outer)
		}
		o.Common = common
		maps, err := measure(ctx, o)
		writeTables(os.Stdout, maps)
		return maps, err
	})
}

// measure makes every run on a sandbox of its own.
func measure(ctx context.Context, o options) (all []mapped, err error) {
	nestings := []int{0}
	if o.outer > 0 {
		nestings = append(nestings, o.outer)
	}
	for range o.repeats {
		for _, outer := range nestings {
			m, err := onCluster(ctx, o, outer)
			if err != nil {
				return all, err
			}
			all = append(all, m)
		}
	}
	return all, nil
}

// onCluster measures one map on a warm sandbox.
func onCluster(ctx context.Context, o options, outer int) (m mapped, err error) {
	c, err := harness.Start(ctx, harness.Options{Common: o.Common})
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	b := &bench{Cluster: c}
	if err := b.prepare(ctx); err != nil {
		return m, err
	}
	return b.run(ctx, mapped{Children: o.children, Outer: outer, Seats: o.seats})
}
