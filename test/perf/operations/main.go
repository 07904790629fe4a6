// Operations measures Operations on a simulated cluster: how many end per second, what one costs, and what
// tens of thousands of them that wait cost.
package main

import (
	"context"
	"errors"
	"flag"
	"os"

	"github.com/queueyard/queueyard/test/perf/harness"
)

const usage = `Brings up sandboxes with simulated nodes in temporary directories, sends Operations that run as a pod of 1 cpu
for one second, and measures with watches. Prints Markdown tables and takes the sandboxes down.

  finished/s    operations that succeed per second, between the 10th and the 90th percent of them, while a
                client creates the later ones
  utilisation   the time-averaged share of the seats with a pod on a node while operations wait
  turnover      milliseconds from the end of an operation's pod to the next pod of its queue on a node
  recorded      milliseconds from the end of an operation's pod to the operation being seen as succeeded
  writes        successful writes of all clients to the API server, leases left out
  CPU           user and system time
  heap          what is alive in the controller's heap

`

type options struct {
	shapes     []harness.Shape
	operations int
	queued     int
	repeats    int
	harness.Common
}

func main() {
	var o options
	shapes := flag.String("shape", "1x50,10x20", "queues and seats of each, QUEUESxSEATS, with commas between; empty: none")
	flag.IntVar(&o.operations, "operations", 2000, "operations of one run")
	flag.IntVar(&o.queued, "queued", 50000, "operations that wait in one queue; 0: leave that out")
	flag.IntVar(&o.repeats, "repeats", 1, "runs of each shape, on a new sandbox each; the tables have their medians")
	harness.Main("operations", usage, 20, func(ctx context.Context, common harness.Common) (any, error) {
		var err error
		if o.shapes, err = harness.ParseShapes(*shapes); err != nil {
			return nil, err
		}
		o.Common = common
		flows, line, err := measure(ctx, o)
		writeTables(os.Stdout, flows, line)
		return map[string]any{"flows": flows, "line": line}, err
	})
}

// measure makes every run on a sandbox of its own.
func measure(ctx context.Context, o options) (flows []flow, line *waitingLine, err error) {
	for _, s := range o.shapes {
		for range o.repeats {
			err := onCluster(ctx, o, func(b *bench) error {
				f, err := b.flow(ctx, s, o.operations)
				if err == nil {
					flows = append(flows, f)
				}
				return err
			})
			if err != nil {
				return flows, nil, err
			}
		}
	}
	if o.queued > 0 {
		err = onCluster(ctx, o, func(b *bench) (err error) {
			line, err = b.line(ctx, o.queued, o.operations)
			return err
		})
	}
	return flows, line, err
}

// onCluster does something on a warm sandbox.
func onCluster(ctx context.Context, o options, do func(*bench) error) (err error) {
	c, err := harness.Start(ctx, harness.Options{Common: o.Common})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	b := &bench{Cluster: c}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	return do(b)
}
