package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
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
			root := o.(*v1alpha1.Workflow)
			below, err := c.below(cmd.Context(), root)
			if err != nil {
				return err
			}
			fmt.Fprintln(s.Out, s.leaf(root))
			s.branches(below, root, "", all)
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, fmt.Sprintf("all children; without it, %d of each workflow that are done and did not fail", shownChildren))
	return cmd
}

// branches draws what is below a workflow, in the order of its places and attempts.
func (s *Shell) branches(f *family, of *v1alpha1.Workflow, indent string, all bool) {
	children := slices.Clone(f.children[string(of.UID)])
	slices.SortStableFunc(children, func(a, b client.Object) int {
		return cmp.Or(cmp.Compare(labelled(a, v1alpha1.IndexLabel), labelled(b, v1alpha1.IndexLabel)),
			cmp.Compare(labelled(a, v1alpha1.WorkflowAttemptLabel), labelled(b, v1alpha1.WorkflowAttemptLabel)), cmp.Compare(a.GetName(), b.GetName()))
	})
	done, hidden := 0, 0
	shown := children[:0]
	for _, o := range children {
		if phase := progressOf(o).phase; !all && (phase == v1alpha1.StatusSucceeded || phase == v1alpha1.StatusSkipped) {
			if done++; done > shownChildren {
				hidden++
				continue
			}
		}
		shown = append(shown, o)
	}
	for i, o := range shown {
		branch, below := "├── ", "│   "
		if i == len(shown)-1 && hidden == 0 {
			branch, below = "└── ", "    "
		}
		fmt.Fprintf(s.Out, "%s%s%s\n", indent, branch, s.leaf(o))
		if w, is := o.(*v1alpha1.Workflow); is {
			s.branches(f, w, indent+below, all)
		}
	}
	if hidden > 0 {
		fmt.Fprintf(s.Out, "%s└── %d more succeeded or were skipped: --all shows them\n", indent, hidden)
	}
}

// labelled is a number in a label; those without are the last.
func labelled(o client.Object, key string) int {
	n, err := strconv.Atoi(o.GetLabels()[key])
	if err != nil {
		return 1 << 30
	}
	return n
}

// leaf is a line of the tree.
func (s *Shell) leaf(o client.Object) string {
	p := progressOf(o)
	text := title(o)
	if step := o.GetLabels()[v1alpha1.StepLabel]; step != "" {
		text += " (" + step + ")"
	}
	text += "  " + s.paint(statusColour(p.phase), orDash(string(p.phase)))
	if w, is := o.(*v1alpha1.Workflow); is && w.Status.Progress != "" {
		text += "  " + w.Status.Progress
	}
	if spent := spentOf(o, s.Now()); spent != "" {
		text += "  " + spent
	}
	switch p.phase {
	case v1alpha1.StatusFailed, v1alpha1.StatusUpstreamFailed, v1alpha1.StatusWarning, v1alpha1.StatusSkipped, v1alpha1.StatusOnSchedule:
		text += "  " + lastMessage(p)
	}
	return text
}
