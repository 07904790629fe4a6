package sim

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/queueyard/queueyard/pkg/ledger"
)

// Simulation plays sources of operations against a plan. It runs once.
type Simulation struct {
	*world
	sources heap[*pending]
	ends    heap[end]
	pods    map[string]*operation // that wait
	added   int                   // sources
	now     time.Duration
	last    uint64 // number of the last operation

	arrived, started, completed int64
	podsStarted                 int64
	skipped                     int64
}

// pending is a source and its next arrival.
type pending struct {
	source
	arrival
	order int
}

// operation is one that waits or runs.
type operation struct {
	*class
	arrived time.Duration
	runtime time.Duration
	number  uint64
	left    int32 // pods that have not ended
	held    int32 // pods that run
	started bool
}

// end is when a pod will end.
type end struct {
	at  time.Duration
	uid string
	op  *operation
}

// New prepares a simulation of a plan.
func New(p *Plan) (*Simulation, error) {
	w, err := newWorld(p)
	if err != nil {
		return nil, err
	}
	return &Simulation{
		world: w,
		sources: heap[*pending]{less: func(a, b *pending) bool {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order)) < 0
		}},
		ends: heap[end]{less: func(a, b end) bool {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.uid, b.uid)) < 0
		}},
		pods: map[string]*operation{},
	}, nil
}

// AddLoad adds the streams of a load. They use their numbers: the load must not change any more.
func (s *Simulation) AddLoad(load *Load) error {
	if err := load.validate(); err != nil {
		return err
	}
	for i := range load.Streams {
		stream := &load.Streams[i]
		c, err := s.newClass(class{
			name:     fmt.Sprintf("stream %q", stream.Name),
			project:  stream.Project,
			priority: stream.Priority,
			pods:     max(stream.PodsPerOperation, 1),
			requests: requestsOf(stream.Requests),
		}, stream.Queue)
		if err != nil {
			return err
		}
		if err := s.addSource(newStreamSource(load, stream, c)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Simulation) addSource(from source) error {
	s.added++
	return s.ask(&pending{source: from, order: s.added})
}

// ask puts a source where its next arrival belongs.
func (s *Simulation) ask(p *pending) error {
	a, more, err := p.next()
	if err != nil || !more {
		return err
	}
	p.arrival = a
	s.sources.push(p)
	return nil
}

// Run plays everything to its end: until nothing runs and nothing more arrives. What still waits
// then can never run.
func (s *Simulation) Run() (*Report, error) {
	for !s.sources.empty() || !s.ends.empty() {
		s.now = math.MaxInt64
		if !s.sources.empty() {
			s.now = s.sources.first().at
		}
		if !s.ends.empty() {
			s.now = min(s.now, s.ends.first().at)
		}
		if err := s.moment(); err != nil {
			return nil, fmt.Errorf("at %s: %w", s.now, err)
		}
	}
	return s.report(), nil
}

// moment is all that happens at one time: pods end, operations arrive, and once both are known the
// ledger decides.
func (s *Simulation) moment() error {
	for !s.ends.empty() && s.ends.first().at == s.now {
		s.finish(s.ends.pop())
	}
	for !s.sources.empty() && s.sources.first().at == s.now {
		p := s.sources.pop()
		s.enter(p.arrival)
		if err := s.ask(p); err != nil {
			return err
		}
	}
	for _, a := range s.ledger.Admit(0) {
		if err := s.start(a.UID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Simulation) enter(a arrival) {
	s.last++
	s.arrived++
	a.class.queue.arrived++
	op := &operation{class: a.class, arrived: s.now, runtime: a.runtime, number: s.last, left: a.class.pods}
	op.settle(s.now)
	op.wait(1)
	op.queue.judge()
	for i := range op.class.pods {
		pod := op.pod(op.uid(i))
		s.pods[pod.UID] = op
		s.ledger.Enter(pod)
	}
}

// uid orders pods that come at the same time as they came.
func (op *operation) uid(pod int32) string {
	if op.class.pods == 1 {
		return fmt.Sprintf("%012d", op.number)
	}
	return fmt.Sprintf("%012d-%06d", op.number, pod)
}

func (op *operation) pod(uid string) ledger.Pod {
	p := ledger.Pod{
		UID:      uid,
		Queue:    op.queue.name,
		Project:  op.project,
		Priority: op.priority,
		Created:  int64(op.arrived),
		Requests: op.requests,
	}
	if op.class.pods > 1 {
		p.Operation = fmt.Sprintf("%012d", op.number)
	}
	return p
}

// start lets an admitted pod run at once: there is always a node.
func (s *Simulation) start(uid string) error {
	op := s.pods[uid]
	if op == nil {
		return fmt.Errorf("pod %s does not wait: the ledger admitted it twice", uid)
	}
	delete(s.pods, uid)
	s.ledger.Charge(op.pod(uid))
	s.podsStarted++
	if op.runtime > math.MaxInt64-s.now {
		return fmt.Errorf("operation %d of %s would end after virtual time does, in %s: shorten run times or lines", op.number, op.name, time.Duration(math.MaxInt64))
	}
	s.ends.push(end{s.now + op.runtime, uid, op})
	if !op.started {
		op.started = true
		s.started++
		op.queue.waits.add(s.now - op.arrived)
	}
	op.settle(s.now)
	op.held++
	seated := op.held > 1
	if !seated {
		op.wait(-1)
	}
	for _, n := range op.path {
		if !seated {
			if err := n.take(amount{seats, 1}); err != nil {
				return err
			}
		}
		for _, need := range op.needs {
			if err := n.take(need); err != nil {
				return fmt.Errorf("%s: %w", s.resources.names[need.resource], err)
			}
		}
	}
	op.queue.judge()
	return nil
}

func (s *Simulation) finish(e end) {
	s.ledger.Remove(e.uid)
	op := e.op
	op.settle(s.now)
	op.held--
	op.left--
	for _, n := range op.path {
		for _, need := range op.needs {
			n.give(need)
		}
		if op.held == 0 {
			n.give(amount{seats, 1})
		}
	}
	switch {
	case op.left == 0:
		s.completed++
		op.queue.completed++
	case op.held == 0:
		// The last pod that ran has ended and others wait: so does the operation, again.
		op.wait(1)
	}
	op.queue.judge()
}

// settle adds up what the operation's limits held until now; call it before each change.
func (op *operation) settle(now time.Duration) {
	op.queue.settle(now)
	for _, n := range op.path {
		n.settle(now)
	}
}

// wait counts the operation among those that wait, or no longer. What can never run is no demand.
func (op *operation) wait(n int64) {
	if op.never {
		return
	}
	for _, at := range op.path {
		at.pending += n
	}
}

// settleAll brings every sum to the present.
func (s *Simulation) settleAll() {
	for _, q := range s.queues {
		q.settle(s.now)
		q.node.settle(s.now)
	}
	for _, nodes := range []map[string]*node{s.agents, s.projects, s.orgs} {
		for _, n := range nodes {
			n.settle(s.now)
		}
	}
}

// waiting is the operations that wait for ever, in the order in which they came, each with the first
// of its pods that waits.
func (s *Simulation) waiting() []waiter {
	waiters := make([]waiter, 0, len(s.pods))
	for uid, op := range s.pods {
		waiters = append(waiters, waiter{uid, op})
	}
	slices.SortFunc(waiters, func(a, b waiter) int { return cmp.Compare(a.uid, b.uid) })
	return slices.CompactFunc(waiters, func(a, b waiter) bool { return a.operation == b.operation })
}

type waiter struct {
	uid string
	*operation
}
