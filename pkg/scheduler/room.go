package scheduler

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/backend/queue"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/utils/clock"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/scheduler/config"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// Room is the waiting room: it stands in the place of the scheduler's own queue and keeps the pods
// of our profiles out of it until the ledger has admitted them, so that waiting pods cost memory
// and nothing else. Everything that is not ours passes through.
//
// Two streams reach it. The feed (our own informer handlers) alone decides what the ledger knows;
// the scheduler's handlers only hand pods in and take them away. They are not ordered with each
// other, so an entry remembers both sides and a pod moves on when both agree.
//
// What kube-scheduler runs under its queue's locks (Less) must not take mu, because mu is held
// while calling into that queue: it reads ranks instead.
type Room struct {
	queue.SchedulingQueue

	args     config.QueueGateArgs
	clock    clock.WithTicker
	profiles map[string]bool
	gates    map[string][]fwk.PreEnqueuePlugin // by profile: what may keep a pod from being tried
	ranks    ranks
	wake     chan struct{}
	onRun    func()
	ready    *readiness
	fence    *fence // nil without leader election

	mu        sync.Mutex
	ledger    *ledger.Ledger
	directory *directory
	entries   map[types.UID]*entry
	idle      map[types.UID]*entry // hold room though no node fits them
	idleLooks idleLooks
	retries   retryHeap
	reports   reportLine
	stale     staleness
	guard     guard
	preempt   preemption
	admitting admitting
	growths   uint64    // how often nodes got more room
	wakes     bool      // pods in back-off may be due since then
	woken     time.Time // the last round of wake-ups
	changes   changes
	accounts  map[accountKey]*account
	enforced  map[accountKey]*v1alpha1.EnforcedLimits // of tenants: what the ledger has
	leading   bool                                    // the accounts here, not those in statuses, are the truth
	turnovers map[string]*turnover                    // by queue
	vacancies map[string][]time.Time                  // by queue: since when its seats are free that others wait for
	announce  func(context.Context)                   // has the API server ask this replica while it leads
	serving   atomic.Bool                             // who asks may look: this replica leads and has seen everything
}

// entry is one pod of our profiles that is not over.
type entry struct {
	pod     *v1.Pod
	listed  bool // the feed knows it
	offered bool // the scheduler's handler has handed it in and not taken it away
	inner   bool // it is in the scheduler's own queue, or in flight from there
	// committed from Permit until the bind is seen or undone: its room can't be taken back.
	committed bool
	rejected  bool   // Permit took its room back; it is on its way out of the scheduling cycle
	failed    bool   // came back unschedulable; preemption may still nominate a node
	untried   string // why it may not be tried, if a plugin kept it from that when it was admitted

	entered    time.Time // first seen waiting
	since      time.Time // since when it waits, if that is not its creation
	gated      bool      // by scheduling gates
	assignment tenancy.Assignment
	gang       gang
	refusal    *tenancy.Refusal
	idleSince  time.Time
	attempts   int
	retryAt    time.Time
	tried      uint64    // growths when its last attempt began
	vacant     time.Time // since when the seat was free that it took
	retryIndex int
	reportable bool // in the reporter's line
}

func (e *entry) uid() types.UID { return e.pod.UID }

func (e *entry) bound() bool { return e.pod.Spec.NodeName != "" }

// serves says whether pods of a profile go through the room.
func (r *Room) serves(pod *v1.Pod) bool { return r.profiles[pod.Spec.SchedulerName] }

// Run is called when this replica starts to lead.
func (r *Room) Run(logger klog.Logger) {
	r.SchedulingQueue.Run(logger)
	r.onRun()
}

// Add takes a pod that waits for a node.
func (r *Room) Add(ctx context.Context, pod *v1.Pod) {
	if !r.serves(pod) {
		r.SchedulingQueue.Add(ctx, pod)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entryOf(pod)
	e.offered = true
	r.letIn(ctx, e)
}

// Update tells of a new version of a pod that waits for a node.
func (r *Room) Update(ctx context.Context, oldPod, newPod *v1.Pod) {
	if !r.serves(newPod) {
		r.SchedulingQueue.Update(ctx, oldPod, newPod)
		return
	}
	if oldPod != nil && oldPod.UID != newPod.UID {
		r.Delete(oldPod)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entryOf(newPod)
	e.offered = true
	if e.inner {
		r.SchedulingQueue.Update(ctx, oldPod, newPod)
		return
	}
	r.letIn(ctx, e)
}

// Delete takes a pod away that was deleted or bound; what it holds is the feed's business.
func (r *Room) Delete(pod *v1.Pod) {
	if !r.serves(pod) {
		r.SchedulingQueue.Delete(pod)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[pod.UID]
	if e == nil {
		r.SchedulingQueue.Delete(pod)
		return
	}
	e.offered = false
	r.letOut(e)
	r.drop(e)
}

// AddUnschedulableIfNotPresent takes a pod back from a failed scheduling cycle.
func (r *Room) AddUnschedulableIfNotPresent(logger klog.Logger, info *framework.QueuedPodInfo, cycle int64) error {
	if !r.serves(info.Pod) {
		return r.SchedulingQueue.AddUnschedulableIfNotPresent(logger, info, cycle)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[info.Pod.UID]
	if e == nil || !r.ranks.has(info.Pod.UID) {
		// Its room was taken back while it was in flight.
		r.SchedulingQueue.Done(info.Pod.UID)
		if e != nil {
			e.inner = false
			if e.rejected {
				e.rejected = false
				r.ledger.Resume(string(info.Pod.UID))
				r.signal()
			}
		}
		return nil
	}
	// An error (a refused bind, a lost connection) is tried again with its room kept; a verdict
	// of the plugins may cost the room, unless preemption is making space.
	e.failed = info.UnschedulablePlugins.Len()+info.PendingPlugins.Len() > 0
	e.inner = true
	return r.SchedulingQueue.AddUnschedulableIfNotPresent(logger, info, cycle)
}

// AddNominatedPod follows every failed scheduling cycle: only now is it known whether preemption
// nominated a node for the pod.
func (r *Room) AddNominatedPod(logger klog.Logger, info fwk.PodInfo, nominating *fwk.NominatingInfo) {
	r.SchedulingQueue.AddNominatedPod(logger, info, nominating)
	pod := info.GetPod()
	if !r.serves(pod) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[pod.UID]
	if e == nil || !e.failed {
		return
	}
	e.failed = false
	node := pod.Status.NominatedNodeName
	if nominating.Mode() == fwk.ModeOverride {
		node = nominating.NominatedNodeName
	}
	if node == "" {
		r.noFit(e)
	}
}

// MoveAllToActiveOrBackoffQueue is how the scheduler tells of events that may make room.
func (r *Room) MoveAllToActiveOrBackoffQueue(logger klog.Logger, event fwk.ClusterEvent, oldObj, newObj any, preCheck queue.PreEnqueueCheck) {
	r.SchedulingQueue.MoveAllToActiveOrBackoffQueue(logger, event, oldObj, newObj, preCheck)
	if makesRoom(event) {
		r.capacityGrew()
	}
}

// makesRoom says whether nodes may have more room after an event: one came or changed, a pod that holds
// some went, whoever placed it, or asks for less, a claim of devices came, changed or went.
func makesRoom(event fwk.ClusterEvent) bool {
	switch event.Resource {
	case fwk.Node:
		return event.ActionType != fwk.Delete
	case fwk.ResourceClaim:
		return true
	}
	ends := framework.EventAssignedPodDelete
	return event.Resource == ends.Resource && event.ActionType&(ends.ActionType|fwk.UpdatePodScaleDown) != 0
}

// entryOf is the entry of a pod, made when there is none.
func (r *Room) entryOf(pod *v1.Pod) *entry {
	e := r.entries[pod.UID]
	if e == nil {
		e = &entry{pod: pod, entered: r.clock.Now(), retryIndex: -1}
		r.entries[pod.UID] = e
	} else if !e.listed || !e.bound() {
		e.pod = pod
	}
	return e
}

// letIn hands an admitted pod to the scheduler's own queue.
func (r *Room) letIn(ctx context.Context, e *entry) {
	if e.offered && !e.inner && !e.bound() && r.ranks.has(e.uid()) {
		e.inner = true
		r.SchedulingQueue.Add(ctx, e.pod)
		if e.untried = r.keptFromTrial(ctx, e.pod); e.untried != "" {
			r.setIdle(e)
		}
	}
}

// keptFromTrial says why a pod may not be tried: a resource claim of it is missing, say. The scheduler's own queue asks the
// same, and what it keeps so never comes back to say that no node fits. Others than those with claims are kept for a moment
// at most, by a preemption under way for them.
func (r *Room) keptFromTrial(ctx context.Context, pod *v1.Pod) string {
	if len(pod.Spec.ResourceClaims) == 0 {
		return ""
	}
	for _, plugin := range r.gates[pod.Spec.SchedulerName] {
		if status := plugin.PreEnqueue(ctx, pod); !status.IsSuccess() {
			return status.Message()
		}
	}
	return ""
}

// letOut takes a pod out of the scheduler's own queue. A pod in flight stays in flight: what it
// meets next (PreFilter, Permit, the way back) refuses it.
func (r *Room) letOut(e *entry) {
	if e.inner {
		e.inner = false
		r.SchedulingQueue.Delete(e.pod)
	}
}

// drop forgets an entry that neither side knows any more.
func (r *Room) drop(e *entry) {
	if !e.listed && !e.offered {
		delete(r.entries, e.uid())
	}
}

// signal asks the pump to look.
func (r *Room) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
