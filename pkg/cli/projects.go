package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func newProjects(s *Shell) *cobra.Command {
	k := &collection[*v1alpha1.Project]{
		kind: projectKind, new: func() *v1alpha1.Project { return &v1alpha1.Project{} },
		columns:   append(columns("NAME", "ORGANIZATION", "DEFAULT QUEUE", "RUNNING", "READY", "AGE"), wide("ALLOWED QUEUES", "NAMESPACES")...),
		row:       s.projectRow,
		describes: "Show a project: its queues, its limits, what is missing", describe: s.describeProject,
	}
	return k.command(s, "Whose operations they are: list, describe, set", []string{"project"}, newProjectsSet(s))
}

func (s *Shell) projectRow(p *v1alpha1.Project) []cell {
	return row(p.Name, p.Spec.Organization, p.Spec.DefaultQueue, of(p.Status.Admitted, p.Spec.Concurrency), condition(p.Status.Conditions, v1alpha1.ReadyCondition),
		s.since(p.CreationTimestamp.Time), strings.Join(p.Spec.AllowedQueues, ","), namespaces(p))
}

// namespaces that a project claims.
func namespaces(p *v1alpha1.Project) string {
	parts := p.Spec.Namespaces.Names
	if p.Spec.Namespaces.Selector != nil {
		parts = append(parts[:len(parts):len(parts)], "those with "+metav1.FormatLabelSelector(p.Spec.Namespaces.Selector))
	}
	return strings.Join(parts, ", ")
}

func (s *Shell) describeProject(_ context.Context, _ *cluster, p *v1alpha1.Project) error {
	var f facts
	f.add("Project", p.Name)
	f.add("Organization", orDash(p.Spec.Organization))
	f.add("Ready", s.conditionText(p.Status.Conditions, v1alpha1.ReadyCondition))
	f.add("Namespaces", orDash(namespaces(p)))
	f.add("Default queue", orDash(p.Spec.DefaultQueue))
	allowed := "all"
	if len(p.Spec.AllowedQueues) > 0 {
		allowed = strings.Join(p.Spec.AllowedQueues, ", ")
	}
	f.add("Allowed queues", allowed)
	f.add("Concurrency", limit(p.Spec.Concurrency))
	f.add("Operations", fmt.Sprintf("%d admitted in this cluster", p.Status.Admitted))
	f.write(s)
	return s.tenant(&p.Status, p.Spec.Quota)
}

func newProjectsSet(s *Shell) *cobra.Command {
	var (
		limits  limitFlags
		queue   string
		allowed []string
	)
	names := append([]string{"default-queue", "allowed-queues"}, limitNames...)
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change the default queue, the allowed queues and the limits of a project",
		Example: `  qy projects set vision --default-queue gpu --allowed-queues gpu,cpu-*
  qy projects set vision --allowed-queues ''        # all`,
		Args:              exactly("NAME"),
		ValidArgsFunction: s.completeNames(true, projectKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !given(cmd, names...) {
				return nothingGiven(cmd, names)
			}
			c, err := s.cluster()
			if err != nil {
				return err
			}
			p := &v1alpha1.Project{}
			if err := c.find(cmd.Context(), projectKind, args[0], p); err != nil {
				return err
			}
			before, spec := projectFacts(&p.Spec), p.Spec.DeepCopy()
			if cmd.Flags().Changed("default-queue") {
				spec.DefaultQueue = queue
				s.warnQueue(cmd.Context(), c, queue)
			}
			if cmd.Flags().Changed("allowed-queues") {
				spec.AllowedQueues = allowed
			}
			if err := limits.set(&spec.Concurrency, &spec.Quota); err != nil {
				return err
			}
			if err := edit(cmd.Context(), c, p, func() { p.Spec = *spec }); err != nil {
				return err
			}
			s.changed("project", p.Name, difference(before, projectFacts(&p.Spec)))
			return nil
		},
	}
	limits.addTo(cmd)
	cmd.Flags().StringVar(&queue, "default-queue", "", "queue of operations that name none; '' is the organization's")
	cmd.Flags().StringSliceVar(&allowed, "allowed-queues", nil, "names or globs of the queues it may use; '' allows all")
	s.completeQueues(cmd, "default-queue")
	return cmd
}

func projectFacts(spec *v1alpha1.ProjectSpec) facts {
	var f facts
	f.add("default queue", spec.DefaultQueue)
	f.add("allowed queues", strings.Join(spec.AllowedQueues, ","))
	return append(f, limitsOf(spec.Concurrency, spec.Quota)...)
}

// warnQueue says that a queue does not exist: for a default that is no error, as objects come in any order.
func (s *Shell) warnQueue(ctx context.Context, c *cluster, queue string) {
	if queue == "" {
		return
	}
	if err := c.find(ctx, queueKind, queue, &v1alpha1.Queue{}); err != nil {
		fmt.Fprintf(s.ErrOut, "warning: %s\n", s.explain(err))
	}
}

// completeQueues offers the names of queues for a flag.
func (s *Shell) completeQueues(cmd *cobra.Command, flag string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, s.completeNames(false, queueKind)); err != nil {
		panic(err) // the flag was added by the line above every call
	}
}
