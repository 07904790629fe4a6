// Perf measures queues on a simulated cluster against the same scheduler without queues.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/test/perf/harness"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "perf:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var (
		o               options
		shapes, waiting string
		timeout         time.Duration
	)
	c := &cobra.Command{
		Use:   "perf",
		Short: "Measure queues on a simulated cluster against the same scheduler without queues",
		Long: `Perf brings up a sandbox with simulated nodes in a temporary directory, sends pods that run for one
second through queues, and measures with a watch. It prints Markdown tables and takes the sandbox down.

  placed/s      pods that get a node per second, between the 10th and the 90th percent of them: through
                a queue without limits, and, in turns with it, through a stock profile of the same process
  utilisation   the time-averaged share of a queue's seats with a pod on a node, from the moment the queue
                is full for the first time to the last of its pods getting a node
  turnover      milliseconds from a pod's end to the next bind in its queue
  writes        successful writes of all clients to the API server, leases left out
  CPU           user and system time of the scheduler and of the control plane

The pods counted as waiting stand behind the measured ones in the first of the queues, with a lower
priority; the other queues have none. Only the measured pods are counted.`,
		Example: `  perf
  perf --waiting 100 --shape 1x50 --rates=false
  perf --waiting 100,10000 --repeats 1 --json results.json`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if o.shapes, err = harness.ParseShapes(shapes); err != nil {
				return err
			}
			if o.waiting, err = harness.ParseCounts(waiting); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			results, err := execute(ctx, o)
			writeTables(os.Stdout, results)
			return errors.Join(err, harness.WriteJSON(o.json, results))
		},
	}
	f := c.Flags()
	f.StringVar(&waiting, "waiting", "100,10000,50000", "numbers of pods that wait behind, with commas between")
	f.StringVar(&shapes, "shape", "1x50,10x20", "queues and seats of each, QUEUESxSEATS, with commas between")
	f.BoolVar(&o.rates, "rates", true, "compare the rate of placing pods with the stock profile's")
	f.IntVar(&o.pods, "pods", 2000, "pods of one run at most; a shape gets 20 for each of its seats")
	f.IntVar(&o.repeats, "repeats", 3, "runs of the stock profile and of the queue without limits, in turns")
	f.IntVar(&o.nodes, "nodes", 20, "simulated nodes")
	f.StringVar(&o.bin, "bin", "bin", "directory of the project's programs")
	f.StringVar(&o.json, "json", "", "file for all figures of every run")
	f.DurationVar(&timeout, "timeout", time.Hour, "when to give up")
	return c
}

// execute runs the benchmark on a cluster of its own, whose scheduler has the stock profile too.
func execute(ctx context.Context, o options) (results []result, err error) {
	c, err := harness.Start(ctx, harness.Options{Nodes: o.nodes, Bin: o.bin, Progress: func(step string) { fmt.Fprintln(os.Stderr, step) }})
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
