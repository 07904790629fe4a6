package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// silence is how long an agent must not have been heard of before it can be evicted, where its Lease does not say.
const silence = 40 * time.Second

// evict is the command line of 'qy agents evict'.
type evict struct {
	shell   *Shell
	yes     bool
	wait    bool
	timeout time.Duration
}

func newAgentsEvict(s *Shell) *cobra.Command {
	e := &evict{shell: s}
	cmd := &cobra.Command{
		Use:   "evict NAME",
		Short: "Say that the cluster of an agent is gone for good: what it had runs again elsewhere",
		Long: `Says that the cluster of an agent is gone for good. What the agent had and was not over runs again, here or wherever its queue is
served then, at once. So evict only when nothing can run in that cluster any more: what still ran there would run twice.

It is refused while the hub hears of the agent: drain that one, or stop it first. The hub takes the agent's Lease before anything
else, so an agent that comes back finds that it has nothing; if it is the faster one, it is drained instead.`,
		Args:              exactly("NAME"),
		ValidArgsFunction: s.completeNames(true, agentKind),
		RunE:              func(cmd *cobra.Command, args []string) error { return e.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().BoolVarP(&e.yes, "yes", "y", false, "nothing can run there any more: do not ask")
	cmd.Flags().BoolVar(&e.wait, "wait", true, "wait until nothing of the agent is left")
	cmd.Flags().DurationVar(&e.timeout, "timeout", 0, "how long to wait; 0: as long as it takes")
	return cmd
}

func (e *evict) run(ctx context.Context, name string) error {
	s := e.shell
	c, err := s.cluster()
	if err != nil {
		return err
	}
	a, err := c.remote(ctx, name, "can be evicted")
	if err != nil {
		return err
	}
	had, err := c.remains(ctx, name)
	if err != nil {
		return err
	}
	if a.Spec.State != v1alpha1.AgentEvicted {
		if err := e.outOfContact(a, had); err != nil {
			return err
		}
		if err := e.confirm(name, had); err != nil {
			return err
		}
		if err := edit(ctx, c, a, func() { a.Spec.State = v1alpha1.AgentEvicted }); err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "agent %s is evicted\n", name)
	} else {
		fmt.Fprintf(s.Out, "agent %s is evicted already\n", name)
	}
	if !e.wait {
		return nil
	}
	return e.follow(ctx, c, name, had)
}

// remains is what is left of an agent at the hub.
type remains struct {
	lease       *coordinationv1.Lease // nil: it never had one
	assignments []v1alpha1.Assignment
	joined      bool // its namespace exists
}

func (c *cluster) remains(ctx context.Context, agent string) (remains, error) {
	var r remains
	namespace := v1alpha1.AgentNamespace(agent)
	lease := &coordinationv1.Lease{}
	switch err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1alpha1.AgentLease}, lease); {
	case err == nil:
		r.lease = lease
	case !apierrors.IsNotFound(err):
		return r, err
	}
	list := &v1alpha1.AssignmentList{}
	if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return r, err
	}
	r.assignments, r.joined = list.Items, true
	if r.lease == nil { // the hub makes one, if it can
		err := c.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{})
		r.joined = !apierrors.IsNotFound(err)
	}
	return r, nil
}

func (r remains) fenced() bool {
	if r.lease == nil {
		return false
	}
	_, fenced := r.lease.Annotations[v1alpha1.FencedAnnotation]
	return fenced
}

// claimed counts what is the agent's, and how much of that has begun.
func (r remains) claimed() (all, begun int) {
	for i := range r.assignments {
		if !claimed(&r.assignments[i]) {
			continue
		}
		all++
		if o := r.assignments[i].Status.Operation; o != nil && o.StartTime != nil && !o.Phase.Final() {
			begun++
		}
	}
	return all, begun
}

// renewed is when the agent last renewed its Lease, and how long that is good.
func (r remains) renewed() (at time.Time, good time.Duration) {
	if r.lease == nil || r.lease.Spec.RenewTime == nil {
		return time.Time{}, silence
	}
	good = silence
	if n := r.lease.Spec.LeaseDurationSeconds; n != nil {
		good = time.Duration(*n) * time.Second
	}
	return r.lease.Spec.RenewTime.Time, good
}

// outOfContact refuses to evict an agent that the hub hears of. The times in a Lease are by the agent's clock, which may be wrong: they can
// say that it is there, and not that it is away.
func (e *evict) outOfContact(a *v1alpha1.Agent, had remains) error {
	if had.fenced() {
		return nil
	}
	heard, good := had.renewed()
	says := ""
	is := meta.FindStatusCondition(a.Status.Conditions, v1alpha1.ReadyCondition)
	switch quiet := e.shell.Now().Sub(heard); {
	case is == nil:
		return fmt.Errorf("nobody has said yet whether agent %q is in contact: does queueyard-controller run?", a.Name)
	case is.Reason != v1alpha1.ReasonUnreachable && is.Reason != v1alpha1.ReasonNotJoined:
		says = "is in contact"
		if last := a.Status.LastContact; last != nil {
			says = fmt.Sprintf("is in contact, last %s ago", e.shell.since(last.Time))
		}
	case !heard.IsZero() && quiet >= 0 && quiet < good:
		says = fmt.Sprintf("was in contact %s ago", e.shell.since(heard))
	default:
		return nil
	}
	return fmt.Errorf("agent %q %s, so what it has may run: qy agents drain %s gives it nothing more; to evict it stop it in its cluster, and wait %.0f s",
		a.Name, says, a.Name, good.Seconds())
}

// confirm says what will happen and asks for the agent's name.
func (e *evict) confirm(name string, had remains) error {
	s := e.shell
	all, begun := had.claimed()
	contact := "It was never in contact."
	if heard, _ := had.renewed(); !heard.IsZero() {
		contact = fmt.Sprintf("Last contact: %s ago.", s.since(heard))
	}
	fmt.Fprintf(s.ErrOut, "Agent %s has %s, of which %d had begun when it was last heard of. %s\n"+
		"They count as lost to the cluster and run again elsewhere at once, without using up a retry.\n"+
		"Whatever still runs in the cluster of the agent would run twice.\n", name, count(all, "operation", "operations"), begun, contact)
	if e.yes {
		return nil
	}
	if !s.Interactive {
		return fmt.Errorf("nobody is there to confirm that nothing can run in the cluster of agent %q any more: if that is so, add --yes", name)
	}
	fmt.Fprintf(s.ErrOut, "If nothing can run there any more, write the name of the agent: ")
	answer, err := bufio.NewReader(s.In).ReadString('\n')
	if err != nil || strings.TrimSpace(answer) != name {
		return fmt.Errorf("agent %q was not evicted: the answer was not its name", name)
	}
	return nil
}

// follow shows what is left until nothing is, and the agent can begin nothing.
func (e *evict) follow(ctx context.Context, c *cluster, name string, had remains) error {
	said := ""
	return poll(ctx, e.timeout, func() (bool, error) {
		left, err := c.remains(ctx, name)
		if err != nil {
			return false, err
		}
		line, done := progress(name, had, left)
		if line != said {
			fmt.Fprintln(e.shell.Out, line)
			said = line
		}
		return done, nil
	}, func() error {
		return outcome{codeUnfinished, fmt.Sprintf("after %s the eviction of agent %q is not over; qy agents evict %s goes on waiting", e.timeout, name, name)}
	})
}

// progress puts what is left of an evicted agent in words. What it had when it was evicted tells whether it has come back.
func progress(name string, had, left remains) (line string, done bool) {
	all, _ := left.claimed()
	has := fmt.Sprintf("%s left, of which %d claimed", count(len(left.assignments), "assignment", "assignments"), all)
	before, _ := had.renewed()
	now, _ := left.renewed()
	switch nothing := len(left.assignments) == 0; {
	case nothing && left.fenced():
		return "nothing of agent " + name + " is left, and its Lease is the hub's", true
	case nothing && !left.joined:
		return "nothing of agent " + name + " is left: it has not joined", true
	case left.fenced():
		return "its Lease is the hub's; " + has, false
	case !now.Equal(before):
		return fmt.Sprintf("the agent is back in contact and is drained instead; %s; qy agents open %s ends that", has, name), false
	default:
		return "waits until the hub has its Lease; " + has, false
	}
}
