package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/sandbox/layout"
	"github.com/queueyard/queueyard/pkg/sandbox/processnode"
	"github.com/queueyard/queueyard/pkg/sandbox/supervisor"
)

// The commands of this file are started by up and by the supervisor, not by people.

func superviseCommand(dir *string) *cobra.Command {
	return hidden("supervise", "Keep the components of a sandbox running", dir, supervisor.Run)
}

func processNodeCommand(dir *string) *cobra.Command {
	var options processnode.Options
	cmd := hidden("process-node", "Be a node that runs pods as local processes", dir,
		func(ctx context.Context, dir layout.Dir) error {
			options.Dir = dir
			return processnode.Run(ctx, options)
		})
	cmd.Flags().IntVar(&options.Port, "port", 0, "where the API server asks for logs, on the loopback address")
	cmd.Flags().StringVar(&options.WorkDir, "workdir", "", "working directory of pods")
	return cmd
}

func hidden(use, short string, dir *string, run func(context.Context, layout.Dir) error) *cobra.Command {
	return &cobra.Command{
		Use:    use,
		Short:  short,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := layout.New(*dir)
			if err != nil {
				return err
			}
			return run(cmd.Context(), at)
		},
	}
}
