// Command queueyard-scheduler is kube-scheduler with queues.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // build_info

	"github.com/queueyard/queueyard/pkg/scheduler"
)

func main() { os.Exit(cli.Run(scheduler.NewCommand())) }
