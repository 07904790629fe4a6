// Agents measures operations that run in other clusters beside the same in one cluster: how many end per second, what
// one costs the hub, and how much later it ends for being elsewhere.
package main

import (
	"context"
	"flag"
	"os"

	"github.com/queueyard/queueyard/test/perf/harness"
)

const usage = `Measures two things, each beside the same without agents. All clusters share the machine.

Operations in other clusters: brings up sandboxes with simulated nodes, one that serves its queues itself, then one as the hub
and one for each other cluster. Sends Operations that run as a pod of 1 cpu for one second, at first one after the other, then
all at once, and measures with a watch at the hub.

  alone         milliseconds from the creation of an operation, with nothing else on its way, to it being seen as succeeded
  finished/s    operations that succeed per second, between the 10th and the 90th percent of them
  writes        successful writes of all clients to the API server of the hub for each operation, leases left out
  CPU, RSS      of the hub; CPU for each operation
  all CPU       of all clusters for each operation, and how many cores they kept busy
  load          the machine's load average when it began

Many agents at one hub: the agents are those of queueyard-controller, in this process, with a control plane for a worker where
operations are not run but played. Measures the hub at rest for 30 s, and then while operations go through it.

  watches       open at the API server of the hub
  at rest       requests and writes per second of all clients, leases included; CPU in milliseconds per second
  requests/s    the same while operations go through it
  heap, RSS     of the hub's controller and control plane, at rest

`

type options struct {
	operations, alone, clusters, seats int
	crowd, crowdOperations, projects   int
	harness.Common
}

func main() {
	var o options
	flag.IntVar(&o.operations, "operations", 600, "operations sent at once, over all queues")
	flag.IntVar(&o.alone, "alone", 60, "operations sent one after the other")
	flag.IntVar(&o.clusters, "clusters", 2, "clusters with an agent; 0: leave them out")
	flag.IntVar(&o.seats, "seats", 50, "seats over all queues, of which there is one for each cluster")
	flag.IntVar(&o.crowd, "agents", 50, "agents at one hub; 0: leave them out")
	flag.IntVar(&o.crowdOperations, "agents-operations", 300, "operations sent at once to the queues of these agents")
	flag.IntVar(&o.projects, "projects", 10, "projects that each of these agents is told of")
	harness.Main("agents", usage, 10, func(ctx context.Context, common harness.Common) (any, error) {
		o.Common = common
		return measureAll(ctx, o)
	})
}

func measureAll(ctx context.Context, o options) (any, error) {
	var clusters []figures
	var crowds []crowded
	err := func() (err error) {
		for _, n := range []int{0, o.clusters} {
			if o.clusters == 0 {
				break
			}
			f, err := measure(ctx, o, n)
			if err != nil {
				return err
			}
			clusters = append(clusters, f)
		}
		if o.crowd > 0 {
			crowds, err = measureCrowd(ctx, o)
		}
		return err
	}()
	writeClusters(os.Stdout, clusters)
	writeCrowds(os.Stdout, crowds)
	return map[string]any{"clusters": clusters, "agents": crowds}, err
}
