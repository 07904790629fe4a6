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
	"github.com/queueyard/queueyard/pkg/sandbox/simulation/kwok"
	"github.com/queueyard/queueyard/pkg/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	root := &cobra.Command{
		Use:          "sandbox-control-plane",
		Short:        "The parts of a Queueyard sandbox that come from Kubernetes",
		Version:      version.String(),
		SilenceUsage: true,
	}
	root.AddCommand(runCommand(), etcdCommand(), simulateNodesCommand())
	if root.ExecuteContext(ctx) != nil {
		os.Exit(1)
	}
}

func runCommand() *cobra.Command {
	var o controlplane.Options
	cmd := command("run", "Run etcd, kube-apiserver and Kubernetes' controllers",
		func(ctx context.Context, dir layout.Dir) error {
			if err := os.Chdir(string(dir)); err != nil {
				return err
			}
			o.Dir = dir
			return controlplane.Run(ctx, o)
		})
	cmd.Flags().IntVar(&o.Port, "port", 0, "the API server's port on the loopback address")
	cmd.Flags().BoolVar(&o.EtcdApart, "etcd-apart", false, "etcd runs in a process of its own")
	cmd.Flags().StringVar(&o.Address, "address", "", "an address of this machine at which pods reach the API server; empty: none")
	require(cmd, "port")
	return cmd
}

func etcdCommand() *cobra.Command {
	return command("etcd", "Run etcd alone, for run --etcd-apart",
		func(ctx context.Context, dir layout.Dir) error {
			if err := os.Chdir(string(dir)); err != nil {
				return err
			}
			return controlplane.RunEtcd(ctx, dir)
		})
}

func simulateNodesCommand() *cobra.Command {
	return command("simulate-nodes", "Play the simulated nodes with KWOK", kwok.Run)
}

func command(use, short string, run func(context.Context, layout.Dir) error) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := layout.New(path)
			if err != nil {
				return err
			}
			return run(cmd.Context(), dir)
		},
	}
	cmd.Flags().StringVar(&path, "dir", "", "the sandbox's directory; its certificates must exist")
	require(cmd, "dir")
	return cmd
}

func require(cmd *cobra.Command, flag string) {
	if err := cmd.MarkFlagRequired(flag); err != nil {
		panic(err)
	}
}
