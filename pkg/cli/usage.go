package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/suggest"
)

// usageTemplate leaves the many flags that say which cluster is meant to 'qy options'.
const usageTemplate = `Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} [command]{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$root := .}}{{if not .Groups}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{range $group := .Groups}}

{{$group.Title}}{{range $root.Commands}}{{if and (eq .GroupID $group.ID) .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{if and .HasParent .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}

The cluster, the namespace and who asks are chosen as with kubectl: see "{{.Root.CommandPath}} options".
`

func newOptions() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "options",
		Short: "The flags that every command takes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), cmd.Root().PersistentFlags().FlagUsages())
			return err
		},
	}
	return cmd
}

// knownCommand refuses arguments of a command that has subcommands, and says which one may be meant.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(append(names, c.Name()), c.Aliases...)
		}
	}
	return fmt.Errorf("%s has no command %q%s: see %s --help", cmd.CommandPath(), args[0], suggest.DidYouMean(args[0], names), cmd.CommandPath())
}
