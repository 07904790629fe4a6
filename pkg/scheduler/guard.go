package scheduler

import (
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/queueyard/queueyard/pkg/ledger"
)

// The starvation guard: an operation that asks for much would wait for ever where smaller ones that come
// later always take what becomes free. When the head of a queue has waited so for too long, room is held for it.
//
// Whether it was passed over is read from what holds room now, and since when it waits from the pod, so a new
// leader comes to the same decision. Of a pod that says that room is held for it the new leader asks no more.

// guardPeriod is how often heads are looked at.
const guardPeriod = time.Second

// guard is for whom room is held.
type guard struct {
	held   map[string]*holding // by queue
	looked time.Time
}

// holding is room that is held for a pod, or for its gang.
type holding struct {
	uid   types.UID
	since time.Time
	// fitsBy is when there is room for the pod at the latest; zero: nobody can say. It never becomes later: else
	// those that use the room until then could push it before them.
	fitsBy    time.Time
	estimated time.Time
	// preempts: the room is taken from others for it, and nobody may use it meanwhile.
	preempts bool
}

// guardHeads holds room for heads that were passed over for too long, and goes on holding what is held.
func (r *Room) guardHeads(now time.Time) {
	for queue, h := range r.guard.held {
		r.hold(queue, h, now)
	}
	timeout := r.args.StarvationTimeout.Duration
	if timeout <= 0 || now.Sub(r.guard.looked) < guardPeriod {
		return
	}
	r.guard.looked = now
	for queue := range r.ledger.Queues {
		if r.guard.held[queue] != nil {
			continue
		}
		uid, ok := r.ledger.Head(queue)
		e := r.entries[types.UID(uid)]
		if !ok || e == nil || now.Sub(e.waitsSince()) < timeout {
			continue
		}
		if saysReserved(e.pod) || r.ledger.PassedOver(uid) {
			r.beginHolding(queue, &holding{uid: e.uid(), since: now}, now)
		}
	}
}

func (r *Room) beginHolding(queue string, h *holding, now time.Time) {
	if !r.ledger.Reserve(string(h.uid), 0) {
		return
	}
	if r.guard.held == nil {
		r.guard.held = map[string]*holding{}
	}
	r.guard.held[queue] = h
	r.reports.ahead = append(r.reports.ahead, h.uid)
	for _, member := range r.crew(r.entries[h.uid]) {
		r.reports.ahead = append(r.reports.ahead, member.uid())
	}
	r.hold(queue, h, now)
}

// hold goes on holding room, for which it may have been lost: an edit of the queue ends a reservation. It
// ends with the wait.
func (r *Room) hold(queue string, h *holding, now time.Time) {
	e := r.entries[h.uid]
	if e == nil || e.assignment.Queue != queue || r.ledger.State(string(h.uid)) != ledger.Waiting {
		r.ledger.Unreserve(string(h.uid))
		delete(r.guard.held, queue)
		return
	}
	if now.Sub(h.estimated) >= guardPeriod && !h.preempts {
		h.estimated = now
		at, known := r.ledger.FitsBy(string(h.uid), func(uid string) (int64, bool) { return r.endOf(types.UID(uid), now) })
		if fitsBy := time.Unix(0, at); known && (h.fitsBy.IsZero() || fitsBy.Before(h.fitsBy)) {
			h.fitsBy = fitsBy
		}
	}
	within := int64(0)
	if !h.fitsBy.IsZero() {
		within = int64(h.fitsBy.Sub(now))
	}
	r.ledger.Reserve(string(h.uid), within)
}

// endOf is when a pod that holds room ends at the latest, going by what it declares.
func (r *Room) endOf(uid types.UID, now time.Time) (int64, bool) {
	e := r.entries[uid]
	if e == nil {
		return 0, false
	}
	end, start := time.Time{}, now
	if e.pod.Status.StartTime != nil {
		start = e.pod.Status.StartTime.Time
	}
	switch limit := longestHold(e.pod); {
	case e.pod.DeletionTimestamp != nil:
		end = e.pod.DeletionTimestamp.Time
	case limit > 0:
		end = start.Add(limit)
	default:
		return 0, false
	}
	if end.Before(now) {
		end = now // it is late, and may end any moment
	}
	return end.UnixNano(), true
}

// waitsSince is since when a pod waits for its queue.
func (e *entry) waitsSince() time.Time {
	if e.since.After(e.pod.CreationTimestamp.Time) {
		return e.since
	}
	return e.pod.CreationTimestamp.Time
}

// saysReserved says whether the condition of a pod says that room is held for it.
func saysReserved(pod *v1.Pod) bool {
	c := admittedCondition(pod)
	return c != nil && c.Status == v1.ConditionFalse && c.Reason == string(ledger.RoomReserved)
}

// explain is why a waiting pod waits.
func (r *Room) explain(e *entry) (reason, message string) {
	why, _ := r.ledger.Explain(string(e.uid()))
	reason, message = r.waitReason(e, why.Reason), why.Message()
	switch why.Reason {
	case ledger.RoomReserved:
		h := r.holdingFor(e)
		if h == nil {
			return reason, "room is being held for it; " + message
		}
		since := "room is being held for it since " + clockTime(h.since)
		if h.preempts {
			since = "operations of lower priority make way; " + since
		}
		return reason, since + "; " + message
	case ledger.RoomHeld:
		return reason, r.heldFor(e, why.HeldFor) + "; " + message
	}
	return reason, message
}

// waitReason is why a pod waits, of which the ledger says why.
func (r *Room) waitReason(e *entry, why ledger.Reason) string {
	if why == ledger.RoomReserved {
		if h := r.holdingFor(e); h != nil && h.preempts {
			return reasonPreempting
		}
	}
	return string(why)
}

// holdingFor is the room that is held for a pod, or for its gang; nil if there is none.
func (r *Room) holdingFor(e *entry) *holding {
	h := r.guard.held[e.assignment.Queue]
	if h == nil || h.uid != e.uid() && !r.sameGang(h, e) {
		return nil
	}
	return h
}

func (r *Room) sameGang(h *holding, e *entry) bool {
	other := r.entries[h.uid]
	return other != nil && e.gang.size > 1 && other.gang == e.gang
}

// heldFor says for whom room is held, and what would let a pod use it.
func (r *Room) heldFor(e *entry, uids []string) string {
	for _, uid := range uids {
		other := r.entries[types.UID(uid)]
		if other == nil {
			continue
		}
		text := fmt.Sprintf("room is held for %s, waiting since %s", klog.KObj(other.pod), clockTime(other.waitsSince()))
		h, runtime := r.guard.held[other.assignment.Queue], longestHold(e.pod)
		switch {
		case h == nil || h.preempts:
			return text + ", for which others make way"
		case runtime == 0:
			return text + "; declare queueyard.io/max-runtime to use what it cannot use yet"
		case h.fitsBy.IsZero():
			return text + "; nobody can say for how long it cannot be used: too few of those that run declare queueyard.io/max-runtime"
		default:
			return text + fmt.Sprintf("; by %s it will have it, sooner than %s from now", clockTime(h.fitsBy), runtime)
		}
	}
	return "room is held for others that waited too long"
}

func clockTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
