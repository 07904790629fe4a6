package hub

import (
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// silence is how long an agent may be silent before it counts as unreachable. It renews its lease every ten seconds.
const silence = 40 * time.Second

// contacts keeps when each agent was last heard of, by the clock of this process: that of the agent may be wrong.
type contacts struct {
	mu   sync.Mutex
	last map[string]contact
}

type contact struct {
	version string    // of the lease
	at      time.Time // it was seen here
	last    time.Time // the agent was heard of, here or before
}

// heard is when an agent was last heard of, given its lease as it is now, and since when this process has seen no other. A
// process that has just begun gives it time; but what one before it called unreachable is so until it is heard of.
func (c *contacts) heard(agent *v1alpha1.Agent, lease *coordinationv1.Lease, now time.Time) (last, seen time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[string]contact{}
	}
	version := string(lease.UID)
	if lease.Spec.RenewTime != nil {
		version += lease.Spec.RenewTime.UTC().String()
	}
	is, known := c.last[agent.Name]
	if !known || is.version != version {
		is = contact{version, now, now}
		ready := meta.FindStatusCondition(agent.Status.Conditions, v1alpha1.ReadyCondition)
		if before := agent.Status.LastContact; !known && before != nil && ready != nil && ready.Reason == v1alpha1.ReasonUnreachable {
			is.last = before.Time
		}
		c.last[agent.Name] = is
	}
	return is.last, is.at
}

// outlook is how an agent stands to the hub.
type outlook struct {
	heard  time.Time // the last time; zero: never
	fenced bool      // the hub holds its lease
	left   remains   // of one that is being deleted
}

// condition says how an agent is.
func condition(agent *v1alpha1.Agent, is outlook, now time.Time) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionFalse, ObservedGeneration: agent.Generation, LastTransitionTime: metav1.NewTime(now)}
	heard, evict := is.heard, "qy agents evict "+agent.Name
	switch {
	case agent.Spec.State == v1alpha1.AgentEvicted && !is.fenced && now.Sub(heard) < silence:
		c.Reason = "Evicted"
		c.Message = fmt.Sprintf("it was evicted and is in contact: it is drained, and loses what it has if it is silent for %.0f s; open it if its cluster is there (qy agents open %s)", silence.Seconds(), agent.Name)
	case agent.Spec.State == v1alpha1.AgentEvicted && !is.fenced:
		c.Reason, c.Message = "Evicted", "it was evicted: what it had runs elsewhere as soon as the hub has its Lease"
	case agent.Spec.State == v1alpha1.AgentEvicted:
		c.Reason, c.Message = "Evicted", "it was evicted: what it had runs elsewhere; open it when its cluster is back (qy agents open "+agent.Name+")"
	case heard.IsZero():
		c.Reason, c.Message = v1alpha1.ReasonNotJoined, "it has not joined yet: qy agents join "+agent.Name+" says how"
	case now.Sub(heard) >= silence:
		c.Reason = v1alpha1.ReasonUnreachable
		c.Message = fmt.Sprintf("agent %s unreachable since %s: what it has goes on in its cluster", agent.Name, heard.UTC().Format(time.RFC3339))
		if !agent.DeletionTimestamp.IsZero() {
			c.Message += fmt.Sprintf("; it is deleted when it is back and has given back %s, or is evicted because its cluster is gone for good (%s)", is.left, evict)
		}
	case !agent.DeletionTimestamp.IsZero():
		c.Reason, c.Message = "Deleting", fmt.Sprintf("it gets no operations, and is deleted when it has given back %s", is.left)
	case agent.Spec.State == v1alpha1.AgentDraining:
		c.Reason, c.Message = "Draining", "it gets no operations: open it to change that (qy agents open "+agent.Name+")"
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, "Serving", "serves its queues in its cluster"
	}
	return c
}
