package scheduler

import (
	"fmt"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

// Preemption between queues. The ledger plans who makes way for whom; here it is done: pods that have no
// node yet wait again, the others are evicted (evict.go). Room on its way counts as coming: pods that are
// being deleted are seen in the API, so a new leader knows of them, too.

const (
	// preemptPeriod is how often evictions are planned.
	preemptPeriod = time.Second
	// preemptTogether bounds the pods for which evictions are planned at a time.
	preemptTogether = 16
	// spareFor is how long an operation is left alone after its eviction was refused.
	spareFor = 30 * time.Second
)

const (
	// reasonPreempted is why an operation does not go on: it makes way, or made way.
	reasonPreempted = "Preempted"
	preemptedBy     = "preempted by " // begins its sentence
	// reasonPreempting is why a pod waits for which others make way.
	reasonPreempting = "Preempting"
)

// preemption is what is under way.
type preemption struct {
	looked  time.Time
	leaving map[types.UID]bool      // hold room and are being deleted, by anybody
	ordered map[types.UID]*order    // victims, until they are gone
	orders  []*order                // that have evictions left to do
	spared  map[types.UID]time.Time // not to be chosen before
	making  map[operationKey]*makingWay
	notes   []note // events to be written
}

// order is the eviction of an operation.
type order struct {
	by        *entry
	operation operationKey
	victims   []types.UID          // left to evict
	asked     map[types.UID]*entry // that the API server was asked to evict, until they are seen to leave
	begun     bool                 // at least one of them is evicted
	notBefore time.Time
}

// operationKey names the pods that share a seat.
type operationKey struct{ queue, operation string }

// makingWay is an operation whose pods are evicted. Until they are gone none of it is admitted: with the
// seat that it still has its new pods would go first.
type makingWay struct {
	by      string
	victims map[types.UID]bool
	barred  map[types.UID]*entry
}

// note is an event to be written about a pod.
type note struct {
	about, related  *v1.Pod
	reason, message string
}

func newPreemption() preemption {
	return preemption{
		leaving: map[types.UID]bool{},
		ordered: map[types.UID]*order{},
		spared:  map[types.UID]time.Time{},
		making:  map[operationKey]*makingWay{},
	}
}

func (e *entry) operation() operationKey {
	return operationKey{e.assignment.Queue, operationOf(e.pod, e.gang)}
}

// asPreemptor is how victims call a pod.
func (e *entry) asPreemptor() string {
	return fmt.Sprintf("%s in queue %s", klog.KObj(e.pod), e.assignment.Queue)
}

// takeOver plans whose room is taken for whom, and begins. It says whether room is free already.
func (r *Room) takeOver(now time.Time) (freed bool) {
	if now.Sub(r.preempt.looked) < preemptPeriod {
		return false
	}
	r.preempt.looked = now
	var leaving []string
	for uid := range r.preempt.leaving {
		leaving = append(leaving, string(uid))
	}
	for uid := range r.preempt.ordered {
		leaving = append(leaving, string(uid))
	}
	planned := r.ledger.Takeovers(leaving, func(uid string) bool { return now.Before(r.preempt.spared[types.UID(uid)]) }, r.mayPreempt, preemptTogether)
	wanted := map[types.UID]bool{}
	for _, takeover := range planned {
		wanted[types.UID(takeover.UID)] = true
	}
	for queue, h := range r.guard.held {
		if h.preempts && !wanted[h.uid] {
			r.ledger.Unreserve(string(h.uid))
			delete(r.guard.held, queue)
		}
	}
	for _, takeover := range planned {
		e := r.entries[types.UID(takeover.UID)]
		if e == nil {
			continue
		}
		if queue := e.assignment.Queue; r.guard.held[queue] == nil {
			r.beginHolding(queue, &holding{uid: e.uid(), since: now, preempts: true}, now)
		}
		for _, victims := range takeover.Victims {
			freed = r.makeWay(e, victims, now) || freed
		}
	}
	return freed
}

// mayPreempt says whether others may be evicted for a pod. One that no node fitted when it was admitted
// may not again: they would be evicted in vain, and for ever.
func (r *Room) mayPreempt(uid string) bool {
	e := r.entries[types.UID(uid)]
	return e != nil && e.attempts == 0
}

// makeWay takes the room of an operation. It says whether some of it is free already.
func (r *Room) makeWay(by *entry, victims []string, now time.Time) (freed bool) {
	var placed []types.UID
	var first *entry
	for _, uid := range victims {
		e := r.entries[types.UID(uid)]
		switch {
		case e == nil:
		case r.ledger.State(uid) == ledger.Admitted && !e.committed:
			r.takeBack(by, e)
			freed = true
		default:
			placed = append(placed, e.uid())
			first = e
		}
	}
	if len(placed) == 0 {
		return freed
	}
	o := &order{by: by, operation: first.operation(), victims: placed, asked: map[types.UID]*entry{}, notBefore: now}
	r.preempt.orders = append(r.preempt.orders, o)
	for _, uid := range placed {
		r.preempt.ordered[uid] = o
		r.bar(o.operation, by.asPreemptor(), uid)
	}
	r.barOthers(placed[0])
	return freed
}

// takeBack has an admitted pod without a node wait again.
func (r *Room) takeBack(by, e *entry) {
	r.unadmit(e)
	r.ledger.Return(string(e.uid()))
	evictions.WithLabelValues(e.assignment.Queue, "returned").Inc()
	r.noteBoth(by, e, "gives its room, without a node yet, to %s", "takes the room of %s, which had no node yet")
}

// noteBoth has events written about who makes way for whom.
func (r *Room) noteBoth(by, e *entry, victim, preemptor string) {
	r.preempt.notes = append(r.preempt.notes,
		note{e.pod, by.pod, reasonPreempted, fmt.Sprintf(victim, by.asPreemptor())},
		note{by.pod, e.pod, reasonPreempting, fmt.Sprintf(preemptor, e.asPreemptor())})
}

// bar keeps the pods of an operation from admission until a victim is gone. It says whether they were not
// kept from it already; those that wait are not until barOthers.
func (r *Room) bar(key operationKey, by string, victim types.UID) (begins bool) {
	m := r.preempt.making[key]
	if m == nil {
		m = &makingWay{by: by, victims: map[types.UID]bool{}, barred: map[types.UID]*entry{}}
		r.preempt.making[key] = m
		begins = true
	}
	m.victims[victim] = true
	return begins
}

// barOthers keeps those from admission that wait of the operation of a victim.
func (r *Room) barOthers(victim types.UID) {
	for _, member := range r.ledger.Members(string(victim)) {
		if e := r.entries[types.UID(member.UID)]; e != nil && member.State == ledger.Waiting {
			r.barIfMakingWay(e)
		}
	}
}

// barIfMakingWay keeps a waiting pod out of the line while its operation makes way.
func (r *Room) barIfMakingWay(e *entry) {
	if m := r.preempt.making[e.operation()]; m != nil && r.ledger.State(string(e.uid())) != ledger.Admitted {
		m.barred[e.uid()] = e
		r.ledger.Suspend(string(e.uid()), "")
	}
}

// barred says for whom a pod's operation makes way; empty if it does not.
func (r *Room) barred(e *entry) string {
	if m := r.preempt.making[e.operation()]; m != nil {
		return m.by
	}
	return ""
}

// unbar lets the pods of an operation wait in line again when its last victim is gone or let off.
func (r *Room) unbar(victim types.UID) {
	for key, m := range r.preempt.making {
		if !m.victims[victim] {
			continue
		}
		if delete(m.victims, victim); len(m.victims) > 0 {
			continue
		}
		delete(r.preempt.making, key)
		for uid, e := range m.barred {
			if e.retryIndex < 0 {
				r.ledger.Resume(string(uid))
			}
		}
		r.signal()
	}
}

// seeLeaving takes note of a pod on a node that is being deleted, and of why, where that was an eviction of
// ours before this replica began to lead.
func (r *Room) seeLeaving(e *entry) {
	if e.pod.DeletionTimestamp == nil {
		return
	}
	r.preempt.leaving[e.uid()] = true
	if c := admittedCondition(e.pod); c != nil && c.Reason == reasonPreempted && r.preempt.ordered[e.uid()] == nil {
		if r.bar(e.operation(), strings.TrimPrefix(c.Message, preemptedBy), e.uid()) {
			r.barOthers(e.uid())
		}
	}
}

// notLeaving forgets a pod that is gone.
func (r *Room) notLeaving(e *entry) {
	uid := e.uid()
	delete(r.preempt.leaving, uid)
	delete(r.preempt.spared, uid)
	if o := r.preempt.ordered[uid]; o != nil {
		r.noteAsked(o, uid)
		r.settled(o, uid)
	}
	delete(r.preempt.ordered, uid)
	for _, m := range r.preempt.making {
		delete(m.barred, uid)
	}
	r.unbar(uid)
}

// preemptionOf is whom a queue preempts.
func preemptionOf(q *v1alpha1.Queue) ledger.Preemption {
	if q.Spec.Preemption == v1alpha1.PreemptLowerPriority {
		return ledger.LowerPriority
	}
	return ledger.Never
}

// preempted says whether the condition of a pod that makes way is to stay as it is.
func (r *Room) preempted(e *entry) bool {
	c := admittedCondition(e.pod)
	return c != nil && c.Reason == reasonPreempted && (e.pod.DeletionTimestamp != nil || r.preempt.ordered[e.uid()] != nil)
}
