// Command queueyard-controller serves the webhooks of Queueyard and keeps its objects in order.
package main

import (
	"flag"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/queueyard/queueyard/pkg/controllers/manager"
	"github.com/queueyard/queueyard/pkg/version"
)

func main() {
	ctrl.SetLogger(klog.Background())
	if command().ExecuteContext(ctrl.SetupSignalHandler()) != nil {
		os.Exit(1)
	}
}

func command() *cobra.Command {
	options := manager.NewOptions()
	cmd := &cobra.Command{
		Use:          "queueyard-controller",
		Short:        "Webhooks and controllers of Queueyard",
		Version:      version.String(),
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return manager.Run(cmd.Context(), options)
		},
	}
	options.AddFlags(cmd.Flags())
	logging := flag.NewFlagSet("", flag.ContinueOnError)
	klog.InitFlags(logging)
	cmd.Flags().AddGoFlagSet(logging)
	return cmd
}
