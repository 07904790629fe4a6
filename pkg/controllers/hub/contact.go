package hub

import (
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
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
	version string // of the lease
	at      time.Time
}

// heard is when an agent was last heard of, given its lease as it is now. A process that has just begun gives it time.
func (c *contacts) heard(agent string, lease *coordinationv1.Lease, now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[string]contact{}
	}
	version := string(lease.UID)
	if lease.Spec.RenewTime != nil {
		version += lease.Spec.RenewTime.UTC().String()
	}
	if c.last[agent].version != version {
		c.last[agent] = contact{version, now}
	}
	return c.last[agent].at
}

// condition says how an agent is, of which this was heard last; zero: nothing ever.
func condition(agent *v1alpha1.Agent, heard, now time.Time) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionFalse, ObservedGeneration: agent.Generation, LastTransitionTime: metav1.NewTime(now)}
	switch {
	case agent.Spec.State == v1alpha1.AgentEvicted:
		c.Reason, c.Message = "Evicted", "it was evicted: what it had runs elsewhere; open it when its cluster is back (qy agents open "+agent.Name+")"
	case heard.IsZero():
		c.Reason, c.Message = "NotJoined", "it has not joined yet: qy agents join "+agent.Name+" says how"
	case now.Sub(heard) >= silence:
		c.Reason = v1alpha1.ReasonUnreachable
		c.Message = fmt.Sprintf("agent %s unreachable since %s: what it has goes on in its cluster", agent.Name, heard.UTC().Format(time.RFC3339))
	case agent.Spec.State == v1alpha1.AgentDraining:
		c.Reason, c.Message = "Draining", "it gets no operations: open it to change that (qy agents open "+agent.Name+")"
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, "Serving", "serves its queues in its cluster"
	}
	return c
}
