package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/version"
)

func newVersion(s *Shell) *cobra.Command {
	var client bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of qy and of the cluster",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(s.Out, "qy: %s\n", version.String())
			if client {
				return nil
			}
			c, err := s.cluster()
			if err != nil {
				return err
			}
			server, err := c.kube.Discovery().ServerVersion()
			if err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "Kubernetes%s: %s\n", s.context(), server.GitVersion)
			return nil
		},
	}
	cmd.Flags().BoolVar(&client, "client", false, "only that of qy")
	return cmd
}
