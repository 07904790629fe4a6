package operation

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/routing"
)

// router chooses agents for the operations of queues that have several, and counts where they are. What it counts is of this
// process: who leads anew counts what the API says.
//
// Operations of a queue are sent in the order of their line: while one waits for a seat, none behind it is sent.
type router struct {
	tell func(uid string)

	mu     sync.Mutex
	groups map[string]bool            // queues of several agents
	sent   map[string]sent            // by UID of the operation
	parked map[string]map[string]rank // those that wait for a seat, by queue and UID
}

// sent is an operation that an agent was chosen for.
type sent struct {
	queue, agent string // the agent is one in another cluster; empty: that of this one
	why          string
	node, stuck  bool // it has a node; no node fits it
}

// rank orders the operations of a queue.
type rank struct {
	priority int32
	queued   time.Time
	uid      string
}

func rankOf(op *v1alpha1.Operation, status *v1alpha1.OperationStatus) rank {
	queued := op.CreationTimestamp.Time
	if status.QueuedTime != nil {
		queued = status.QueuedTime.Time
	}
	return rank{status.Priority, queued, uidOf(op)}
}

func (r rank) compare(other rank) int {
	return cmp.Or(-cmp.Compare(r.priority, other.priority), r.queued.Compare(other.queued), cmp.Compare(r.uid, other.uid))
}

func newRouter(tell func(uid string)) *router {
	return &router{tell: tell, groups: map[string]bool{}, sent: map[string]sent{}, parked: map[string]map[string]rank{}}
}

// set says whether a queue has several agents.
func (r *router) set(queue string, several bool) {
	r.mu.Lock()
	if several {
		r.groups[queue] = true
	} else {
		delete(r.groups, queue)
	}
	r.mu.Unlock()
	r.roomier()
}

// follow notes where an operation is. One that has nothing at its agent yet stays as it was.
func (r *router) follow(op *v1alpha1.Operation, status *v1alpha1.OperationStatus, seen operation.Observation) {
	uid := uidOf(op)
	if !r.several(status.Queue) {
		r.leave(uid)
		return
	}
	is := sent{queue: status.Queue, agent: status.Agent, stuck: seen.Stage == operation.Unschedulable}
	switch status.Phase {
	case v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable:
		if seen.Stage == operation.Absent {
			return
		}
		is.node = seen.Stage == operation.Scheduled
	case v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning, v1alpha1.StatusWarning, v1alpha1.StatusUnknown, v1alpha1.StatusStopping:
		is.node = true
	default:
		r.leave(uid)
		return
	}
	r.mu.Lock()
	before, known := r.sent[uid]
	is.why = before.why
	r.sent[uid] = is
	delete(r.parked[is.queue], uid)
	r.mu.Unlock()
	if !known || before != is {
		r.roomier()
	}
}

func (r *router) several(queue string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.groups[queue]
}

// leave forgets an operation that is nowhere, and waits for no seat.
func (r *router) leave(uid string) {
	r.mu.Lock()
	_, known := r.sent[uid]
	delete(r.sent, uid)
	for queue, line := range r.parked {
		if _, waits := line[uid]; waits {
			known = true
			delete(line, uid)
		}
		if len(line) == 0 {
			delete(r.parked, queue)
		}
	}
	r.mu.Unlock()
	if known {
		r.roomier()
	}
}

// roomier has those looked at that are next in their lines, and those that no node fits where they are: there may be a seat
// for them now.
func (r *router) roomier() {
	for _, uid := range r.next() {
		r.tell(uid)
	}
}

func (r *router) next() (uids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.parked {
		if uid := first(line); uid != "" {
			uids = append(uids, uid)
		}
	}
	for uid, s := range r.sent {
		if s.stuck {
			uids = append(uids, uid)
		}
	}
	return uids
}

func first(line map[string]rank) (uid string) {
	var best rank
	for _, r := range line {
		if uid == "" || r.compare(best) < 0 {
			uid, best = r.uid, r
		}
	}
	return uid
}

// choose finds an agent for an operation that has nothing anywhere, and counts it there; false: it is to wait.
func (r *router) choose(op *v1alpha1.Operation, status *v1alpha1.OperationStatus, g *group) (routing.Choice, bool) {
	choice, ok := r.decide(op, status, g)
	if ok {
		r.roomier() // for the next one
	}
	return choice, ok
}

func (r *router) decide(op *v1alpha1.Operation, status *v1alpha1.OperationStatus, g *group) (routing.Choice, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	uid := uidOf(op)
	is, known := r.sent[uid]
	delete(r.sent, uid)
	line := r.parked[status.Queue]
	if line == nil {
		line = map[string]rank{}
		r.parked[status.Queue] = line
	}
	line[uid] = rankOf(op, status)
	if at := cmp.Or(is.agent, g.here()); known && is.queue == status.Queue && g.closed(at) == "" && status.Phase != v1alpha1.StatusUnschedulable {
		delete(line, uid) // it was chosen a moment ago
		r.sent[uid] = is
		return routing.Choice{Agent: at, Reason: is.why}, true
	}
	if first(line) != uid {
		return routing.Choice{}, false
	}
	misfit := ""
	if status.Phase == v1alpha1.StatusUnschedulable {
		misfit = cmp.Or(status.Agent, g.here())
	}
	choice, ok := routing.Choose(r.count(status.Queue, g), g.queue.Spec.Routing == v1alpha1.RouteMostFree, misfit)
	if ok {
		delete(line, uid)
		r.sent[uid] = sent{queue: status.Queue, agent: g.remote(choice.Agent), why: choice.Reason}
	}
	return choice, ok
}

// count says how much room the agents of a queue have. Who holds a seat there is what the agent says, or what was sent, where
// that is more; its word is a few seconds old.
func (r *router) count(queue string, g *group) []routing.Agent {
	agents := make([]routing.Agent, len(g.agents))
	running := make([]int64, len(g.agents))
	for i, a := range g.agents {
		agents[i] = routing.Agent{Name: a.Name, Closed: g.closed(a.Name), Seats: int64(ptr.Deref(a.Spec.Concurrency, v1alpha1.Unlimited))}
	}
	for _, s := range r.sent {
		i := slices.IndexFunc(agents, func(a routing.Agent) bool { return a.Name == cmp.Or(s.agent, g.here()) })
		if i < 0 {
			continue
		}
		if s.node {
			running[i]++
			continue
		}
		agents[i].Taken++
		if s.queue == queue {
			agents[i].Waiting++
			if s.stuck {
				agents[i].Stuck++
			}
		}
	}
	for i, a := range g.agents {
		agents[i].Taken += max(running[i], int64(a.Status.Admitted)-agents[i].Taken)
	}
	return agents
}

// why says what keeps the agents of a queue from getting what waits.
func (r *router) why(queue string, g *group) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, a := range r.count(queue, g) {
		all = append(all, a.Says())
	}
	return "no agent has room: " + strings.Join(all, "; ")
}

// roomAt says whether there is a seat at another agent than one, for an operation that no node there fits.
func (r *router) roomAt(op *v1alpha1.Operation, g *group, but string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.count(op.Status.Queue, g), func(a routing.Agent) bool { return a.Name != but && a.HasSeat() })
}
