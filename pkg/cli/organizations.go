package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func newOrganizations(s *Shell) *cobra.Command {
	k := &collection[*v1alpha1.Organization]{
		kind: organizationKind, new: func() *v1alpha1.Organization { return &v1alpha1.Organization{} },
		columns:   columns("NAME", "DEFAULT QUEUE", "RUNNING", "READY", "AGE"),
		row:       s.organizationRow,
		describes: "Show an organization: its projects, its limits, what is missing", describe: s.describeOrganization,
	}
	return k.command(s, "What projects share: list, describe, set", []string{"org", "organizations", "organization"}, newOrganizationsSet(s))
}

func (s *Shell) organizationRow(o *v1alpha1.Organization) []cell {
	return row(o.Name, o.Spec.DefaultQueue, of(o.Status.Admitted, o.Spec.Concurrency), condition(o.Status.Conditions, v1alpha1.ReadyCondition), s.since(o.CreationTimestamp.Time))
}

func (s *Shell) describeOrganization(ctx context.Context, c *cluster, o *v1alpha1.Organization) error {
	projects := &v1alpha1.ProjectList{}
	if err := c.List(ctx, projects); err != nil {
		return err
	}
	var f facts
	f.add("Organization", o.Name)
	f.add("Ready", s.conditionText(o.Status.Conditions, v1alpha1.ReadyCondition))
	f.add("Default queue", orDash(o.Spec.DefaultQueue))
	f.add("Concurrency", limit(o.Spec.Concurrency))
	f.add("Projects", orDash(projectsOf(o.Name, projects.Items)))
	f.add("Operations", fmt.Sprintf("%d admitted in this cluster", o.Status.Admitted))
	f.write(s)
	return s.tenant(&o.Status, o.Spec.Quota)
}

func projectsOf(organization string, projects []v1alpha1.Project) string {
	byName(projects)
	text := ""
	for i := range projects {
		if projects[i].Spec.Organization != organization {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += projects[i].Name
	}
	return text
}

func newOrganizationsSet(s *Shell) *cobra.Command {
	var (
		limits limitFlags
		queue  string
	)
	names := append([]string{"default-queue"}, limitNames...)
	cmd := &cobra.Command{
		Use:               "set NAME",
		Short:             "Change the default queue and the limits of an organization",
		Example:           `  qy orgs set acme --default-queue shared --concurrency 100`,
		Args:              exactly("NAME"),
		ValidArgsFunction: s.completeNames(true, organizationKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !given(cmd, names...) {
				return nothingGiven(cmd, names)
			}
			c, err := s.cluster()
			if err != nil {
				return err
			}
			o := &v1alpha1.Organization{}
			if err := c.find(cmd.Context(), organizationKind, args[0], o); err != nil {
				return err
			}
			before, spec := organizationFacts(&o.Spec), o.Spec.DeepCopy()
			if cmd.Flags().Changed("default-queue") {
				spec.DefaultQueue = queue
				s.warnQueue(cmd.Context(), c, queue)
			}
			if err := limits.set(&spec.Concurrency, &spec.Quota); err != nil {
				return err
			}
			if err := edit(cmd.Context(), c, o, func() { o.Spec = *spec }); err != nil {
				return err
			}
			s.changed("organization", o.Name, difference(before, organizationFacts(&o.Spec)))
			return nil
		},
	}
	limits.addTo(cmd)
	cmd.Flags().StringVar(&queue, "default-queue", "", "queue of operations that name none and whose project sets none; '' is the cluster's")
	s.completeQueues(cmd, "default-queue")
	return cmd
}

func organizationFacts(spec *v1alpha1.OrganizationSpec) facts {
	var f facts
	f.add("default queue", spec.DefaultQueue)
	return append(f, limitsOf(spec.Concurrency, spec.Quota)...)
}
