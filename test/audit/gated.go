package audit

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// gatedPod is a pod that waits for its workflows.
type gatedPod struct {
	operation, workflow types.UID
	pod                 *corev1.Pod
	room                time.Time // since when there has been room for it in them and in its queue; zero: there is none
	reported            bool
}

func gate(before *gatedPod, m move, p *corev1.Pod) *gatedPod {
	g := &gatedPod{operation: m.operation, workflow: m.workflow, pod: p}
	if before != nil {
		g.room, g.reported = before.room, before.reported
	}
	return g
}

// operation is an Operation object of a workflow.
type operation struct {
	since    time.Time // when it was first seen, zero: the audit began with it
	workflow types.UID
	queue    string
	phase    v1alpha1.Status
	asPod    bool // it runs as a pod
}

// observeOperation takes a change of an operation.
func (a *Auditor) observeOperation(e Event, o *v1alpha1.Operation) {
	known := a.flights.known
	if e.Deleted || o.Labels[v1alpha1.WorkflowUIDLabel] == "" {
		delete(known, o.UID)
		return
	}
	k := known[o.UID]
	if k == nil {
		k = &operation{}
		if !e.Found {
			k.since = e.Time
		}
		known[o.UID] = k
	}
	k.workflow, k.queue, k.phase = types.UID(o.Labels[v1alpha1.WorkflowUIDLabel]), o.Status.Queue, o.Status.Phase
	k.asPod = o.Status.Run != nil && o.Status.Run.Kind == "Pod"
}

// stuckInWorkflow reports pods that have waited too long for workflows which have room at every level, as their
// queues have, and which release nothing any more.
func (a *Auditor) stuckInWorkflow(now time.Time) []Violation {
	f := &a.flights
	var found []Violation
	lines := sync.OnceValue(a.lines)
	unseen := sync.OnceValue(func() map[*workflow]int { return a.unseen(lines()) })
	for uid, g := range f.gated {
		around, complete := f.around(g.workflow)
		r := a.pods[uid]
		stamp(&g.room, now, complete && r != nil && a.mayGo(g, r) && a.queueWouldAdmit(r, lines) && roomIn(around, unseen()))
		if g.room.IsZero() || g.reported {
			continue
		}
		waits := now.Sub(g.room)
		quiet := now.Sub(latest(around[len(around)-1].lastStart, a.lastBound[r.queue])) > a.config.StuckAfter
		if quiet && waits > a.config.StuckAfter {
			g.reported = true
			found = append(found, Violation{now, Stuck, r.name, r.queue, fmt.Sprintf(
				"waits for its workflow for %s though there is room: %s", waits.Round(time.Second), numbersOf(around))})
		}
	}
	slices.SortFunc(found, func(x, y Violation) int { return cmp.Compare(x.Pod, y.Pod) })
	return found
}

// mayGo reports whether nothing but its workflows keeps a pod from its queue.
func (a *Auditor) mayGo(g *gatedPod, r *podRecord) bool {
	if r.gang || len(g.pod.Spec.SchedulingGates) > 1 || a.world.refused(g.pod) {
		return false
	}
	o := a.flights.known[g.operation]
	return o == nil || o.phase != v1alpha1.StatusStopping
}

// roomIn reports whether each of the workflows lets one more operation go, beside what is in flight unseen.
func roomIn(around []*workflow, unseen map[*workflow]int) bool {
	return !slices.ContainsFunc(around, func(w *workflow) bool {
		limit, bounded := w.history.current()[operations]
		return w.over || bounded && int64(w.inFlight+unseen[w]) >= limit.Value()
	})
}

// queueWouldAdmit reports whether a pod would go on at once if it were released. In a strict queue it would
// not if anything waits there.
func (a *Auditor) queueWouldAdmit(r *podRecord, lines func() map[string]bool) bool {
	amounts, seats, agentSeat := a.roomFor(r.shapeKey(), r.requests)
	if !amounts || !seats || !agentSeat || a.budgeted(r.queue, r.project) {
		return false
	}
	return a.world.queues[r.queue].Spec.Strategy != v1alpha1.StrictFIFO || !lines()[r.queue]
}

// lines are the queues in which released pods wait.
func (a *Auditor) lines() map[string]bool {
	lines := map[string]bool{}
	for uid, r := range a.pods {
		if r.phase == podWaiting && a.flights.gated[uid] == nil {
			lines[r.queue] = true
		}
	}
	return lines
}

// unseen counts, for each workflow, the operations that may be in flight though no pod shows it: those that do
// not run as pods, and those that lie behind others of their queue, which get their pods when it comes near to them.
func (a *Auditor) unseen(lines map[string]bool) map[*workflow]int {
	f := &a.flights
	gated := map[types.UID]bool{}
	for _, g := range f.gated {
		gated[g.operation] = true
	}
	unseen := map[*workflow]int{}
	for uid, o := range f.known {
		if _, seen := f.inFlight[uid]; seen || gated[uid] || !o.mayFly(lines) {
			continue
		}
		around, _ := f.around(o.workflow)
		for _, w := range around {
			unseen[w]++
		}
	}
	return unseen
}

func (o *operation) mayFly(lines map[string]bool) bool {
	switch o.phase {
	case v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable:
		return !o.asPod || lines[o.queue]
	case v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning, v1alpha1.StatusWarning, v1alpha1.StatusUnknown, v1alpha1.StatusStopping:
		return !o.asPod
	}
	return false
}

// numbersOf writes what is in flight against what is allowed.
func numbersOf(around []*workflow) string {
	text := ""
	for _, w := range around {
		if limit, bounded := w.history.current()[operations]; bounded {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%s %d/%s operations", w, w.inFlight, limit.String())
		}
	}
	return cmp.Or(text, "no workflow around it limits")
}
