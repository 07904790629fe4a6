package ledger

import (
	"cmp"
	"math"
	"slices"
)

// QueueStats is operations by where they stand, and what the pods that hold room ask for together.
// An operation that holds a seat is Admitted, and Running when one of its pods runs; else it is
// Pending when one of its pods waits, and Suspended when all of them are in back-off.
type QueueStats struct {
	Pending, Suspended, Admitted, Running int
	// Oldest is when the oldest pod of the pending and suspended operations was created; 0 if there are none.
	Oldest int64
	Usage  map[string]int64
}

// AgentStats is the sum over the queues of an agent, and its priority levels from the top.
type AgentStats struct {
	Queues int
	QueueStats
	Levels []LevelStats
}

// LevelStats is the seats of one priority level of an agent.
type LevelStats struct {
	Level int64
	// Seats is what the level may hold of the agent's concurrency: what it demands, as far as higher
	// levels and the guarantees of lower ones leave it.
	Seats int64
	// Demand is what its queues hold and what waits in them, as far as their own concurrency, state and
	// budget let it go.
	Demand int64
	// Used is what its queues hold. It is above Seats while what runs drains.
	Used int64
}

// Queues yields the names of the queues that exist, in no order.
func (l *Ledger) Queues(yield func(name string) bool) {
	for name, q := range l.queues {
		if q.exists && !yield(name) {
			return
		}
	}
}

// Agents yields the names of the agents that exist, in no order.
func (l *Ledger) Agents(yield func(name string) bool) {
	for name, a := range l.agents {
		if a.exists && !yield(name) {
			return
		}
	}
}

// QueueStats counts a queue that exists or that pods name.
func (l *Ledger) QueueStats(name string) (QueueStats, bool) {
	q := l.queues[name]
	if q == nil {
		return QueueStats{}, false
	}
	stats := QueueStats{Usage: l.resources(&q.limitNode), Oldest: q.oldest()}
	stats.add(q.counts)
	return stats, true
}

// Counts is the operations of a queue that wait and that hold a seat: of QueueStats what is asked for
// often.
func (l *Ledger) Counts(queue string) (pending, admitted int) {
	if q := l.queues[queue]; q != nil {
		return q.counts.pending, q.counts.admitted
	}
	return 0, 0
}

func (s *QueueStats) add(c counts) {
	s.Pending += c.pending
	s.Suspended += c.suspended
	s.Admitted += c.admitted
	s.Running += c.running
}

// AgentStats counts an agent that exists or that queues name.
func (l *Ledger) AgentStats(name string) (AgentStats, bool) {
	a := l.agents[name]
	if a == nil {
		return AgentStats{}, false
	}
	stats := AgentStats{QueueStats: QueueStats{Usage: l.resources(&a.limitNode)}}
	for q := range a.queues {
		stats.add(q.counts)
		if oldest := q.oldest(); oldest != 0 && (stats.Oldest == 0 || oldest < stats.Oldest) {
			stats.Oldest = oldest
		}
		if q.exists {
			stats.Queues++
		}
	}
	stats.Levels = a.levelStats()
	return stats, true
}

// levelStats divides the seats of an agent among its levels as admission does: what a queue is guaranteed
// is its own, the rest goes to the levels from the top.
func (a *agent) levelStats() []LevelStats {
	left := int64(math.MaxInt64)
	if bound := a.bound(seats); bound >= 0 {
		left = bound
	}
	more := map[int64]int64{} // what each level demands above its guarantees
	at := map[int64]int{}
	var levels []LevelStats
	for q := range a.queues {
		if !q.exists {
			left -= q.taken(seats)
			continue
		}
		i, known := at[q.config.Level]
		if !known {
			i = len(levels)
			at[q.config.Level] = i
			levels = append(levels, LevelStats{Level: q.config.Level})
		}
		demand := q.demand()
		levels[i].Used += q.taken(seats)
		levels[i].Demand += demand
		levels[i].Seats += min(demand, q.guarantee)
		more[q.config.Level] += max(demand-q.guarantee, 0)
		left -= q.guarantee
	}
	slices.SortFunc(levels, func(a, b LevelStats) int { return cmp.Compare(b.Level, a.Level) })
	for i := range levels {
		share := max(min(more[levels[i].Level], left), 0)
		levels[i].Seats += share
		left -= share
	}
	return levels
}

// demand is how many seats a queue would hold if only its own concurrency, state and budget counted.
func (q *queue) demand() int64 {
	held := q.taken(seats)
	if !q.open || q.limits.Closed != "" {
		return held
	}
	demand := held + int64(q.counts.pending)
	if bound := q.bound(seats); bound >= 0 {
		demand = min(demand, max(bound, held))
	}
	return demand
}

// NodeUsage is the seats and resources charged to a limit node that is set or named by others.
func (l *Ledger) NodeUsage(kind Kind, name string) (held int64, resources map[string]int64, ok bool) {
	n := l.nodeNamed(kind, name)
	if n == nil {
		return 0, nil, false
	}
	return n.taken(seats), l.resources(n), true
}

// Demand is the seats and resources that pods hold of a project or an organization and wait for, whatever its limits.
// Of those that wait each counts as an operation of its own, unless its operation has a seat. A gang that forms counts
// when all of it is here.
func (l *Ledger) Demand(kind Kind, name string) (wanted int64, resources map[string]int64) {
	wanted, resources, _ = l.NodeUsage(kind, name)
	add := func(p *project) {
		for s := range p.shapes {
			if s.partial {
				continue
			}
			count := int64(s.pods.len())
			if s.gang != nil {
				count = 1
			}
			if !s.seated {
				wanted = plus(wanted, count)
			}
			for _, want := range s.ask.needs {
				dimension := l.dims.names[want.dim]
				resources[dimension] = plus(resources[dimension], times(want.amount, count))
			}
		}
	}
	switch kind {
	case Project:
		if p := l.projects[name]; p != nil {
			add(p)
		}
	case Organization:
		if o := l.organizations[name]; o != nil {
			for p := range o.projects {
				add(p)
			}
		}
	}
	return wanted, resources
}

// times multiplies amounts; the product ends at the largest amount.
func times(a, n int64) int64 {
	if n > 0 && a > math.MaxInt64/n {
		return math.MaxInt64
	}
	return a * n
}

func (l *Ledger) nodeNamed(kind Kind, name string) *limitNode {
	switch kind {
	case Queue:
		if q := l.queues[name]; q != nil {
			return &q.limitNode
		}
	case Agent:
		if a := l.agents[name]; a != nil {
			return &a.limitNode
		}
	case Project:
		if p := l.projects[name]; p != nil {
			return &p.limitNode
		}
	case Organization:
		if o := l.organizations[name]; o != nil {
			return &o.limitNode
		}
	case Workflow:
		if w := l.workflows[name]; w != nil {
			return &w.limitNode
		}
	}
	return nil
}

func (l *Ledger) resources(n *limitNode) map[string]int64 {
	usage := map[string]int64{}
	for d := 1; d < len(n.used); d++ {
		if amount := n.used[d].value(); amount > 0 {
			usage[l.dims.names[d]] = amount
		}
	}
	return usage
}

// Changed names the queues and agents whose stats or configuration changed since it was last called.
func (l *Ledger) Changed() (queues, agents []string) {
	for _, q := range l.changedQueues {
		q.changed = false
		queues = append(queues, q.name)
	}
	for _, a := range l.changedAgents {
		a.changed = false
		agents = append(agents, a.name)
	}
	clear(l.changedQueues)
	clear(l.changedAgents)
	l.changedQueues, l.changedAgents = l.changedQueues[:0], l.changedAgents[:0]
	return queues, agents
}

// ChangedTenants names the projects and organizations, in no order, whose usage, demand or limits changed since it was last called.
func (l *Ledger) ChangedTenants() (projects, organizations []string) {
	for p := range l.changedProjects {
		p.changed = false
		projects = append(projects, p.name)
	}
	for o := range l.changedOrganizations {
		o.changed = false
		organizations = append(organizations, o.name)
	}
	clear(l.changedProjects)
	clear(l.changedOrganizations)
	return projects, organizations
}

func (l *Ledger) noteProject(p *project) {
	if p == nil {
		return
	}
	if !p.changed {
		p.changed = true
		l.changedProjects[p] = struct{}{}
	}
	l.noteOrganization(p.organization)
}

func (l *Ledger) noteOrganization(o *organization) {
	if o != nil && !o.changed {
		o.changed = true
		l.changedOrganizations[o] = struct{}{}
	}
}

func (l *Ledger) note(q *queue) {
	if q.agent != nil {
		l.noteAgent(q.agent)
	}
	if !q.changed {
		q.changed = true
		l.changedQueues = append(l.changedQueues, q)
	}
}

func (l *Ledger) noteAgent(a *agent) {
	if !a.changed {
		a.changed = true
		l.changedAgents = append(l.changedAgents, a)
	}
}
