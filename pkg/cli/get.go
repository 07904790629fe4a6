package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
)

func newGet(s *Shell) *cobra.Command {
	out := s.newOutput()
	cmd := &cobra.Command{
		Use:               "get NAME...",
		Short:             "Show operations, workflows, Jobs and pods in queues: what they are, and what came of them",
		Args:              atLeastOne,
		ValidArgsFunction: s.completeNames(false, whatWaits...),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.cluster()
			if err != nil {
				return err
			}
			var found []client.Object
			for _, name := range args {
				o, err := c.resolve(cmd.Context(), name, whatWaits...)
				if err != nil {
					return err
				}
				found = append(found, o)
			}
			if _, own := out.own(); !own {
				return out.objects(found)
			}
			for i, o := range found {
				if i > 0 {
					fmt.Fprintln(s.Out)
				}
				if err := s.show(o); err != nil {
					return err
				}
			}
			return nil
		},
	}
	out.addFormat(cmd)
	return cmd
}

func atLeastOne(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return nil
	}
	return fmt.Errorf("%s takes the names of operations, workflows, Jobs or pods; qy list shows them", cmd.CommandPath())
}

// show describes what stands in a queue.
func (s *Shell) show(o client.Object) error {
	fmt.Fprintln(s.Out, s.standing(queueyard.TimelineOf(o, s.Now())))
	var f facts
	switch o := o.(type) {
	case *v1alpha1.Operation:
		f = s.operationFacts(o)
	case *v1alpha1.Workflow:
		f = s.workflowFacts(o)
	default:
		f = s.plainFacts(o)
	}
	f.add("Created", s.clock(o.GetCreationTimestamp().Time)+", "+s.since(o.GetCreationTimestamp().Time)+" ago")
	f.write(s)
	if w, is := o.(*v1alpha1.Workflow); is && len(w.Status.Problems) > 0 {
		fmt.Fprintln(s.Out, "\nProblems:")
		t := &table{columns: columns("NAME", "STATUS", "REASON", "MESSAGE")}
		for _, p := range w.Status.Problems {
			t.add(p.Name, statusCell(p.Status), p.Reason, queueyard.OneLine(p.Message))
		}
		return t.indented(s, s.Out)
	}
	return nil
}

func (s *Shell) operationFacts(o *v1alpha1.Operation) facts {
	var f facts
	st := &o.Status
	f.add("Why", queueyard.ProgressOf(o).LastMessage())
	f.add("Queue", firstOf(st.Queue, o.Spec.Queue))
	f.add("Priority", fmt.Sprint(st.Priority))
	f.add("Project", firstOf(st.Project, o.Spec.Project))
	f.add("Organization", st.Organization)
	f.add("Cost per hour", st.Cost)
	f.add("Workflow", parentOf(o))
	f.add("Component", o.Spec.Component)
	if agent := queueyard.AgentOf(o); agent != "" {
		f.add("Runs at", "agent "+agent+", as assignment "+st.Run.Name)
	} else if st.Run != nil {
		f.add("Runs as", fmt.Sprintf("%s %s in namespace %s", st.Run.Kind, st.Run.Name, st.Run.Namespace))
	}
	if st.Attempt > 0 {
		text := fmt.Sprintf("%d", st.Attempt)
		if o.Spec.Termination != nil && o.Spec.Termination.MaxRetries != nil {
			text += fmt.Sprintf("; %d of %s used", st.Retries, count(int(*o.Spec.Termination.MaxRetries), "retry", "retries"))
		}
		f.add("Attempt", text)
	}
	f.add("Asks for", resources(st.Requests))
	if o.Spec.DesiredState == v1alpha1.Stopped {
		f.add("Desired", string(v1alpha1.Stopped))
	}
	if st.ExitCode != nil {
		f.add("Exit code", fmt.Sprint(*st.ExitCode))
	}
	f.add("Params", values(o.Spec.Params))
	f.add("Outputs", values(st.Outputs))
	return f
}

func (s *Shell) workflowFacts(w *v1alpha1.Workflow) facts {
	var f facts
	f.add("Why", queueyard.ProgressOf(w).LastMessage())
	if c := queueyard.Hindrance(w); c != nil {
		f.add("Does not go on", c.Reason+": "+queueyard.OneLine(c.Message))
	}
	f.add("Queue", w.Spec.Queue)
	f.add("Project", w.Spec.Project)
	f.add("Workflow", parentOf(w))
	f.add("Concurrency", limit(w.Spec.Concurrency))
	f.add("Children", queueyard.ChildCounts(w.Status.Children))
	if b := w.Status.Best; b != nil {
		f.add("Best", fmt.Sprintf("%s with %s: %s", b.Name, b.Value, values(b.Params)))
	}
	if w.Spec.DesiredState == v1alpha1.Stopped {
		f.add("Desired", string(v1alpha1.Stopped))
	}
	f.add("Params", values(w.Spec.Params))
	f.add("Outputs", values(w.Status.Outputs))
	return f
}

// plainFacts are of a Job or pod that is in a queue by itself.
func (s *Shell) plainFacts(o client.Object) facts {
	var f facts
	e := entryOf(o)
	f.add("Why", firstOf(queueyard.OneLine(e.message), e.LastMessage()))
	f.add("Queue", e.queue)
	f.add("Project", e.project)
	switch o := o.(type) {
	case *batchv1.Job:
		f.add("Pods", fmt.Sprintf("%d active, %d succeeded, %d failed", o.Status.Active, o.Status.Succeeded, o.Status.Failed))
	case *corev1.Pod:
		f.add("Priority", fmt.Sprint(e.priority))
		f.add("Node", o.Spec.NodeName)
	}
	return f
}

// parentOf is the workflow that something is part of, with the step.
func parentOf(o client.Object) string {
	name, step := o.GetLabels()[v1alpha1.WorkflowLabel], o.GetLabels()[v1alpha1.StepLabel]
	if name != "" && step != "" {
		return name + ", step " + step
	}
	return name
}

// values in the order of their names, as JSON writes them.
func values(v v1alpha1.Values) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		text, err := json.Marshal(v[name])
		if err != nil {
			text = v[name].Raw
		}
		parts = append(parts, name+": "+string(text))
	}
	return strings.Join(parts, ", ")
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
