package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/supervisor"
)

// errNotRunning is the exit code of status for scripts; the table has said the rest.
var errNotRunning = errors.New("not all components run")

func downCommand(dir *string) *cobra.Command {
	var remove bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop the sandbox; its data stay unless --delete is given",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := sandbox.Open(*dir)
			if err != nil {
				return err
			}
			if err := s.Down(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "sandbox in %s is down\n", s.Dir())
			if !remove {
				return nil
			}
			if err := s.Delete(); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "deleted %s\n", s.Dir())
			return nil
		},
	}
	cmd.Flags().BoolVar(&remove, "delete", false, "also remove the directory with all data")
	return cmd
}

func statusCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the components; exits with 1 unless all run",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := sandbox.Open(*dir)
			if err != nil {
				return err
			}
			components, running, err := s.Status()
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
			fmt.Fprintln(table, "COMPONENT\tSTATE\tPID\tRESTARTS\tSINCE\tLAST EXIT")
			all := running
			for _, c := range components {
				fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", c.Name, c.State, orNone(c.PID), c.Restarts, since(c.Since), c.LastExit)
				all = all && c.State == supervisor.Running
			}
			if err := table.Flush(); err != nil {
				return err
			}
			if !all {
				cmd.SilenceErrors = true
				return errNotRunning
			}
			return nil
		},
	}
}

func kubeconfigCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the path of the administrator's kubeconfig",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := sandbox.Open(*dir)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), s.Kubeconfig())
			return nil
		},
	}
}

func logsCommand(dir *string) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs COMPONENT",
		Short: "Print the log of a component",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := sandbox.Open(*dir)
			if err != nil {
				return err
			}
			return s.Logs(cmd.Context(), args[0], follow, cmd.OutOrStdout())
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			s, err := sandbox.Open(*dir)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			names, err := s.LogNames()
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is added, until interrupted")
	return cmd
}

func orNone(pid int) string {
	if pid == 0 {
		return "-"
	}
	return fmt.Sprint(pid)
}

func since(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return duration.HumanDuration(time.Since(t))
}
