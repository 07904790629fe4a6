// Command sandbox brings up a whole local cluster with Queueyard in it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	root := &cobra.Command{
		Use:   "sandbox",
		Short: "A local Kubernetes cluster with Queueyard, without containers",
		Long: `A local Kubernetes cluster with Queueyard, without containers.

A sandbox is a directory and the processes that work on it: etcd, the Kubernetes API server and controllers,
simulated nodes, one node that runs pods as local processes, and Queueyard's scheduler and controller.`,
		Version:      version.String(),
		SilenceUsage: true,
	}
	dir := root.PersistentFlags().String("dir", ".sandbox", "the sandbox's directory")
	root.AddCommand(
		upCommand(dir), downCommand(dir), statusCommand(dir), kubeconfigCommand(dir), logsCommand(dir),
		superviseCommand(dir), processNodeCommand(dir),
	)
	if root.ExecuteContext(ctx) != nil {
		os.Exit(1)
	}
}
