package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
)

// shownChildren is how many children of one workflow the tree shows that did what they should.
const shownChildren = 20

func newTree(s *Shell) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:               "tree WORKFLOW",
		Short:             "Show a workflow and all below it as a tree",
		Args:              exactly("WORKFLOW"),
		ValidArgsFunction: s.completeNames(true, workflowKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.cluster()
			if err != nil {
				return err
			}
			o, err := c.resolve(cmd.Context(), args[0], workflowKind)
			if err != nil {
				return err
			}
			below, err := c.queueyard.Below(cmd.Context(), o.(*v1alpha1.Workflow))
			if err != nil {
				return err
			}
			root := below.Tree(s.Now())
			fmt.Fprintln(s.Out, s.leaf(root))
			s.branches(root, "", all)
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, fmt.Sprintf("all children; without it, %d of each workflow that are done and did not fail", shownChildren))
	return cmd
}

// branches draws what is below a workflow, in the order of its places and attempts.
func (s *Shell) branches(of *queueyard.Node, indent string, all bool) {
	done, hidden := 0, 0
	var shown []*queueyard.Node
	for _, n := range of.Children() {
		if !all && (n.Phase == v1alpha1.StatusSucceeded || n.Phase == v1alpha1.StatusSkipped) {
			if done++; done > shownChildren {
				hidden++
				continue
			}
		}
		shown = append(shown, n)
	}
	for i, n := range shown {
		branch, below := "├── ", "│   "
		if i == len(shown)-1 && hidden == 0 {
			branch, below = "└── ", "    "
		}
		fmt.Fprintf(s.Out, "%s%s%s\n", indent, branch, s.leaf(n))
		s.branches(n, indent+below, all)
	}
	if hidden > 0 {
		fmt.Fprintf(s.Out, "%s└── %d more succeeded or were skipped: --all shows them\n", indent, hidden)
	}
}

// leaf is a line of the tree.
func (s *Shell) leaf(n *queueyard.Node) string {
	text := queueyard.Title(n.Object)
	if n.Step != "" {
		text += " (" + n.Step + ")"
	}
	text += "  " + s.paint(statusColour(n.Phase), orDash(string(n.Phase)))
	if n.Progress != "" {
		text += "  " + n.Progress
	}
	if spent := spent(n.Queued, n.Running); spent != "" {
		text += "  " + spent
	}
	switch n.Phase {
	case v1alpha1.StatusFailed, v1alpha1.StatusUpstreamFailed, v1alpha1.StatusWarning, v1alpha1.StatusSkipped, v1alpha1.StatusOnSchedule:
		text += "  " + n.Message
	}
	return text
}
