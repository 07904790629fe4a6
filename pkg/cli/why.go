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
			return s.writeReasons(s.reasonsOf(x), format)
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "how to print: text, json, yaml")
	complete(cmd, "output", "text", "json", "yaml")
	return cmd
}

// whatWaits are all kinds that stand in queues.
var whatWaits = []kind{operationKind, workflowKind, jobKind, podKind}

// reasons are an explanation in the words that are printed.
type reasons struct {
	Kind            string                      `json:"kind"`
	Namespace       string                      `json:"namespace"`
	Name            string                      `json:"name"`
	Summary         string                      `json:"summary"`
	Gates           []gate                      `json:"gates,omitempty"`
	Position        int32                       `json:"position,omitempty"`
	Waiting         int32                       `json:"waiting,omitempty"`
	OperationsAbove int32                       `json:"operationsAbove,omitempty"`
	Agent           string                      `json:"agent,omitempty"`
	Holders         *visibility.Holders         `json:"holders,omitempty"`
	EstimatedStart  *visibility.EstimatedStart  `json:"estimatedStart,omitempty"`
	Children        []queueyard.WaitingChildren `json:"children,omitempty"`
	Notes           []string                    `json:"notes,omitempty"`
}

// gate is something that has to be passed.
type gate struct {
	OK      bool   `json:"ok"`
	Message string `json:"message"`
}

func (s *Shell) reasonsOf(x *queueyard.Explanation) *reasons {
	r := &reasons{
		Kind: x.Kind, Namespace: x.Namespace, Name: x.Name, Summary: x.Summary, Position: x.Position, Waiting: x.Waiting,
		OperationsAbove: x.OperationsAbove, Agent: x.Agent, Holders: x.Holders, EstimatedStart: x.EstimatedStart, Children: x.Children, Notes: x.Notes,
	}
	for _, g := range x.Gates {
		r.Gates = append(r.Gates, gate{g.OK, g.Text(s.clock)})
	}
	switch err := x.Unanswered; {
	case errors.Is(err, queueyard.ErrNoLeader):
		r.Notes = append(r.Notes, "The limits can't be told: no scheduler of Queueyard leads.")
	case err != nil:
		r.Notes = append(r.Notes, "The limits can't be told: "+s.explain(err)+".")
	}
	return r
}

func (s *Shell) writeReasons(r *reasons, format string) error {
	if format == "text" {
		return s.reasonsText(r)
	}
	return s.printData(r, format)
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

func (s *Shell) reasonsText(r *reasons) error {
	fmt.Fprintf(s.Out, "%s %s in namespace %s %s\n", r.Kind, r.Name, r.Namespace, r.Summary)
	for _, g := range r.Gates {
		mark, c := "✖", red
		if g.OK {
			mark, c = "✔", green
		}
		fmt.Fprintf(s.Out, "  %s %s\n", s.paint(c, mark), g.Message)
	}
	if r.OperationsAbove > 0 {
		fmt.Fprintf(s.Out, "\n%s in queues of higher priority of agent %s.\n", count(int(r.OperationsAbove), "operation waits", "operations wait"), r.Agent)
	}
	if len(r.Children) > 0 {
		fmt.Fprintln(s.Out, "\nWhat waits in it:")
		t := &table{columns: columns("COUNT", "WHY", "FOR EXAMPLE", "MESSAGE")}
		for _, w := range r.Children {
			t.add(fmt.Sprint(w.Count), w.Reason, "op/"+w.Example, queueyard.OneLine(w.Message))
		}
		if err := t.indented(s, s.Out); err != nil {
			return err
		}
	}
	if err := s.holders(r.Holders); err != nil {
		return err
	}
	if e := r.EstimatedStart; e != nil {
		in := "now"
		if d := e.Time.Sub(s.Now()); d > 0 {
			in = "in " + lasting(d)
		}
		fmt.Fprintf(s.Out, "\nIt probably starts at %s, %s: %s.\n", s.clock(e.Time.Time), in, strings.TrimSuffix(e.Message, "."))
	}
	for _, note := range r.Notes {
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
