package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
)

func upCommand(dir *string) *cobra.Command {
	options := sandbox.Options{Capacity: simulation.DefaultCapacity()}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the sandbox, or what is missing of it, and return when it is ready",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Dir = *dir
			start := time.Now()
			options.Progress = func(step string) {
				fmt.Fprintf(cmd.OutOrStdout(), "%6.1fs  %s\n", time.Since(start).Seconds(), step)
			}
			s, err := sandbox.Up(cmd.Context(), options)
			if err != nil {
				return err
			}
			options.Progress("sandbox is ready")
			fmt.Fprintf(cmd.OutOrStdout(), "\nexport KUBECONFIG=%s\n", s.Kubeconfig())
			return nil
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&options.SimulatedNodes, "simulated-nodes", sandbox.DefaultSimulatedNodes, "how many simulated nodes there should be at least")
	capacity := map[string]struct {
		value *resource.Quantity
		usage string
	}{
		"simulated-cpu":    {&options.Capacity.CPU, "processors of each new simulated node"},
		"simulated-memory": {&options.Capacity.Memory, "memory of each new simulated node"},
		"simulated-gpus":   {&options.Capacity.GPUs, "nvidia.com/gpu of each new simulated node"},
		"simulated-pods":   {&options.Capacity.Pods, "pods that fit on each new simulated node"},
	}
	for name, c := range capacity {
		flags.Func(name, fmt.Sprintf("%s (default %s)", c.usage, c.value), func(text string) (err error) {
			*c.value, err = resource.ParseQuantity(text)
			return err
		})
	}
	flags.IntVar(&options.Schedulers, "schedulers", 1, "how many replicas of the scheduler there should be at least; one of them leads")
	flags.BoolVar(&options.NoProcessNode, "no-process-node", false, "do without the node that runs pods as local processes")
	flags.BoolVar(&options.NoQueueyard, "no-queueyard", false, "only the cluster: without Queueyard's manifests, scheduler and controller")
	flags.StringVar(&options.Agent, "agent", "", "serve the queues of this agent of the hub that --hub-kubeconfig leads to")
	flags.StringVar(&options.HubKubeconfig, "hub-kubeconfig", "", "what qy agents join NAME -o kubeconfig prints at the hub")
	cmd.MarkFlagsRequiredTogether("agent", "hub-kubeconfig")
	flags.StringVar(&options.WorkDir, "workdir", "", "working directory of pods on the process node (default: the current one)")
	flags.StringVar(&options.BinDir, "bin-dir", "", "where the project's programs are (default: beside this one)")
	return cmd
}
