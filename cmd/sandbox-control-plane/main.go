// Command sandbox-control-plane carries what a sandbox takes from Kubernetes and KWOK. The sandbox command starts it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/sandbox/controlplane"
	"github.com/queueyard/queueyard/pkg/sandbox/layout"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	root := &cobra.Command{
		Use:          "sandbox-control-plane",
		Short:        "The parts of a Queueyard sandbox that come from Kubernetes",
		SilenceUsage: true,
	}
	root.AddCommand(runCommand())
	if root.ExecuteContext(ctx) != nil {
		os.Exit(1)
	}
}

func runCommand() *cobra.Command {
	var dir string
	var options controlplane.Options
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run etcd, kube-apiserver and Kubernetes' controllers",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if options.Dir, err = layout.New(dir); err != nil {
				return err
			}
			if err := os.Chdir(string(options.Dir)); err != nil {
				return err
			}
			return controlplane.Run(cmd.Context(), options)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the sandbox's directory; its certificates must exist")
	cmd.Flags().IntVar(&options.Port, "port", 0, "the API server's port on the loopback address")
	for _, name := range []string{"dir", "port"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return cmd
}
