// Perf measures queues on a simulated cluster against the same scheduler without queues.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/queueyard/queueyard/test/perf/harness"
)

const usage = `Brings up a sandbox with simulated nodes in a temporary directory, sends pods that run for one second through
queues, and measures with a watch. Prints Markdown tables and takes the sandbox down.

  placed/s      pods that get a node per second, between the 10th and the 90th percent of them: through
                a queue without limits, and, in turns with it, through a stock profile of the same process
  utilisation   the time-averaged share of a queue's seats with a pod on a node, from the moment the queue
                is full for the first time to the last of its pods getting a node
  turnover      milliseconds from a pod's end to the next bind in its queue
  writes        successful writes of all clients to the API server, leases left out
  CPU           user and system time of the scheduler and of the control plane

The pods counted as waiting stand behind the measured ones in the first of the queues, with a lower
priority; the other queues have none. Only the measured pods are counted.

  perf -waiting 100 -shape 1x50 -rates=false
  perf -waiting 100,10000 -repeats 1 -json results.json
`

func main() {
	var o options
	waiting := flag.String("waiting", "100,10000,50000", "numbers of pods that wait behind, with commas between")
	shapes := flag.String("shape", "1x50,10x20", "queues and seats of each, QUEUESxSEATS, with commas between")
	flag.BoolVar(&o.rates, "rates", true, "compare the rate of placing pods with the stock profile's")
	flag.IntVar(&o.pods, "pods", 2000, "pods of one run at most; a shape gets 20 for each of its seats")
	flag.IntVar(&o.repeats, "repeats", 3, "runs of the stock profile and of the queue without limits, in turns")
	harness.Main("perf", usage, 20, func(ctx context.Context, common harness.Common) (any, error) {
		var err error
		if o.shapes, err = harness.ParseShapes(*shapes); err != nil {
			return nil, err
		}
		if o.waiting, err = harness.ParseCounts(*waiting); err != nil {
			return nil, err
		}
		o.Common = common
		results, err := execute(ctx, o)
		writeTables(os.Stdout, results)
		return results, err
	})
}

// execute runs the benchmark on a cluster of its own, whose scheduler has the stock profile too.
func execute(ctx context.Context, o options) (results []result, err error) {
	c, err := harness.Start(ctx, harness.Options{Common: o.Common, Progress: func(step string) { fmt.Fprintln(os.Stderr, step) }})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	if err := addStockProfile(ctx, c); err != nil {
		return nil, err
	}
	b := &bench{options: o, cluster: c, log: os.Stderr}
	return b.run(ctx)
}
