package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	visibility "github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
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
			r, err := s.reasons(cmd.Context(), c, o)
			if err != nil {
				return err
			}
			return s.writeReasons(r, format)
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "how to print: text, json, yaml")
	complete(cmd, "output", "text", "json", "yaml")
	return cmd
}

// whatWaits are all kinds that stand in queues.
var whatWaits = []kind{operationKind, workflowKind, jobKind, podKind}

// reasons are why something stands where it stands.
type reasons struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Summary says it in a sentence.
	Summary string `json:"summary"`
	// Gates in the order in which they are passed.
	Gates []gate `json:"gates,omitempty"`
	// Position from 1 among Waiting pods in the queue's line.
	Position        int32  `json:"position,omitempty"`
	Waiting         int32  `json:"waiting,omitempty"`
	OperationsAbove int32  `json:"operationsAbove,omitempty"`
	Agent           string `json:"agent,omitempty"`
	// Holders of the room of the limit that blocks.
	Holders        *visibility.Holders        `json:"holders,omitempty"`
	EstimatedStart *visibility.EstimatedStart `json:"estimatedStart,omitempty"`
	// Children of a workflow that wait, by reason.
	Children []waitingChildren `json:"children,omitempty"`
	// Notes say what could not be told.
	Notes []string `json:"notes,omitempty"`
}

// gate is something that has to be passed.
type gate struct {
	OK      bool   `json:"ok"`
	Message string `json:"message"`
}

func (r *reasons) passed(format string, args ...any) {
	r.Gates = append(r.Gates, gate{true, fmt.Sprintf(format, args...)})
}

func (r *reasons) closed(format string, args ...any) {
	r.Gates = append(r.Gates, gate{false, fmt.Sprintf(format, args...)})
}

func (s *Shell) reasons(ctx context.Context, c *cluster, o client.Object) (*reasons, error) {
	r := &reasons{Kind: kindOf(o).singular, Namespace: o.GetNamespace(), Name: o.GetName()}
	switch o := o.(type) {
	case *v1alpha1.Operation:
		s.whyOperation(ctx, c, r, o)
	case *v1alpha1.Workflow:
		if err := s.whyWorkflow(ctx, c, r, o); err != nil {
			return nil, err
		}
	case *batchv1.Job:
		if ptr.Deref(o.Spec.Suspend, false) {
			r.closed("spec.suspend of the Job is true, so it has no pods")
		}
		s.explained(ctx, c, r, "/namespaces/"+o.Namespace+"/operations/"+o.Name+"/explanation", "operationKind", "Job")
	case *corev1.Pod:
		s.whyPod(ctx, c, r, o)
	}
	return r, nil
}

func (s *Shell) whyPod(ctx context.Context, c *cluster, r *reasons, pod *corev1.Pod) {
	switch {
	case pod.Status.Phase == corev1.PodSucceeded, pod.Status.Phase == corev1.PodFailed:
		r.Summary = "is over: " + strings.ToLower(string(pod.Status.Phase))
		return
	case len(pod.Spec.SchedulingGates) > 0:
		for _, g := range pod.Spec.SchedulingGates {
			r.closed("scheduling gate %s is on the pod", g.Name)
		}
	}
	s.explained(ctx, c, r, "/namespaces/"+pod.Namespace+"/pods/"+pod.Name+"/explanation")
}

// explained adds what the scheduler says. It reports whether it said anything.
func (s *Shell) explained(ctx context.Context, c *cluster, r *reasons, path string, query ...string) bool {
	x, err := ask[visibility.Explanation](ctx, c, path, query...)
	switch {
	case unanswered(err):
		r.Notes = append(r.Notes, "The limits can't be told: no scheduler of Queueyard leads.")
	case apierrors.IsNotFound(err):
		r.Notes = append(r.Notes, sentence(err.Error()))
	case err != nil:
		r.Notes = append(r.Notes, "The limits can't be told: "+s.explain(err)+".")
	default:
		s.add(r, x)
		return true
	}
	if r.Summary == "" {
		r.Summary = "stands in no line"
	}
	return false
}

func sentence(text string) string {
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// add puts an explanation of the scheduler in words.
func (s *Shell) add(r *reasons, x *visibility.Explanation) {
	for i := range x.Checks {
		r.Gates = append(r.Gates, gate{x.Checks[i].OK, checkText(&x.Checks[i])})
	}
	for _, fact := range x.Facts {
		r.closed("%s", fact)
	}
	r.Position, r.Waiting, r.OperationsAbove, r.Agent = x.Position, x.Waiting, x.OperationsAbove, x.Agent
	r.Holders, r.EstimatedStart = x.Holders, x.EstimatedStart
	switch x.State {
	case visibility.Waiting:
		r.Summary = "waits in queue " + x.Queue
		if x.Position > 0 {
			r.Summary += fmt.Sprintf(", position %d of %d", x.Position, x.Waiting)
		}
		if x.Reason != "" {
			r.Summary += ": " + x.Reason
		}
	case visibility.BackingOff:
		r.closed("no node fits: %s", oneLine(x.Message))
		r.Summary = "has found no node and is tried again in queue " + x.Queue
	case visibility.Admitted:
		r.Summary = "is admitted by queue " + x.Queue + " and looks for a node"
	case visibility.Running:
		r.Summary = "does not wait: it is on a node, in queue " + x.Queue
	case visibility.Refused:
		r.closed("%s", x.Message)
		r.Summary = "may not have the queue that it names"
	case visibility.Held:
		r.Summary = "is held: " + x.Message
	}
}

// costResource is what cost is called among the resources of limits.
const costResource = "queueyard.io/cost"

// checkText is a limit with its numbers.
func checkText(k *visibility.Check) string {
	text := fmt.Sprintf("%s %s: ", strings.ToLower(k.Kind), k.Name)
	most := k.Limit.String()
	if k.Limit.Sign() < 0 {
		most = limit(nil)
	}
	switch k.Resource {
	case "":
		text += fmt.Sprintf("%s/%s operations running", k.Used.String(), most)
	case costResource:
		text += fmt.Sprintf("cost per hour %s/%s, needs %s", number(k.Used), most, number(k.Need))
	default:
		text += fmt.Sprintf("%s %s/%s, needs %s", k.Resource, k.Used.String(), most, k.Need.String())
	}
	if k.Held != nil {
		text += fmt.Sprintf("; %s held for what has waited too long", k.Held.String())
	}
	if k.Kept != nil {
		text += fmt.Sprintf("; %s kept for %s", k.Kept.String(), strings.Join(k.KeptFor, ", "))
	}
	return text
}

func (s *Shell) writeReasons(r *reasons, format string) error {
	switch format {
	case "json":
		text, err := json.MarshalIndent(r, "", "    ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.Out, string(text))
		return err
	case "yaml":
		text, err := yaml.Marshal(r)
		if err != nil {
			return err
		}
		_, err = s.Out.Write(text)
		return err
	case "text":
		return s.reasonsText(r)
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
			t.add(fmt.Sprint(w.Count), w.Reason, "op/"+w.Example, oneLine(w.Message))
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
