package scheduler

import (
	"cmp"
	"container/heap"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// errNotAdmitted refuses a pod whose room was taken back while it was in flight.
var errNotAdmitted = errors.New("the queue has not admitted this pod, or has taken its admission back")

// commit is Permit's decision: from here on the pod's room is its own until the bind fails.
func (r *Room) commit(uid types.UID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[uid]
	if e == nil || !r.ranks.has(uid) {
		return errNotAdmitted
	}
	if err := r.ledger.Revalidate(string(uid)); err != nil {
		// Out of the line until the cycle has handed it back, so that it is not admitted twice.
		crew := r.crew(e)
		r.ranks.drop(uid)
		r.notIdle(e)
		e.rejected = true
		r.ledger.Suspend(string(uid), err.Error())
		r.disband(crew)
		r.signal()
		return err
	}
	e.committed = true
	r.notIdle(e)
	return nil
}

// uncommit undoes commit. It may be called for any pod, any number of times.
func (r *Room) uncommit(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[uid]
	if e == nil || !e.committed {
		return
	}
	e.committed = false
	if e.listed && !e.bound() {
		r.waiting(e) // it may have been moved or deleted while that could not be heeded
		r.signal()
	}
}

// noFit is told of an admitted pod that no node fits: it gives its room back at once when others
// wait for it, and later (pump, sweep) when they come or when admissionTimeout has passed. A gang gives
// it back in any case, and is tried again as a whole.
func (r *Room) noFit(e *entry) {
	if e.committed || !r.ranks.has(e.uid()) {
		return
	}
	if !e.idleSince.IsZero() {
		e.tried = r.growths // the scheduler's own queue sees to room that comes while it tries a pod again
	}
	if r.crew(e) != nil {
		// Its pods would wake at different times and take nodes from each other's gangs.
		r.giveBack(e)
		return
	}
	r.setIdle(e)
	if r.ledger.Contended(string(e.uid())) {
		r.giveBack(e)
	}
}

// setIdle notes since when a pod holds room in vain.
func (r *Room) setIdle(e *entry) {
	if !e.idleSince.IsZero() {
		return
	}
	e.idleSince = r.clock.Now()
	if len(r.idle) == 0 {
		r.idleLooks.ends = e.idleSince.Add(r.args.AdmissionTimeout.Duration)
	}
	r.idle[e.uid()] = e
}

// notIdle ends it.
func (r *Room) notIdle(e *entry) {
	if !e.idleSince.IsZero() {
		e.idleSince = time.Time{}
		delete(r.idle, e.uid())
	}
}

// giveBack returns an admitted pod's room and keeps the pod out of the line for its back-off. A gang
// that forms goes with it: all that can, in one back-off.
func (r *Room) giveBack(e *entry) {
	crew := r.crew(e)
	until := longestBackoff(crew)
	if until == nil {
		e.attempts++
		e.retryAt = r.clock.Now().Add(r.backoff(e.attempts))
		until = e
	}
	attempts, retryAt, tried := until.attempts, until.retryAt, e.tried
	leaving := r.takeable(crew)
	if crew == nil {
		leaving = []*entry{e}
	}
	for _, e := range leaving {
		r.unadmit(e)
		r.noRetry(e)
		e.attempts, e.retryAt, e.tried = attempts, retryAt, tried
		e.since = r.clock.Now() // room is not held for what found no node, until it has waited anew
		heap.Push(&r.retries, e)
		r.ledger.Suspend(string(e.uid()), "")
	}
	// Room that came while it was tried may have come too late for it.
	r.wakes = r.wakes || tried < r.growths
	noFitReturns.Inc()
	r.signal()
}

// backoff is how long a pod stays out of the line after so many attempts.
func (r *Room) backoff(attempts int) time.Duration {
	backoff := r.args.InitialBackoff.Duration
	for i := 1; i < attempts && backoff < r.args.MaxBackoff.Duration; i++ {
		backoff *= 2
	}
	return min(backoff, r.args.MaxBackoff.Duration)
}

// unadmit takes the rank of a pod away and the pod out of the scheduler's queue.
func (r *Room) unadmit(e *entry) {
	r.ranks.drop(e.uid())
	r.notIdle(e)
	r.letOut(e)
}

// idleLooks is when pods are looked at that no node fits. Few are whenever anything changed. Where they are many, as in
// a queue without limits, the time to the next look grows with them, so that looking is a small part of the time.
type idleLooks struct {
	last time.Time
	owed bool      // one was put off
	ends time.Time // nobody's time is up before
}

const (
	idleFew  = 256
	idlePace = 20 * time.Microsecond
)

// next is when so many pods may be looked at again.
func (l *idleLooks) next(idle int) time.Time {
	return l.last.Add(time.Duration(max(0, idle-idleFew)) * idlePace)
}

// reclaimIdle takes room back from pods no node fits: where others wait, or where time is up.
func (r *Room) reclaimIdle(now time.Time) (reclaimed bool) {
	if len(r.idle) == 0 {
		return false
	}
	looks := &r.idleLooks
	if looks.owed = now.Before(looks.next(len(r.idle))); looks.owed {
		return false
	}
	looks.last, looks.ends = now, now.Add(r.args.AdmissionTimeout.Duration)
	for _, e := range r.idle {
		ends := e.idleSince.Add(r.args.AdmissionTimeout.Duration)
		switch {
		case !ends.After(now), r.ledger.Contended(string(e.uid())):
			r.giveBack(e)
			reclaimed = true
		case ends.Before(looks.ends):
			looks.ends = ends
		}
	}
	return reclaimed
}

// resumeDue puts pods whose back-off is over back into line.
func (r *Room) resumeDue(now time.Time) {
	for len(r.retries) > 0 && !r.retries[0].retryAt.After(now) {
		r.resume(r.retries[0])
	}
}

func (r *Room) resume(e *entry) {
	r.noRetry(e)
	r.ledger.Resume(string(e.uid()))
	if e.listed && !e.bound() {
		r.waiting(e) // its queue or its gang may have changed while it could not be moved
	}
}

// noRetry forgets a pod's back-off.
func (r *Room) noRetry(e *entry) {
	if e.retryIndex >= 0 {
		heap.Remove(&r.retries, e.retryIndex)
	}
}

// wakeBatch is how many pods one round of wake-ups ends the back-off of: about as many as can be tried
// until the next, so that those that still find no node do not hold up others.
const wakeBatch = 64

// capacityGrew is told that nodes have more room: pods in back-off that were tried before are tried
// again soon.
func (r *Room) capacityGrew() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.growths++
	r.wakes = true
	if len(r.retries) > 0 {
		r.signal()
	}
}

// wakeUp ends the back-off of pods that were tried before nodes had as much room as now, at most so many
// in each shortest back-off and those first that were tried longest ago. Of a gang all are woken. What a
// pod has learnt to wait stays: if it fails again it waits longer.
func (r *Room) wakeUp(now time.Time) {
	if !r.wakes || len(r.retries) == 0 || now.Sub(r.woken) < r.args.InitialBackoff.Duration {
		return
	}
	var due []*entry
	for _, e := range r.retries {
		if e.tried < r.growths {
			due = append(due, e)
		}
	}
	slices.SortFunc(due, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.tried, b.tried), cmp.Compare(a.uid(), b.uid()))
	})
	r.wakes = len(due) > wakeBatch
	for _, e := range due[:min(len(due), wakeBatch)] {
		crew := r.crew(e)
		if crew == nil {
			crew = []*entry{e}
		}
		for _, e := range crew {
			if e.retryIndex >= 0 {
				r.resume(e)
			}
		}
		r.woken = now
	}
}

// retryHeap orders pods in back-off by the time it ends.
type retryHeap []*entry

func (h retryHeap) Len() int           { return len(h) }
func (h retryHeap) Less(i, j int) bool { return h[i].retryAt.Before(h[j].retryAt) }
func (h retryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].retryIndex, h[j].retryIndex = i, j
}

func (h *retryHeap) Push(x any) {
	e := x.(*entry)
	e.retryIndex = len(*h)
	*h = append(*h, e)
}

func (h *retryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.retryIndex = -1
	return e
}
