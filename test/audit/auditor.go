package audit

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Config says how much benefit of the doubt is given.
type Config struct {
	// EditWindow is how far apart the watches of pods and of limits may be: a bind is a violation
	// only if it exceeds every bound that was in force within this time before and after it.
	EditWindow time.Duration
	// OrderGrace is how long an operation must have waited with room before a lower level's going
	// first is held against the scheduler.
	OrderGrace time.Duration
	// StuckAfter is how long an operation may wait with room.
	StuckAfter time.Duration
}

// DefaultConfig suits a cluster whose scheduler is up.
func DefaultConfig() Config {
	return Config{EditWindow: 2 * time.Second, OrderGrace: 2 * time.Second, StuckAfter: 30 * time.Second}
}

// Auditor judges a stream of events. It is not safe for concurrent use, and has no clock: time is
// what the events say.
type Auditor struct {
	config     Config
	world      world
	nodes      map[nodeKey]*node
	pods       map[types.UID]*podRecord
	shapes     map[shapeKey]*shape
	reserving  map[types.UID]*podRecord // wait, and say that room is held for them
	holds      []*hold                  // what that keeps from others
	edited     map[string]time.Time     // queue -> when what it does was last changed
	lastBound  map[string]time.Time     // queue -> when a pod of it was last bound
	divided    map[string]time.Time     // agent -> when the guarantees of its queues were last changed
	shut       map[nodeKey]bool         // limits whose budget is used up
	suspicions []suspicion              // oldest first
	lastStuck  time.Time
	flights    flights
	stats      stats
}

// New makes an auditor that has seen nothing.
func New(config Config) *Auditor {
	return &Auditor{
		config:    config,
		world:     newWorld(),
		nodes:     map[nodeKey]*node{},
		pods:      map[types.UID]*podRecord{},
		shapes:    map[shapeKey]*shape{},
		reserving: map[types.UID]*podRecord{},
		edited:    map[string]time.Time{},
		lastBound: map[string]time.Time{},
		divided:   map[string]time.Time{},
		shut:      map[nodeKey]bool{},
		flights:   newFlights(),
		stats:     newStats(),
	}
}

// Observe takes the next event and returns the violations that it proves.
func (a *Auditor) Observe(e Event) []Violation {
	var found []Violation
	a.reopen(e.Time)
	switch o := e.Object.(type) {
	case *corev1.Pod:
		was := a.reserving[o.UID] != nil
		found = a.observePod(e.Time, o, e.Deleted)
		a.observeFlight(e, o)
		if was || a.reserving[o.UID] != nil {
			a.refreshAll(e.Time)
		}
	case *v1alpha1.Queue, *v1alpha1.Agent, *v1alpha1.Project, *v1alpha1.Organization, *corev1.Namespace:
		a.observeWorld(e)
	case *v1alpha1.Workflow:
		a.observeWorkflow(e.Time, o, e.Deleted)
	case *v1alpha1.Operation:
		a.observeOperation(e, o)
	case *podgroups.PodGroup:
		if !e.Deleted {
			a.regroup(e.Time, o)
		} else {
			delete(a.world.podGroups, types.NamespacedName{Namespace: o.Namespace, Name: o.Name})
		}
	}
	a.count(e.Time)
	found = append(found, a.settle(e.Time)...)
	return append(found, a.stuck(e.Time)...)
}

// Finish settles what still waits for a later event. Call it once, after the last event.
func (a *Auditor) Finish(now time.Time) []Violation {
	now = now.Add(2 * a.config.EditWindow)
	a.count(now)
	return a.settle(now)
}

func (a *Auditor) observePod(now time.Time, p *corev1.Pod, deleted bool) []Violation {
	if p.Spec.SchedulerName != v1alpha1.SchedulerName {
		return nil
	}
	old := a.pods[p.UID]
	next := phaseOf(p)
	switch {
	case deleted || next == podEnded:
		if old != nil {
			a.end(now, old)
		}
		if deleted {
			delete(a.pods, p.UID)
		} else if old == nil {
			// It ended before the audit began; nothing is known of it but that.
			a.pods[p.UID] = recordOf(p)
		}
		return nil
	case old != nil && old.phase == podEnded:
		return nil
	case next == podWaiting:
		a.wait(now, p, old)
		return nil
	case old == nil:
		// Bound before the audit saw it: charged, but nobody can say what room there was.
		a.charge(now, a.place(p))
		return nil
	case old.phase == podBound:
		if old.node != p.Spec.NodeName {
			return []Violation{{now, Rebound, old.name, old.queue, "moved from node " + old.node + " to " + p.Spec.NodeName}}
		}
		old.says = admittedReason(p)
		a.resize(now, old, p)
		return nil
	default:
		a.bind(now, p, old)
		return nil
	}
}

// place makes the record of a pod with the queue and project that it has now.
func (a *Auditor) place(p *corev1.Pod) *podRecord {
	r := recordOf(p)
	r.origin, r.queued = a.world.origin(p), a.world.queuedSince(p)
	r.queue, r.project = a.world.place(p)
	r.op = a.world.operationOf(p, r.queue)
	r.gang = a.world.gang(r.group) != nil
	a.world.price(r)
	a.pods[p.UID] = r
	return r
}

// wait records a pod without a node.
func (a *Auditor) wait(now time.Time, p *corev1.Pod, old *podRecord) {
	r := a.place(p)
	a.stats.waits(now, r)
	if old != nil {
		r.reported = old.reported
	}
	if !eligible(p) || a.world.refused(p) {
		a.leave(old)
		return
	}
	key := r.shapeKey()
	if old != nil && old.shape != nil && old.shape.key == key {
		r.since = old.since
		a.join(old.shape, r)
		return
	}
	a.leave(old)
	a.enter(now, r)
}

// enter puts a pod among those that wait for admission.
func (a *Auditor) enter(now time.Time, r *podRecord) {
	key := r.shapeKey()
	s := a.shapes[key]
	if s == nil {
		s = &shape{key: key, requests: r.requests, pods: map[types.UID]*podRecord{}, lastQueued: map[int32]time.Time{}}
		a.shapes[key] = s
		a.refresh(now, s)
	}
	r.since = now
	a.join(s, r)
}

func (a *Auditor) join(s *shape, r *podRecord) {
	s.pods[r.uid] = r
	r.shape = s
	if r.holdOf() != "" {
		a.reserving[r.uid] = r
	}
}

// leave takes a pod out of those that wait for admission.
func (a *Auditor) leave(r *podRecord) {
	if r == nil || r.shape == nil {
		return
	}
	delete(a.reserving, r.uid)
	delete(r.shape.pods, r.uid)
	if len(r.shape.pods) == 0 {
		delete(a.shapes, r.shape.key)
	}
	r.shape = nil
}

// bind judges and charges a pod that has got its node.
func (a *Auditor) bind(now time.Time, p *corev1.Pod, old *podRecord) {
	if s := old.shape; s != nil && old.queued.After(s.lastQueued[old.priority]) {
		s.lastQueued[old.priority] = old.queued
	}
	a.leave(old)
	r := a.place(p)
	newSeat := a.node(nodeKey{queueKind, r.queue}).ops[r.op] == 0
	a.charge(now, r)
	a.lastBound[r.queue] = now
	a.suspectOverLimit(now, r, newSeat)
	if newSeat {
		a.suspectKept(now, r)
		a.suspectOrder(now, r)
	}
}

func (a *Auditor) charge(now time.Time, r *podRecord) {
	r.phase = podBound
	for _, k := range a.world.path(r.queue, r.project) {
		a.node(k).charge(r.op, r.requests)
	}
	a.stats.holds(now, r, len(a.node(nodeKey{queueKind, r.queue}).ops))
	a.refreshAll(now)
}

// end frees what a pod held.
func (a *Auditor) end(now time.Time, r *podRecord) {
	a.leave(r)
	if r.phase == podBound {
		for _, k := range a.world.path(r.queue, r.project) {
			a.node(k).free(r.op, r.requests)
		}
		a.refreshAll(now)
		a.stats.frees(r, a.node(nodeKey{queueKind, r.queue}).ops[r.op] == 0)
		a.madeWay(now, r)
	}
	r.phase = podEnded
}

func (a *Auditor) node(k nodeKey) *node {
	n := a.nodes[k]
	if n == nil {
		n = newNode(absent(k))
		a.nodes[k] = n
	}
	return n
}

// absent are the bounds of an object that does not exist: a missing queue admits nothing, a
// missing agent, project or organization bounds nothing.
func absent(k nodeKey) bounds {
	if k.kind == queueKind {
		return closed()
	}
	return nil
}
