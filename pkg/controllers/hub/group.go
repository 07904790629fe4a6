package hub

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// tellGroup writes how a queue of several agents is. Where one of them is in this cluster, its scheduler adds up and sets the
// conditions.
func (r *Reconciler) tellGroup(ctx context.Context, q *v1alpha1.Queue, now time.Time) error {
	before := q.DeepCopy()
	info := tenancy.InfoOf(q)
	remote := map[string]*v1alpha1.Agent{}
	var said []v1alpha1.QueueAgentStatus
	for _, name := range info.Agents {
		a, m := &v1alpha1.Agent{}, &v1alpha1.Mirror{}
		if err := r.client.Get(ctx, client.ObjectKey{Name: name}, a); client.IgnoreNotFound(err) != nil {
			return err
		} else if err != nil || !a.Spec.Remote {
			continue
		}
		remote[name] = a
		err := r.client.Get(ctx, client.ObjectKey{Namespace: v1alpha1.AgentNamespace(name), Name: "queue." + q.Name}, m)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		is := v1alpha1.QueueAgentStatus{Agent: name}
		if s := m.Status.Queue; s != nil {
			is.Pending, is.Admitted, is.Running, is.Usage = s.Pending, s.Admitted, s.Running, s.Usage
		}
		said = append(said, is)
	}
	q.Status.Agents = said
	if _, here := info.Here(func(name string) bool { return remote[name] != nil }); !here {
		q.Status.Pending, q.Status.Admitted, q.Status.Running, q.Status.Usage = 0, 0, 0, nil
		q.Status.AddAgents()
		q.Status.ObservedGeneration = q.Generation
		accepts(q, groupReady(q, remote, now), now)
	}
	return r.writeQueue(ctx, before, q)
}

// groupReady is ready if one of the agents is, and names those that are not.
func groupReady(q *v1alpha1.Queue, agents map[string]*v1alpha1.Agent, now time.Time) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionFalse, Reason: "NoAgent", ObservedGeneration: q.Generation, LastTransitionTime: metav1.NewTime(now)}
	var serving, others []string
	for _, name := range q.Spec.Agents {
		ready := meta.FindStatusCondition(agents[name].Status.Conditions, v1alpha1.ReadyCondition)
		switch {
		case ready == nil:
			others = append(others, "agent "+name+" has not joined yet")
		case ready.Status == metav1.ConditionTrue:
			serving = append(serving, name)
		default:
			others = append(others, fmt.Sprintf("agent %s: %s", name, ready.Message))
		}
	}
	switch {
	case len(serving) == 0:
		c.Message = "none of its agents gets operations: " + strings.Join(others, "; ")
		return c
	case q.Spec.State == v1alpha1.QueuePaused:
		c.Reason, c.Message = "Paused", "accepts operations and admits none: set spec.state to Open"
	default:
		c.Reason, c.Message = "Serving", strings.Join(append([]string{"admits what waits as room allows, in the clusters of agents " + strings.Join(serving, ", ")}, others...), "; ")
	}
	c.Status = metav1.ConditionTrue
	return c
}
