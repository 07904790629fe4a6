package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	visibility "github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
)

func newWhy(s *Shell) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "why NAME",
		Short: "Say why something waits: every gate before it, its place in the line, who holds the room",
		Long: `Says why an operation, workflow, Job or pod waits: every gate on its way in order, with numbers; its place in the line; who holds the
room that it lacks; and when it will probably start. Pods and Jobs are written pod/NAME and job/NAME where an operation has the name, too.`,
		Example: `  qy why train-1
  qy why job/nightly -o json`,
		Args:              exactly("NAME"),
		ValidArgsFunction: s.completeNames(true, whatWaits...),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.cluster()
			if err != nil {
				return err
			}
			o, err := c.resolve(cmd.Context(), args[0], whatWaits...)
			if err != nil {
				return err
			}
			x, err := c.queueyard.Explain(cmd.Context(), o)
			if err != nil {
				return err
			}
			return s.printReasons(x, format)
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "how to print: text, json, yaml")
	complete(cmd, "output", "text", "json", "yaml")
	return cmd
}

// whatWaits are all kinds that stand in queues.
var whatWaits = []kind{operationKind, workflowKind, jobKind, podKind}

// printReasons prints an explanation. What kept the limits from being told is among its notes.
func (s *Shell) printReasons(x *queueyard.Explanation, format string) error {
	switch err := x.Unanswered; {
	case errors.Is(err, queueyard.ErrNoLeader):
		x.Notes = append(x.Notes, "The limits can't be told: no scheduler of Queueyard leads.")
	case err != nil:
		x.Notes = append(x.Notes, "The limits can't be told: "+s.explain(err)+".")
	}
	if format == "text" {
		return s.reasonsText(x)
	}
	return s.printData(x, format)
}

// printData writes what is no object of the API as JSON or YAML.
func (s *Shell) printData(data any, format string) error {
	switch format {
	case "json":
		text, err := json.MarshalIndent(data, "", "    ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.Out, string(text))
		return err
	case "yaml":
		text, err := yaml.Marshal(data)
		if err != nil {
			return err
		}
		_, err = s.Out.Write(text)
		return err
	}
	return fmt.Errorf("-o %q: write text, json or yaml", format)
}

func (s *Shell) reasonsText(x *queueyard.Explanation) error {
	fmt.Fprintf(s.Out, "%s %s in namespace %s %s\n", x.Kind, x.Name, x.Namespace, x.Summary)
	for _, g := range x.Gates {
		mark, c := "✖", red
		if g.OK {
			mark, c = "✔", green
		}
		fmt.Fprintf(s.Out, "  %s %s\n", s.paint(c, mark), g.Text(s.clock))
	}
	if x.OperationsAbove > 0 {
		fmt.Fprintf(s.Out, "\n%s in queues of higher priority of agent %s.\n", count(int(x.OperationsAbove), "operation waits", "operations wait"), x.Agent)
	}
	if len(x.Children) > 0 {
		fmt.Fprintln(s.Out, "\nWhat waits in it:")
		t := &table{columns: columns("COUNT", "WHY", "FOR EXAMPLE", "MESSAGE")}
		for _, w := range x.Children {
			t.add(fmt.Sprint(w.Count), w.Reason, "op/"+w.Example, queueyard.OneLine(w.Message))
		}
		if err := t.indented(s, s.Out); err != nil {
			return err
		}
	}
	if err := s.holders(x.Holders); err != nil {
		return err
	}
	if e := x.EstimatedStart; e != nil {
		in := "now"
		if d := e.Time.Sub(s.Now()); d > 0 {
			in = "in " + lasting(d)
		}
		fmt.Fprintf(s.Out, "\nIt probably starts at %s, %s: %s.\n", s.clock(e.Time.Time), in, strings.TrimSuffix(e.Message, "."))
	}
	for _, note := range x.Notes {
		fmt.Fprintf(s.Out, "\n%s\n", note)
	}
	return nil
}

// holders shows who has the room that is lacking.
func (s *Shell) holders(h *visibility.Holders) error {
	if h == nil || h.Operations == 0 {
		return nil
	}
	what := fmt.Sprintf("%s %s", strings.ToLower(h.Limit.Kind), h.Limit.Name)
	if h.Limit.Resource != "" {
		what = h.Limit.Resource + " of " + what
	}
	fmt.Fprintf(s.Out, "\nThe room of %s is held by %s:\n", what, count(int(h.Operations), "operation", "operations"))
	t := &table{columns: columns("NAMESPACE", "KIND", "NAME", "QUEUE", "HOLDS", "PODS", "ENDS BY")}
	for i := range h.Items {
		x := &h.Items[i]
		ends := ""
		if x.EndsBy != nil {
			ends = s.clock(x.EndsBy.Time)
		}
		t.add(x.Namespace, x.Kind, x.Name, x.Queue, x.Amount.String(), fmt.Sprint(x.Pods), ends)
	}
	if len(t.rows) > 0 {
		if err := t.indented(s, s.Out); err != nil {
			return err
		}
	}
	if rest := int(h.Operations) - len(h.Items) - int(h.Hidden); rest > 0 {
		fmt.Fprintf(s.Out, "  and %d more\n", rest)
	}
	if h.Hidden > 0 {
		fmt.Fprintf(s.Out, "  and %d in namespaces that you may not see\n", h.Hidden)
	}
	return nil
}
