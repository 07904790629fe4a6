// Command queueyard-controller serves the webhooks of Queueyard and keeps its objects in order.
package main

import (
	"flag"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
	addLogFlags(cmd.Flags())
	return cmd
}

// addLogFlags adds those of klog's flags that matter to a process that logs to standard error.
func addLogFlags(flags *pflag.FlagSet) {
	all := flag.NewFlagSet("", flag.ContinueOnError)
	klog.InitFlags(all)
	for _, name := range []string{"v", "vmodule"} {
		flags.AddGoFlag(all.Lookup(name))
	}
}
