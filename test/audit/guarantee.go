package audit

import (
	"cmp"
	"slices"
	"time"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// guarantees divides an agent's seats among the queues that are guaranteed some: higher levels first,
// then by name, to none more than its own concurrency. An agent without a limit keeps nothing.
func (a *Auditor) guarantees(agent string) map[string]int64 {
	guaranteed := a.world.guaranteed[agent]
	limit, bounded := a.node(nodeKey{agentKind, agent}).history.current()[operations]
	if len(guaranteed) == 0 || !bounded {
		return nil
	}
	left, out := limit.Value(), map[string]int64{}
	for _, q := range guaranteed {
		seats := min(int64(q.Spec.Guaranteed), left)
		if own := q.Spec.Concurrency; own != nil && *own >= 0 {
			seats = min(seats, int64(*own))
		}
		out[q.Name] = seats
		left -= seats
	}
	return out
}

// kept is how many seats of an agent are kept for the queues that are guaranteed them, all but one
// queue: what an operation holds without a node yet is counted as kept.
func (a *Auditor) kept(agent, but string) int64 {
	kept := int64(0)
	for name, seats := range a.guarantees(agent) {
		if name != but {
			kept += max(0, seats-a.held(name))
		}
	}
	return kept
}

// held is how many operations of a queue have a pod on a node.
func (a *Auditor) held(queue string) int64 {
	return int64(len(a.node(nodeKey{queueKind, queue}).ops))
}

// redivided notes that the guarantees of an agent may have changed.
func (a *Auditor) redivided(now time.Time, old, q *v1alpha1.Queue) {
	for _, changed := range []*v1alpha1.Queue{old, q} {
		if changed != nil && changed.Spec.Guaranteed > 0 {
			a.divided[a.world.agent(changed)] = now
		}
	}
	clear(a.world.guaranteed)
	for _, q := range a.world.queues {
		if q.Spec.Guaranteed > 0 {
			a.world.guaranteed[a.world.agent(q)] = append(a.world.guaranteed[a.world.agent(q)], q)
		}
	}
	for _, queues := range a.world.guaranteed {
		slices.SortFunc(queues, func(x, y *v1alpha1.Queue) int {
			return cmp.Or(cmp.Compare(level(y), level(x)), cmp.Compare(x.Name, y.Name))
		})
	}
}

// suspectKept notes an operation that took a seat of its agent which is kept for another queue.
func (a *Auditor) suspectKept(now time.Time, r *podRecord) {
	q := a.world.queues[r.queue]
	if q == nil || now.Sub(a.divided[a.world.agent(q)]) <= a.config.OrderGrace {
		return
	}
	kept := a.kept(a.world.agent(q), r.queue)
	if kept == 0 || a.held(r.queue) <= a.guarantees(a.world.agent(q))[r.queue] {
		return
	}
	agent := nodeKey{agentKind, a.world.agent(q)}
	a.suspect(now, r, agent, operations, a.node(agent).seatsWith(int(kept)), KeptSeat,
		"took a seat of "+agent.String()+" that is kept for another queue")
}
