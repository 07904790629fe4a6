package ledger

import (
	"hash/maphash"
	"maps"
)

// queue is a line of pods. It outlives its configuration while pods name it.
type queue struct {
	limitNode
	config  QueueConfig
	agent   *agent // nil until it was first set
	level   *level // nil while it does not exist
	open    bool   // exists, is not paused, and its agent exists
	refs    int    // pods
	hash    uint64 // is mixed into those of its operations
	shapes  map[*shape]struct{}
	parks   map[parkKey]*park
	fresh   []*park // parks whose key in their gate is this queue's key of now
	line    tree[*shape]
	exposed *shape // StrictFIFO: the shape of the head, the only one that stands at a gate
	counts  counts
	elders  elders

	seated    seated
	reserved  *reservation
	guarantee int64 // seats of the agent that it is guaranteed, as far as there are so many
	kept      int64 // those of them that it does not hold

	changed bool // since Changed was last called
}

// counts is operations by where they stand.
type counts struct{ pending, suspended, admitted, running int }

// queueKey is the order between queues: seats kept, higher level, reserved, fewer seats for its weight, name.
type queueKey struct {
	kept, reserved       bool
	level, seats, weight int64
	name                 string
}

func (k *queueKey) less(o *queueKey) bool {
	switch {
	case k.kept != o.kept:
		return k.kept
	case k.level != o.level:
		return k.level > o.level
	case k.reserved != o.reserved:
		return k.reserved
	case lessRatio(k.seats, k.weight, o.seats, o.weight):
		return true
	case lessRatio(o.seats, o.weight, k.seats, k.weight):
		return false
	}
	return k.name < o.name
}

func (q *queue) key() queueKey {
	return queueKey{kept: q.kept > 0, level: q.config.Level, seats: q.taken(seats), weight: q.weight(), name: q.name}
}

// weight is what a queue's share of its level is proportional to: its concurrency, or the largest
// finite one of its level where it has none.
func (q *queue) weight() int64 {
	if own := q.bound(seats); own >= 0 {
		return max(own, 1)
	}
	if q.level != nil {
		return q.level.largest
	}
	return 1
}

// rekey notes that the queue's key changed: its parks are moved when their gates are next looked at.
func (l *Ledger) rekey(q *queue) {
	for _, p := range q.fresh {
		p.stale, p.at = true, len(p.gate.stale)
		p.gate.stale = append(p.gate.stale, p)
		if p.gate.offer != nil {
			l.touch(p.gate)
		}
	}
	clear(q.fresh)
	q.fresh = q.fresh[:0]
}

func (l *Ledger) queueNamed(name string) *queue {
	q := l.queues[name]
	if q == nil {
		q = &queue{
			limitNode: unlimited(Queue, name),
			hash:      maphash.String(l.hashing, "queue "+name),
			shapes:    map[*shape]struct{}{},
			parks:     map[parkKey]*park{},
			line:      tree[*shape]{less: shapeBefore},
		}
		l.queues[name] = q
	}
	return q
}

// dropQueue forgets a queue that neither exists nor has pods.
func (l *Ledger) dropQueue(q *queue) {
	if q.exists || q.refs > 0 {
		return
	}
	delete(l.queues, q.name)
	if q.agent != nil {
		delete(q.agent.queues, q)
		l.dropAgent(q.agent)
	}
}

func (l *Ledger) agentNamed(name string) *agent {
	a := l.agents[name]
	if a == nil {
		a = &agent{
			limitNode:  unlimited(Agent, name),
			queues:     map[*queue]struct{}{},
			guaranteed: map[*queue]struct{}{},
			levels:     map[int64]*level{},
		}
		l.agents[name] = a
	}
	return a
}

func (l *Ledger) dropAgent(a *agent) {
	if !a.exists && len(a.queues) == 0 {
		delete(l.agents, a.name)
	}
}

// SetQueue creates a queue or changes it. What it holds moves with it to another agent.
func (l *Ledger) SetQueue(name string, c QueueConfig) {
	q := l.queueNamed(name)
	if q.exists && sameConfig(q.config, c) {
		return
	}
	l.endReservation(q)
	l.leaveLevel(q)
	if a := l.agentNamed(c.Agent); a != q.agent {
		l.changeAgent(q, a)
	}
	q.exists = true
	q.config = c
	l.setLimits(&q.limitNode, c.Limits)
	q.config.Limits = q.limits // its own copy
	l.joinLevel(q)
	l.rekey(q)
	l.reopen(q)
}

func sameConfig(a, b QueueConfig) bool {
	return a.Agent == b.Agent && a.Level == b.Level && a.Strategy == b.Strategy && a.Paused == b.Paused &&
		a.Guaranteed == b.Guaranteed && a.Preemption == b.Preemption &&
		a.Limits.equal(b.Limits)
}

func (l *Ledger) changeAgent(q *queue, to *agent) {
	l.move(&q.limitNode, &to.limitNode)
	if from := q.agent; from != nil {
		delete(from.queues, q)
		l.noteAgent(from)
		l.dropAgent(from)
	}
	q.agent = to
	to.queues[q] = struct{}{}
}

// DeleteQueue takes a queue away. Its pods stay: those that wait go on waiting, those that hold
// room go on holding it, on its agent too.
func (l *Ledger) DeleteQueue(name string) {
	q := l.queues[name]
	if q == nil || !q.exists {
		return
	}
	l.endReservation(q)
	l.leaveLevel(q)
	q.exists = false
	q.config = QueueConfig{Agent: q.config.Agent}
	l.setLimits(&q.limitNode, noLimits)
	l.rekey(q)
	l.reopen(q)
	l.dropQueue(q)
}

// SetAgent creates an agent or changes its limits.
func (l *Ledger) SetAgent(name string, limits Limits) {
	a := l.agentNamed(name)
	appeared := !a.exists
	a.exists = true
	if changed := l.setLimits(&a.limitNode, limits); !changed && !appeared {
		return
	}
	l.guarantee(a)
	l.noteAgent(a)
	for q := range a.queues {
		if appeared {
			l.reopen(q)
		} else {
			l.rejudge(maps.Keys(q.shapes))
		}
	}
}

// DeleteAgent takes an agent away: its queues admit nothing until it is back.
func (l *Ledger) DeleteAgent(name string) {
	a := l.agents[name]
	if a == nil || !a.exists {
		return
	}
	a.exists = false
	l.setLimits(&a.limitNode, noLimits)
	l.guarantee(a)
	l.noteAgent(a)
	for q := range a.queues {
		l.reopen(q)
	}
	l.dropAgent(a)
}

func (l *Ledger) joinLevel(q *queue) {
	v := q.agent.levels[q.config.Level]
	if v == nil {
		v = &level{queues: map[*queue]struct{}{}, largest: 1}
		q.agent.levels[q.config.Level] = v
	}
	q.level = v
	v.queues[q] = struct{}{}
	v.pending += q.counts.pending
	l.reweigh(v)
	if q.config.Guaranteed > 0 {
		q.agent.guaranteed[q] = struct{}{}
		l.guarantee(q.agent)
	}
}

func (l *Ledger) leaveLevel(q *queue) {
	v := q.level
	if v == nil {
		return
	}
	if q.config.Guaranteed > 0 {
		delete(q.agent.guaranteed, q)
		q.guarantee = 0
		l.keep(q)
		l.guarantee(q.agent)
	}
	q.level = nil
	v.pending -= q.counts.pending
	delete(v.queues, q)
	if len(v.queues) == 0 {
		delete(q.agent.levels, q.config.Level)
		return
	}
	l.reweigh(v)
}

// reweigh finds the largest finite concurrency of a level: the weight of its unlimited queues.
func (l *Ledger) reweigh(v *level) {
	largest := int64(1)
	for q := range v.queues {
		largest = max(largest, q.bound(seats))
	}
	if largest == v.largest {
		return
	}
	v.largest = largest
	for q := range v.queues {
		if q.bound(seats) < 0 {
			l.rekey(q)
		}
	}
}

// reopen puts every shape of a queue where it belongs after a change to the queue or its agent.
func (l *Ledger) reopen(q *queue) {
	for s := range q.shapes {
		l.hide(s)
	}
	q.open = q.exists && !q.config.Paused && q.agent.exists
	for s := range q.shapes {
		s.never = s.neverFits()
		l.show(s)
	}
	l.exposeHead(q)
	l.note(q)
}
