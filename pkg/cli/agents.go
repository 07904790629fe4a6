package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

func newAgents(s *Shell) *cobra.Command {
	k := &collection[*v1alpha1.Agent]{
		kind: agentKind, new: func() *v1alpha1.Agent { return &v1alpha1.Agent{} },
		columns: append(columns("NAME", "CLUSTER", "STATE", "READY", "CONTACT", "QUEUES", "RUNNING", "PENDING", "AGE"),
			wide("VERSION", "KUBERNETES", "NODES", "NAMESPACE")...),
		row:       s.agentRow,
		describes: "Show an agent: how it is, its queues, and what is in its cluster", describe: s.describeAgent,
	}
	return k.command(s, "Where queues are served: list, describe, join, drain, open, evict", []string{"agent"},
		newAgentsJoin(s), newAgentsDrain(s), newAgentsOpen(s), newAgentsEvict(s))
}

func (s *Shell) agentRow(a *v1alpha1.Agent) []cell {
	var version, kubernetes, nodes string
	if r := a.Status.Report; r != nil {
		version, kubernetes, nodes = r.Version, r.KubernetesVersion, fmt.Sprint(r.Nodes)
	}
	return row(a.Name, where(a), agentState(a), condition(a.Status.Conditions, v1alpha1.ReadyCondition), s.contact(a),
		fmt.Sprint(a.Status.Queues), of(a.Status.Admitted, a.Spec.Concurrency), fmt.Sprint(a.Status.Pending), s.since(a.CreationTimestamp.Time),
		version, kubernetes, nodes, a.Spec.Namespace)
}

func where(a *v1alpha1.Agent) string {
	if a.Spec.Remote {
		return "remote"
	}
	return "this"
}

func agentState(a *v1alpha1.Agent) cell {
	if !a.DeletionTimestamp.IsZero() {
		return cell{"Deleting", red}
	}
	switch a.Spec.State {
	case "", v1alpha1.AgentOpen:
		return cell{string(v1alpha1.AgentOpen), plain}
	case v1alpha1.AgentDraining:
		return cell{string(a.Spec.State), yellow}
	}
	return cell{string(a.Spec.State), red}
}

// contact is how long ago a remote agent was heard of.
func (s *Shell) contact(a *v1alpha1.Agent) string {
	switch {
	case !a.Spec.Remote:
		return ""
	case a.Status.LastContact == nil:
		return "never"
	}
	return s.since(a.Status.LastContact.Time) + " ago"
}

func (s *Shell) describeAgent(ctx context.Context, c *cluster, a *v1alpha1.Agent) error {
	queues := &v1alpha1.QueueList{}
	if err := c.List(ctx, queues); err != nil {
		return err
	}
	byName(queues.Items)
	s.agentFacts(a).write(s)
	if len(a.Status.Levels) > 0 {
		fmt.Fprintln(s.Out, "\nPriority levels:")
		t := &table{columns: columns("PRIORITY", "SEATS", "DEMAND", "USED")}
		for _, l := range a.Status.Levels {
			t.add(level(&l.Priority), fmt.Sprint(l.Seats), fmt.Sprint(l.Demand), fmt.Sprint(l.Used))
		}
		if err := t.indented(s, s.Out); err != nil {
			return err
		}
	}
	t := &table{columns: columns("NAME", "PRIORITY", "RUNNING", "PENDING", "STATE")}
	for i := range queues.Items {
		if q := &queues.Items[i]; tenancy.InfoOf(q).Serves(a.Name) {
			t.add(q.Name, level(q.Spec.Priority), of(q.Status.Admitted, q.Spec.Concurrency), fmt.Sprint(q.Status.Pending), queueState(q))
		}
	}
	if len(t.rows) == 0 {
		fmt.Fprintln(s.Out, "\nNo queue names it.")
	} else {
		fmt.Fprintln(s.Out, "\nQueues:")
		if err := t.indented(s, s.Out); err != nil {
			return err
		}
	}
	if !a.Spec.Remote {
		return nil
	}
	return s.describeAssignments(ctx, c, a)
}

func (s *Shell) agentFacts(a *v1alpha1.Agent) facts {
	var f facts
	f.add("Agent", a.Name)
	if a.Spec.Remote {
		f.add("Cluster", "another one; at the hub namespace "+v1alpha1.AgentNamespace(a.Name)+" is its own")
		state := agentState(a)
		text := s.paint(state.colour, state.text)
		if a.Status.Fenced {
			text += ", and it does nothing: the hub holds its Lease"
		}
		f.add("State", text)
		f.add("Last contact", s.contact(a))
	} else {
		f.add("Cluster", "this one")
	}
	f.add("Ready", s.conditionText(a.Status.Conditions, v1alpha1.ReadyCondition))
	f.add("Pods run in", a.Spec.Namespace)
	f.add("Concurrency", limit(a.Spec.Concurrency))
	f.add("Operations", fmt.Sprintf("%d admitted, %d pending", a.Status.Admitted, a.Status.Pending))
	f.add("Prices per hour", amounts(a.Spec.Prices))
	if r := a.Status.Report; r != nil {
		f.add("Version", r.Version+", Kubernetes "+r.KubernetesVersion)
		f.add("Nodes", fmt.Sprintf("%d ready: %s", r.Nodes, resources(r.Allocatable)))
		f.add("It says", fmt.Sprintf("%d admitted, %d pending", r.Admitted, r.Pending))
	}
	return f
}

// describeAssignments shows what the hub has given to an agent.
func (s *Shell) describeAssignments(ctx context.Context, c *cluster, a *v1alpha1.Agent) error {
	list := &v1alpha1.AssignmentList{}
	if err := c.List(ctx, list, client.InNamespace(v1alpha1.AgentNamespace(a.Name))); err != nil {
		fmt.Fprintf(s.Out, "\nWhat it was given is not to be seen: %s\n", s.explain(err))
		return nil
	}
	if len(list.Items) == 0 {
		fmt.Fprintln(s.Out, "\nNothing is assigned to it.")
		return nil
	}
	byName(list.Items)
	fmt.Fprintln(s.Out, "\nAssigned to it:")
	t := &table{columns: columns("OPERATION", "ASSIGNMENT", "CLAIMED", "STATUS", "AGE")}
	for i := range list.Items {
		x := &list.Items[i]
		status := cell{}
		if o := x.Status.Operation; o != nil {
			status = statusCell(o.Phase)
		}
		t.add(x.Spec.Origin.Namespace+"/"+x.Spec.Origin.Name, x.Name, yesNo(claimed(x)), status, s.since(x.CreationTimestamp.Time))
	}
	return t.indented(s, s.Out)
}

// claimed: it may run in the agent's cluster, and nowhere else.
func claimed(x *v1alpha1.Assignment) bool {
	return controllerutil.ContainsFinalizer(x, v1alpha1.AgentFinalizer)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// exactly wants one argument for each name.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return fmt.Errorf("%s takes %s, and got %s: see %s --help", cmd.CommandPath(), strings.Join(names, " "), count(len(args), "argument", "arguments"), cmd.CommandPath())
	}
}

// remote finds an agent of another cluster.
func (c *cluster) remote(ctx context.Context, name, remedy string) (*v1alpha1.Agent, error) {
	a := &v1alpha1.Agent{}
	if err := c.find(ctx, agentKind, name, a); err != nil {
		return nil, err
	}
	if !a.Spec.Remote {
		return nil, fmt.Errorf("agent %q is of this cluster, and only one of another cluster %s: %s", name, remedy, "qy queues pause or qy queues drain its queues instead")
	}
	return a, nil
}

func ready(a *v1alpha1.Agent) bool {
	return meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ReadyCondition)
}
