package audit

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// suspectOverLimit notes every limit on the path of a pod just charged that it put above its bound.
func (a *Auditor) suspectOverLimit(now time.Time, r *podRecord, newSeat bool) {
	for _, k := range a.world.path(r.queue, r.project) {
		n := a.node(k)
		if newSeat {
			a.suspect(now, r, k, operations, n.seatsWith(0), OverLimit, "")
		}
		for _, d := range dimensions(r.requests) {
			a.suspect(now, r, k, d, n.sums[d], OverLimit, "")
		}
	}
}

// suspect keeps a sum above the bound of the moment until the edits around it are known. For the
// rule LevelOrder the sum includes the seat that another operation should have had, for KeptSeat
// the seats that are kept.
func (a *Auditor) suspect(now time.Time, r *podRecord, k nodeKey, dimension string, value resource.Quantity, rule Rule, message string) {
	limit, bounded := a.node(k).history.current()[dimension]
	if !bounded || value.Cmp(limit) <= 0 {
		return
	}
	a.suspicions = append(a.suspicions, suspicion{what: k.String(), history: a.node(k).history, dimension: dimension, value: value.DeepCopy(), from: now, at: now,
		violation: Violation{Time: now, Rule: rule, Pod: r.name, Queue: r.queue, Message: message}})
}

// settle decides the suspicions that no later edit can explain any more.
func (a *Auditor) settle(now time.Time) []Violation {
	var found []Violation
	for len(a.suspicions) > 0 {
		s := a.suspicions[0]
		if now.Before(s.at.Add(a.config.EditWindow)) {
			break
		}
		a.suspicions = a.suspicions[1:]
		ok, limit := s.history.allowed(s.dimension, s.value, s.from.Add(-a.config.EditWindow), s.at.Add(a.config.EditWindow))
		if ok {
			continue
		}
		v := s.violation
		numbers := fmt.Sprintf("%s: %s/%s %s", s.what, s.value.String(), limit.String(), s.dimension)
		switch v.Rule {
		case OverLimit:
			v.Message = numbers + " after the pod was bound"
		case WorkflowLimit:
			v.Message = numbers + " after the pod was released"
		}
		found = append(found, v)
	}
	return found
}

// suspectOrder looks for an operation of a higher level of the same agent that waited with room
// everywhere but for the seat that this operation took. It counts only when that seat was the last:
// an operation that is admitted but has no node yet holds a seat unseen, so while seats are left
// nobody outside can say that it was passed over. A seat that is kept for a queue is left to it alone:
// a queue that holds no more than its guarantee passes over nobody.
func (a *Auditor) suspectOrder(now time.Time, r *podRecord) {
	q := a.world.queues[r.queue]
	if q == nil || now.Sub(a.edited[r.queue]) <= a.config.OrderGrace || now.Sub(a.divided[a.world.agent(q)]) <= a.config.OrderGrace {
		return
	}
	if a.held(r.queue) <= a.guarantees(a.world.agent(q))[r.queue] {
		return
	}
	agent := nodeKey{agentKind, a.world.agent(q)}
	seats := a.node(agent).seatsWith(1 + int(a.kept(a.world.agent(q), "")))
	if limit, bounded := a.node(agent).history.current()[operations]; !bounded || seats.Cmp(limit) <= 0 {
		return
	}
	if w := a.passedOver(now, q); w != nil {
		a.suspect(now, r, agent, operations, seats, LevelOrder, fmt.Sprintf(
			"took the last of the seats of %s at level %s while pod %s of queue %s at level %s had waited with room for %s",
			agent, levelName(q), w.name, w.queue, levelName(a.world.queues[w.queue]), now.Sub(w.roomSince(w.shape.butAgent)).Round(time.Millisecond)))
	}
}

// passedOver finds the operation that has waited longest, beyond the grace, in a higher level and
// without a seat kept for it.
func (a *Auditor) passedOver(now time.Time, q *v1alpha1.Queue) *podRecord {
	var longest *podRecord
	guarantees := a.guarantees(a.world.agent(q))
	for _, s := range a.shapes {
		other := a.world.queues[s.key.queue]
		if other == nil || a.world.agent(other) != a.world.agent(q) || level(other) <= level(q) || s.butAgent.IsZero() {
			continue
		}
		if a.held(other.Name) < guarantees[other.Name] || a.budgeted(s.key.queue, s.key.project) {
			continue
		}
		for _, w := range s.pods {
			since := w.roomSince(s.butAgent)
			if now.Sub(since) <= a.config.OrderGrace || w.gang || a.seated(w) || !a.inLine(w) {
				continue
			}
			if longest == nil || since.Before(longest.roomSince(longest.shape.butAgent)) {
				longest = w
			}
		}
	}
	return longest
}

// stuck reports, at most once a second and not of gangs, whose room as a whole is not known here, what has waited too long although there was room: because
// its queue admits nothing any more, or because younger ones of the same shape went first.
func (a *Auditor) stuck(now time.Time) []Violation {
	if now.Sub(a.lastStuck) < time.Second {
		return nil
	}
	a.lastStuck = now
	found := a.stuckInWorkflow(now)
	for _, s := range a.shapes {
		for _, w := range s.pods {
			room := s.room
			if a.seated(w) {
				room = s.amounts
			}
			if w.reported || w.gang || room.IsZero() || now.Sub(w.roomSince(room)) <= a.config.StuckAfter {
				continue
			}
			quiet := now.Sub(a.lastBound[s.key.queue]) > a.config.StuckAfter
			if (quiet || a.overtaken(w)) && a.inLine(w) && !a.makesWay(w) {
				w.reported = true
				found = append(found, Violation{now, Stuck, w.name, w.queue, fmt.Sprintf(
					"waits for %s though there is room: %s", now.Sub(w.roomSince(room)).Round(time.Second), a.pathNumbers(w))})
			}
		}
	}
	slices.SortFunc(found, func(x, y Violation) int { return cmp.Compare(x.Pod, y.Pod) })
	return found
}

// overtaken reports whether ones of the same shape and of no higher priority went first that came in line
// long after a waiting pod.
func (a *Auditor) overtaken(w *podRecord) bool {
	key := w.shape.key
	key.hold = ""
	s := a.shapes[key]
	if s == nil {
		return false
	}
	for priority, last := range s.lastQueued {
		if priority <= w.priority && last.Sub(w.queued) > a.config.StuckAfter {
			return true
		}
	}
	return false
}

// seated reports whether the operation of a waiting pod has its seat already.
func (a *Auditor) seated(r *podRecord) bool {
	return a.node(nodeKey{queueKind, r.queue}).ops[r.op] > 0
}

// inLine reports whether a pod's queue would serve it now: any in a best-effort queue, in a strict
// one only the head of what can fit at all.
func (a *Auditor) inLine(r *podRecord) bool {
	q := a.world.queues[r.queue]
	if q == nil || q.Spec.Strategy != v1alpha1.StrictFIFO || a.seated(r) {
		return true
	}
	for _, s := range a.shapes {
		if s.key.queue != r.queue || !a.couldEverFit(s) {
			continue
		}
		for _, w := range s.pods {
			if w != r && (a.seated(w) || before(w, r) < 0) {
				return false
			}
		}
	}
	return true
}

func (a *Auditor) couldEverFit(s *shape) bool {
	for _, k := range a.world.path(s.key.queue, s.key.project) {
		if !a.node(k).couldHold(s.requests) {
			return false
		}
	}
	return a.world.serves(s.key.queue, s.key.project, s.key.origin)
}

// pathNumbers writes what is held against what is allowed along a pod's path.
func (a *Auditor) pathNumbers(r *podRecord) string {
	text := ""
	for _, k := range a.world.path(r.queue, r.project) {
		n := a.node(k)
		for _, d := range append([]string{operations}, dimensions(r.requests)...) {
			limit, bounded := n.history.current()[d]
			if !bounded {
				continue
			}
			held := n.sums[d]
			if d == operations {
				held = n.seatsWith(0)
			}
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%s %s/%s %s", k, held.String(), limit.String(), d)
		}
	}
	if text == "" {
		return "nothing on its path is limited"
	}
	return text
}

// roomSince is since when both the pod and the room have been there.
func (r *podRecord) roomSince(room time.Time) time.Time {
	if r.since.After(room) {
		return r.since
	}
	return room
}

// refreshAll looks again at which shapes have room.
func (a *Auditor) refreshAll(now time.Time) {
	a.findHolds()
	for _, s := range a.shapes {
		a.refresh(now, s)
	}
}

func (a *Auditor) refresh(now time.Time, s *shape) {
	amounts, seats, agentSeat := a.roomFor(s.key, s.requests)
	stamp(&s.amounts, now, amounts)
	stamp(&s.butAgent, now, amounts && seats)
	stamp(&s.room, now, amounts && seats && agentSeat)
}

// roomFor reports what there is for one more pod: the amounts it asks for, a seat on every limit but the agent's,
// and the agent's.
func (a *Auditor) roomFor(key shapeKey, requests corev1.ResourceList) (amounts, seats, agentSeat bool) {
	open := a.world.serves(key.queue, key.project, key.origin)
	amounts, seats, agentSeat = open, open, open
	for _, k := range a.world.path(key.queue, key.project) {
		n := a.node(k)
		heldSeats, heldAmounts := int64(0), corev1.ResourceList(nil)
		if q := a.world.queues[key.queue]; q != nil {
			heldSeats, heldAmounts = a.reserved(k, level(q), key.hold)
		}
		amounts = amounts && n.hasAmounts(requests, heldAmounts)
		if k.kind == agentKind {
			agentSeat = n.hasSeat(heldSeats + a.kept(k.name, key.queue))
		} else {
			seats = seats && n.hasSeat(heldSeats)
		}
	}
	return amounts, seats, agentSeat
}

// forget starts the clocks anew, after the queue has been edited.
func (s *shape) forget() {
	s.amounts, s.butAgent, s.room = time.Time{}, time.Time{}, time.Time{}
}

// stamp keeps the time since when something has been true.
func stamp(since *time.Time, now time.Time, is bool) {
	if !is {
		*since = time.Time{}
	} else if since.IsZero() {
		*since = now
	}
}

func levelName(q *v1alpha1.Queue) string {
	if q.Spec.Priority == nil || *q.Spec.Priority == v1alpha1.Unlimited {
		return "highest"
	}
	return fmt.Sprint(*q.Spec.Priority)
}
