package cli

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
)

// collapsedFrom is how many siblings are one line of the tree, of which those that failed are shown below it, up to shownFailed.
const (
	collapsedFrom = 10
	shownFailed   = 10
)

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
			root := queueyard.TreeOf(below, s.Now())
			fmt.Fprintln(s.Out, s.leaf(root))
			s.branches(root, "", all)
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, fmt.Sprintf("every child; without it, %d siblings or more are one line, and below it those that failed", collapsedFrom))
	return cmd
}

// branch is a line of the tree and what is below it.
type branch struct {
	text  string
	below func(indent string)
}

func (s *Shell) draw(branches []branch, indent string) {
	for i, b := range branches {
		fork, next := "├── ", "│   "
		if i == len(branches)-1 {
			fork, next = "└── ", "    "
		}
		fmt.Fprintf(s.Out, "%s%s%s\n", indent, fork, b.text)
		if b.below != nil {
			b.below(indent + next)
		}
	}
}

// branches draws what is below a workflow, in the order of its places and attempts.
func (s *Shell) branches(of *queueyard.Node, indent string, all bool) {
	if all {
		s.draw(s.each(of.Children, all), indent)
		return
	}
	var lines []branch
	for _, g := range of.Groups {
		if g.Total < collapsedFrom {
			lines = append(lines, s.each(g.Nodes, all)...)
		} else {
			lines = append(lines, branch{groupName(g) + " " + g.String(), func(indent string) { s.failures(g, indent) }})
		}
	}
	s.draw(lines, indent)
}

func (s *Shell) each(nodes []*queueyard.Node, all bool) []branch {
	var lines []branch
	for _, n := range nodes {
		lines = append(lines, branch{s.leaf(n), func(indent string) { s.branches(n, indent, all) }})
	}
	return lines
}

// failures draws those of collapsed siblings that failed.
func (s *Shell) failures(g queueyard.Group, indent string) {
	failed := slices.DeleteFunc(slices.Clone(g.Nodes), func(n *queueyard.Node) bool {
		return n.Phase != v1alpha1.StatusFailed && n.Phase != v1alpha1.StatusUpstreamFailed
	})
	lines := s.each(failed[:min(len(failed), shownFailed)], false)
	if more := len(failed) - shownFailed; more > 0 {
		lines = append(lines, branch{text: fmt.Sprintf("%d more failed: --all shows them", more)})
	}
	s.draw(lines, indent)
}

func groupName(g queueyard.Group) string {
	if g.Suggests {
		return "suggestions"
	}
	return cmp.Or(g.Step, "trials")
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
