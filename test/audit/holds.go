package audit

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Why a pod says that it waits, where that concerns others.
const (
	roomReserved = "RoomReserved" // room is held for it: it was passed over for too long
	preempting   = "Preempting"   // room is held for it, which others make
	preempted    = "Preempted"    // it makes way for others, or its operation does
)

// hold is room that the scheduler says it holds for a pod, or for a gang. It keeps operations of its level and
// of lower ones from what it asks for along its path.
type hold struct {
	key    string
	level  int64
	path   []nodeKey
	seat   bool // it needs one
	need   corev1.ResourceList
	member *podRecord // the pod, or one of the gang
}

// holdOf is for whom room is held where a pod says that room is held for it: the pod or its gang.
func (r *podRecord) holdOf() string {
	switch {
	case r.says != roomReserved && r.says != preempting:
		return ""
	case r.gang:
		return r.op.owner
	}
	return string(r.uid)
}

// findHolds believes that room is held for a pod while the pod lacks room in fact: on its path, or because of
// another hold that is believed. What has room is to go, so nobody has to wait for it.
func (a *Auditor) findHolds() {
	a.holds = nil
	claimed := map[string]*hold{}
	for _, r := range a.reserving {
		q := a.world.queues[r.queue]
		if q == nil || !a.couldEverFit(r.shape) {
			continue
		}
		h := claimed[r.holdOf()]
		if h == nil {
			h = &hold{key: r.holdOf(), level: level(q), path: a.world.path(r.queue, r.project), seat: !a.seated(r), need: corev1.ResourceList{}, member: r}
			claimed[h.key] = h
		}
		add(h.need, r.requests)
	}
	for found := true; found; {
		found = false
		for _, key := range slices.Sorted(maps.Keys(claimed)) {
			if h := claimed[key]; a.lacksRoom(h) {
				a.holds = append(a.holds, h)
				delete(claimed, key)
				found = true
			}
		}
	}
}

func (a *Auditor) lacksRoom(h *hold) bool {
	for _, k := range h.path {
		seats, amounts := a.reserved(k, h.level, h.key)
		if k.kind == agentKind {
			seats += a.kept(k.name, h.member.queue)
		}
		if h.seat && !a.node(k).hasSeat(seats) || !a.node(k).hasAmounts(h.need, amounts) {
			return true
		}
	}
	return false
}

// reserved is what is held of a limit against those of a level, by others than one hold.
func (a *Auditor) reserved(k nodeKey, level int64, but string) (seats int64, amounts corev1.ResourceList) {
	for _, h := range a.holds {
		if h.key == but || h.level < level || !slices.Contains(h.path, k) {
			continue
		}
		if h.seat {
			seats++
		}
		if amounts == nil {
			amounts = corev1.ResourceList{}
		}
		add(amounts, h.need)
	}
	return seats, amounts
}

func add(sum, more corev1.ResourceList) {
	for name, q := range more {
		total := sum[name].DeepCopy()
		total.Add(q)
		sum[name] = total
	}
}

// makesWay reports whether pods of a waiting pod's operation are being evicted: until they are gone,
// the operation waits.
func (a *Auditor) makesWay(w *podRecord) bool {
	for _, r := range a.pods {
		if r.phase == podBound && r.op == w.op && r.says == preempted {
			return true
		}
	}
	return false
}

// madeWay has the rest of an operation wait from when its last pod that made way is gone.
func (a *Auditor) madeWay(now time.Time, gone *podRecord) {
	if gone.says != preempted {
		return
	}
	for _, s := range a.shapes {
		for _, w := range s.pods {
			if w.op == gone.op {
				w.since = now
			}
		}
	}
}
