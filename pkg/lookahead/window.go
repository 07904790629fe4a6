// Package lookahead says which operations have their pods: those that would be admitted now and a
// few behind them in each line, so that tens of thousands may wait as nothing but objects. And it releases
// the operations of workflows to their queues.
//
// For pods it asks a ledger of its own, the same that the scheduler asks, fed with operations instead of
// their pods. What that decides binds nobody: the scheduler admits pods. Where the two see things
// differently for a moment, an operation has its pods a little early or a little late. Whom it releases, on
// the other hand, binds everybody: nobody else counts the operations of workflows.
package lookahead

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"sync"

	"github.com/queueyard/queueyard/pkg/ledger"
)

const (
	// ahead is how many operations of a queue have pods though nothing has room for them yet: enough
	// for those that follow while the controller makes the next.
	ahead = 32
	// maxAhead bounds the operations of a queue that have pods and no room: when others came before
	// them, the last ones give their pods back.
	maxAhead = 4 * ahead
	// maxUnbound bounds the operations of a queue that have pods and no node yet, whatever room there
	// seems to be for them.
	maxUnbound = 256
	// maxStuck bounds the operations of a queue that have pods and that no node fits, or that may not have pods now: behind them
	// the line waits as objects.
	maxStuck = 128
	// batch bounds the admissions of one call.
	batch = 256
)

// Window keeps which operations are near enough to the head of their lines.
type Window struct {
	mu     sync.Mutex
	ledger *ledger.Ledger
	open   bool
	all    bool // limits have changed, and with them perhaps what is at the head of any line
	ops    map[string]*operation
	lines  map[string]*line
	news   func(uid string)
	wake   chan struct{}
	// routed are the queues of which it is news, too, that there is room for what is due.
	routed map[string]bool

	flights *flights
}

type operation struct {
	queue string
	rank  rank
	due   bool
	stuck bool
}

// rank orders the operations of a line.
type rank struct {
	priority, created int64
	uid               string
}

func (r rank) before(other rank) bool {
	return cmp.Or(-cmp.Compare(r.priority, other.priority), cmp.Compare(r.created, other.created), cmp.Compare(r.uid, other.uid)) < 0
}

// ranks is a heap, the first on top.
type ranks []rank

func (r ranks) Len() int           { return len(r) }
func (r ranks) Less(i, j int) bool { return r[i].before(r[j]) }
func (r ranks) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *ranks) Push(x any)        { *r = append(*r, x.(rank)) }
func (r *ranks) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}

// line is what is known of a queue's operations that have no node. There is one as long as there are any.
type line struct {
	ops   int
	due   map[string]bool // have pods, or are about to
	stuck int             // are due, and others go before them
	held  ranks           // would be admitted, but for too many before them; some have left since
}

// full says that no more may be due.
func (l *line) full() bool { return l.stuck >= maxStuck || len(l.due) >= maxUnbound }

// New makes a window. It calls news for every operation that comes to be due or is no longer, without its lock.
func New(news func(uid string)) *Window {
	return &Window{
		ledger: ledger.New(),
		ops:    map[string]*operation{},
		lines:  map[string]*line{},
		news:   news,
		wake:   make(chan struct{}, 1),
		routed: map[string]bool{},

		flights: newFlights(),
	}
}

// SetWorkflow makes a workflow known, or changes it: how many operations below it may be in flight, and
// what is above it, if anything is.
func (w *Window) SetWorkflow(name, parent string, seats int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flights.set(name, parent, seats)
	w.signal()
}

// DeleteWorkflow forgets a workflow.
func (w *Window) DeleteWorkflow(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flights.delete(name)
	w.signal()
}

// Release says whether an operation is released to its queue; if not, whether it is near to that. One that is
// in flight is, and so is one of no workflow. It is until it leaves.
func (w *Window) Release(op ledger.Pod, inFlight bool) (released, near bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if op.Workflow == "" {
		w.flights.leave(op.UID)
		w.signal()
		return true, false
	}
	o := w.flights.put(op, inFlight)
	w.signal()
	return o.inFlight, o.near
}

// Limits lets what is known of queues, agents, projects and organizations be changed.
func (w *Window) Limits(change func(*ledger.Ledger)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w.ledger)
	w.all = true
	w.signal()
}

// Route says whether a queue is one of several agents: there an operation goes to one of them only when there is room for it.
func (w *Window) Route(queue string, routed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if routed {
		w.routed[queue] = true
	} else {
		delete(w.routed, queue)
	}
}

// HasRoom says whether the limits have room for an operation that waits.
func (w *Window) HasRoom(uid string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open && w.ledger.State(uid).Holds()
}

// Wait enters an operation that has no node, and says whether it is due. One that has its pods is. Stuck: no node fits it, or its
// namespace takes no pods, so others go before it.
func (w *Window) Wait(op ledger.Pod, hasPods, stuck bool) (due bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.ops[op.UID]
	if o != nil && o.queue != op.Queue {
		w.leave(op.UID)
		o = nil
	}
	if o == nil {
		o = &operation{queue: op.Queue, rank: rankOf(op)}
		w.ops[op.UID] = o
		w.line(op.Queue).ops++
		if hasPods {
			w.setDue(op.UID, o, true)
		}
	}
	if w.ledger.State(op.UID) == ledger.Running {
		w.ledger.Remove(op.UID) // it ran, and waits again
	}
	w.ledger.Enter(inQueue(op))
	w.setStuck(op.UID, o, stuck)
	if to := rankOf(op); to != o.rank {
		o.rank = to
		if w.ledger.State(op.UID) == ledger.Admitted && !o.due {
			heap.Push(&w.line(o.queue).held, to)
		}
	}
	w.signal()
	return o.due
}

// inQueue is an operation as its queue knows it: it has been released, so no workflow limits it there.
func inQueue(op ledger.Pod) ledger.Pod {
	op.Workflow = ""
	return op
}

func rankOf(op ledger.Pod) rank { return rank{op.Priority, op.Created, op.UID} }

func (w *Window) line(queue string) *line {
	l := w.lines[queue]
	if l == nil {
		l = &line{due: map[string]bool{}}
		w.lines[queue] = l
	}
	return l
}

func (w *Window) setDue(uid string, o *operation, due bool) {
	l := w.line(o.queue)
	o.due = due
	if due {
		l.due[uid] = true
	} else {
		delete(l.due, uid)
	}
}

// setStuck takes an operation that can have no node out of the line, as the scheduler does while others wait.
func (w *Window) setStuck(uid string, o *operation, stuck bool) {
	if stuck {
		w.ledger.Suspend(uid, "no node fits it") // again, if what was entered differs from before
	}
	if stuck == o.stuck {
		return
	}
	o.stuck = stuck
	if stuck {
		w.line(o.queue).stuck++
	} else {
		w.line(o.queue).stuck--
		w.ledger.Resume(uid)
	}
}

// Hold charges what has a node: an operation, or a pod that is none.
func (w *Window) Hold(op ledger.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if op.Workflow != "" {
		w.flights.put(op, true)
	}
	w.outOfLine(op.UID)
	w.ledger.Charge(inQueue(op))
	w.signal()
}

// Enter lets a pod that is no operation wait: it goes before those behind it here, too.
func (w *Window) Enter(pod ledger.Pod) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ledger.Enter(pod)
	w.signal()
}

// Outlive takes an operation that is gone out of its line. What it ran as is still there, and in flight.
func (w *Window) Outlive(uid string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leave(uid)
	w.signal()
}

// Leave forgets what neither waits nor runs.
func (w *Window) Leave(uid string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leave(uid)
	w.flights.leave(uid)
	w.signal()
}

func (w *Window) leave(uid string) {
	w.outOfLine(uid)
	w.ledger.Remove(uid)
}

func (w *Window) outOfLine(uid string) {
	o := w.ops[uid]
	if o == nil {
		return
	}
	l := w.line(o.queue)
	if o.stuck {
		l.stuck--
	}
	delete(l.due, uid)
	delete(w.ops, uid)
	if l.ops--; l.ops == 0 {
		delete(w.lines, o.queue)
	}
}

// Why says why an operation waits: for its workflows, while they have not released it, then in its queue. It is
// false for what does not wait for either.
func (w *Window) Why(uid string) (ledger.Explanation, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o := w.flights.ops[uid]; o != nil && !o.inFlight {
		return w.flights.ledger.Explain(uid)
	}
	why, ok := w.ledger.Explain(uid)
	return why, ok && !why.State.Holds()
}

func (w *Window) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Changed is signalled when there is something to decide.
func (w *Window) Changed() <-chan struct{} { return w.wake }

// Open lets operations be due. Before, not everything that holds room may have been seen.
func (w *Window) Open() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open, w.flights.open = true, true
	w.flights.admit()
	w.signal()
}

// Decide finds what has come to be due, and first what has been released.
func (w *Window) Decide() {
	for _, uid := range w.flightNews() {
		w.news(uid)
	}
	for {
		uids, more := w.decide()
		for _, uid := range uids {
			w.news(uid)
		}
		if !more {
			return
		}
	}
}

func (w *Window) flightNews() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flights.news()
}

func (w *Window) decide() (news []string, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.open {
		return nil, false
	}
	admitted := w.ledger.Admit(batch)
	for _, a := range admitted {
		switch o := w.ops[a.UID]; {
		case o == nil:
		case !o.due:
			heap.Push(&w.line(o.queue).held, o.rank)
		case w.routed[o.queue]:
			news = append(news, a.UID)
		}
	}
	if len(admitted) == batch {
		return news, true
	}
	queues, _ := w.ledger.Changed()
	if w.all {
		w.all, queues = false, slices.Collect(maps.Keys(w.lines))
	}
	for _, queue := range queues {
		l := w.lines[queue]
		if l == nil {
			continue
		}
		news = w.advance(queue, l, news)
		if len(l.due) > maxAhead {
			news = w.giveBack(queue, l, news)
			news = w.advance(queue, l, news)
		}
	}
	return news, false
}

// advance lets the next of a line be due while there is place: those that would be admitted and those
// at the head of the line, whichever goes first. One that came late with a high priority finds the
// room taken by those that are held up, and goes before them.
func (w *Window) advance(queue string, l *line, news []string) []string {
	var front []rank
	for _, uid := range w.ledger.Front(queue, ahead) {
		if o := w.ops[uid]; o != nil && !o.due {
			front = append(front, o.rank)
		}
	}
	for !l.full() {
		var next rank
		switch {
		case len(l.held) > 0 && !w.heldUp(queue, l.held[0]):
			heap.Pop(&l.held)
			continue
		case len(l.held) > 0 && (len(front) == 0 || l.held[0].before(front[0])):
			next = heap.Pop(&l.held).(rank)
		case len(front) > 0:
			next, front = front[0], front[1:]
		default:
			return news
		}
		w.setDue(next.uid, w.ops[next.uid], true)
		news = append(news, next.uid)
	}
	return news
}

// heldUp says whether an entry of the held ones still holds.
func (w *Window) heldUp(queue string, r rank) bool {
	o := w.ops[r.uid]
	return o != nil && !o.due && o.queue == queue && o.rank == r && w.ledger.State(r.uid) == ledger.Admitted
}

// giveBack ends the being due of those that have no room and are no longer near the head.
func (w *Window) giveBack(queue string, l *line, news []string) []string {
	near := map[string]bool{}
	for _, uid := range w.ledger.Front(queue, 2*ahead) {
		near[uid] = true
	}
	for uid := range l.due {
		if !near[uid] && w.ledger.State(uid) == ledger.Waiting {
			w.setDue(uid, w.ops[uid], false)
			news = append(news, uid)
		}
	}
	return news
}
