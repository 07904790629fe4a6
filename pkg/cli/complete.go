package cli

import (
	"slices"

	"github.com/spf13/cobra"
)

// completeNames offers the names of some kinds for the arguments of a command, each once; of one that takes a single name
// only for the first.
func (s *Shell) completeNames(single bool, kinds ...kind) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if single && len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := s.cluster()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, k := range kinds {
			names = append(names, c.names(cmd.Context(), k)...)
		}
		names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(args, n) })
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
