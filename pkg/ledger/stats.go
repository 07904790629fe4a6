package ledger

// QueueStats is operations by where they stand, and what the pods that hold room ask for together.
// An operation that holds a seat is Admitted, and Running when one of its pods runs; else it is
// Pending when one of its pods waits, and Suspended when all of them are in back-off.
type QueueStats struct {
	Pending, Suspended, Admitted, Running int
	Usage                                 map[string]int64
}

// AgentStats is the sum over the queues of an agent, with the seats that each priority level holds.
type AgentStats struct {
	Queues int
	QueueStats
	Levels map[int64]int64
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
	stats := QueueStats{Usage: l.resources(&q.limitNode)}
	stats.add(q.counts)
	return stats, true
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
	stats := AgentStats{QueueStats: QueueStats{Usage: l.resources(&a.limitNode)}, Levels: map[int64]int64{}}
	for q := range a.queues {
		stats.add(q.counts)
		if q.exists {
			stats.Queues++
			stats.Levels[q.config.Level] += q.taken(seats)
		}
	}
	return stats, true
}

// NodeUsage is the seats and resources charged to a limit node that is set or named by others.
func (l *Ledger) NodeUsage(kind Kind, name string) (held int64, resources map[string]int64, ok bool) {
	n := l.nodeNamed(kind, name)
	if n == nil {
		return 0, nil, false
	}
	return n.taken(seats), l.resources(n), true
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
