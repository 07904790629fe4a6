package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// queueFlags are the limits of a queue.
type queueFlags struct {
	limitFlags
	priority, guaranteed int32
	strategy, preemption string
}

func (f *queueFlags) addTo(cmd *cobra.Command) {
	f.limitFlags.addTo(cmd)
	flags := cmd.Flags()
	flags.Int32Var(&f.priority, "priority", v1alpha1.Unlimited, "level among the queues of the agent: larger goes first; -1 is the highest")
	flags.Int32Var(&f.guaranteed, "guaranteed", 0, "seats of the agent that are kept for the queue")
	flags.StringVar(&f.strategy, "strategy", "", "BestEffortFIFO (pass over what does not fit) or StrictFIFO (wait for the head)")
	flags.StringVar(&f.preemption, "preemption", "", "Never, or LowerPriority: take room from queues of lower priority")
	complete(cmd, "strategy", string(v1alpha1.BestEffortFIFO), string(v1alpha1.StrictFIFO))
	complete(cmd, "preemption", string(v1alpha1.PreemptNever), string(v1alpha1.PreemptLowerPriority))
}

var queueLimitNames = append([]string{"priority", "guaranteed", "strategy", "preemption"}, limitNames...)

func (f *queueFlags) set(spec *v1alpha1.QueueSpec) error {
	if f.changed("priority") {
		n := f.priority
		spec.Priority = &n
	}
	if f.changed("guaranteed") {
		spec.Guaranteed = f.guaranteed
	}
	if f.changed("strategy") {
		spec.Strategy = v1alpha1.QueueStrategy(f.strategy)
	}
	if f.changed("preemption") {
		spec.Preemption = v1alpha1.QueuePreemption(f.preemption)
	}
	return f.limitFlags.set(&spec.Concurrency, &spec.Quota)
}

func queueLimits(spec *v1alpha1.QueueSpec) facts {
	var f facts
	f.add("priority", level(spec.Priority))
	f.add("guaranteed", fmt.Sprint(spec.Guaranteed))
	f.add("strategy", string(spec.Strategy))
	f.add("preemption", string(spec.Preemption))
	return append(f, limitsOf(spec.Concurrency, spec.Quota)...)
}

func newQueuesCreate(s *Shell) *cobra.Command {
	var (
		limits  queueFlags
		agent   string
		agents  []string
		routing string
		dryRun  string
	)
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a queue",
		Example: `  qy queues create gpu --concurrency 8 --quota nvidia.com/gpu=16 --priority 10
  qy queues create night --agent gpu-east --budget 100/day --dry-run=client
  qy queues create any --agents gpu-east,gpu-west --concurrency 12`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: args[0]}, Spec: v1alpha1.QueueSpec{Agent: agent}}
			if q.Spec.Routing = v1alpha1.QueueRouting(routing); len(agents) > 0 {
				q.Spec.Agent, q.Spec.Agents = "", agents
			}
			if err := limits.set(&q.Spec); err != nil {
				return err
			}
			c, err := s.cluster()
			if err != nil {
				return err
			}
			if dryRun == "client" {
				if err := stamp(q); err != nil {
					return err
				}
				content, err := intent(q)
				if err != nil {
					return err
				}
				return printYAML(s.Out, content)
			} else if dryRun != "none" {
				return fmt.Errorf("--dry-run is %q: write none or client", dryRun)
			}
			for _, name := range tenancy.InfoOf(q).Agents {
				if err := c.find(cmd.Context(), agentKind, name, &v1alpha1.Agent{}); err != nil && !apierrors.IsForbidden(err) {
					fmt.Fprintf(s.ErrOut, "warning: %s; nothing is admitted before there is one\n", s.explain(err))
				}
			}
			err = c.Create(cmd.Context(), q, client.FieldOwner(fieldManager))
			if apierrors.IsAlreadyExists(err) {
				return fmt.Errorf("there is a queue %q already: qy queues edit-limits %s changes its limits", q.Name, q.Name)
			} else if err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "queue %s is created\n", q.Name)
			return nil
		},
	}
	limits.addTo(cmd)
	cmd.Flags().StringVar(&agent, "agent", v1alpha1.DefaultName, "agent that serves it")
	cmd.Flags().StringSliceVar(&agents, "agents", nil, "agents that serve it together, in order")
	cmd.Flags().StringVar(&routing, "routing", "", "which of --agents gets an operation: InOrder (the first with a free seat, the default) or MostFree")
	cmd.MarkFlagsMutuallyExclusive("agent", "agents")
	complete(cmd, "routing", string(v1alpha1.RouteInOrder), string(v1alpha1.RouteMostFree))
	cmd.Flags().StringVar(&dryRun, "dry-run", "none", "client: make nothing, and print what would be made")
	complete(cmd, "dry-run", "none", "client")
	return cmd
}

func newQueuesEditLimits(s *Shell) *cobra.Command {
	var limits queueFlags
	cmd := &cobra.Command{
		Use:   "edit-limits NAME",
		Short: "Change what a queue may hold, at once",
		Long: `Changes what a queue may hold. It takes effect at once: a higher limit admits more, a lower one stops nothing that runs and admits nothing
until there is room again.`,
		Example: `  qy queues edit-limits gpu --concurrency 16
  qy queues edit-limits gpu --quota nvidia.com/gpu=32 --quota cpu=none --budget none`,
		Args:              exactly("NAME"),
		ValidArgsFunction: s.completeNames(true, queueKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !given(cmd, queueLimitNames...) {
				return nothingGiven(cmd, queueLimitNames)
			}
			c, err := s.cluster()
			if err != nil {
				return err
			}
			q := &v1alpha1.Queue{}
			if err := c.find(cmd.Context(), queueKind, args[0], q); err != nil {
				return err
			}
			before, spec := queueLimits(&q.Spec), q.Spec.DeepCopy()
			if err := limits.set(spec); err != nil {
				return err
			}
			if err := edit(cmd.Context(), c, q, func() { q.Spec = *spec }); err != nil {
				return err
			}
			s.changed("queue", q.Name, difference(before, queueLimits(&q.Spec)))
			return nil
		},
	}
	limits.addTo(cmd)
	return cmd
}

func nothingGiven(cmd *cobra.Command, flags []string) error {
	return fmt.Errorf("nothing is to be changed: give --%s", strings.Join(flags, ", --"))
}

// changed says what a change came to.
func (s *Shell) changed(what, name, difference string) {
	if difference == "" {
		difference = "it was so already"
	}
	fmt.Fprintf(s.Out, "%s %s: %s\n", what, name, difference)
}

func newQueuesState(s *Shell, state v1alpha1.QueueState, use, short, means string) *cobra.Command {
	return &cobra.Command{
		Use:               use + " NAME...",
		Short:             short,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: s.completeNames(false, queueKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.cluster()
			if err != nil {
				return err
			}
			for _, name := range args {
				q := &v1alpha1.Queue{}
				if err := c.find(cmd.Context(), queueKind, name, q); err != nil {
					return err
				}
				if q.DeletionTimestamp != nil {
					return fmt.Errorf("queue %s is being deleted: it takes no new operations, admits what waits, and goes when nothing is left; create it anew then", name)
				}
				asBefore := ""
				if q.Spec.State == state {
					asBefore = " (as before)"
				}
				if err := edit(cmd.Context(), c, q, func() { q.Spec.State = state }); err != nil {
					return err
				}
				fmt.Fprintf(s.Out, "queue %s %s%s\n", name, means, asBefore)
			}
			return nil
		},
	}
}

func newQueuesDelete(s *Shell) *cobra.Command {
	return &cobra.Command{
		Use:               "delete NAME...",
		Short:             "Delete queues; each goes when nothing waits or runs in it any more",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: s.completeNames(false, queueKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.cluster()
			if err != nil {
				return err
			}
			for _, name := range args {
				q := &v1alpha1.Queue{}
				if err := c.find(cmd.Context(), queueKind, name, q); err != nil {
					return err
				}
				if err := c.Delete(cmd.Context(), q); err != nil {
					return err
				}
				if waiting := waitingIn(q); q.Status.Admitted+waiting > 0 {
					fmt.Fprintf(s.Out, "queue %s takes no new operations, and goes when its %d admitted and %d pending ones are over\n", name, q.Status.Admitted, waiting)
				} else {
					fmt.Fprintf(s.Out, "queue %s is deleted\n", name)
				}
			}
			return nil
		},
	}
}
