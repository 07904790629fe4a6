package audit

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// flights are the operations of workflows that are in flight: that have a pod without the gate of
// workflows which is not at its end.
type flights struct {
	workflows map[types.UID]*workflow
	known     map[types.UID]*operation // the objects
	runs      map[types.UID]*run       // what was seen of an operation's pods
	gated     map[types.UID]*gatedPod  // by pod
	inFlight  map[types.UID]types.UID  // operation -> its workflow
	moves     []move                   // that are not counted yet, oldest first
}

func newFlights() flights {
	return flights{
		workflows: map[types.UID]*workflow{}, known: map[types.UID]*operation{},
		runs: map[types.UID]*run{}, gated: map[types.UID]*gatedPod{}, inFlight: map[types.UID]types.UID{},
	}
}

// run is an operation as its pods show it.
type run struct {
	pods    map[types.UID]bool // in flight
	seen    bool               // one of its pods, with a gate or without
	attempt string
	// from is since when this attempt may have been released, as far as anybody outside can tell; zero: it may
	// have been before the audit began. It stays released when its pod is made again.
	from  time.Time
	ended time.Time // when it was last in flight
}

// move is an operation that came in flight or ended.
type move struct {
	at         time.Time
	operation  types.UID
	workflow   types.UID
	pod, queue string
	starts     bool
	from       time.Time // since when it may have been released
}

// landed reports whether a pod is at its end. One in deletion that has no node never runs, and one without a
// grace period left is gone but for its finalizers.
func landed(p *corev1.Pod) bool {
	if phaseOf(p) == podEnded {
		return true
	}
	grace := p.DeletionGracePeriodSeconds
	return p.DeletionTimestamp != nil && (p.Spec.NodeName == "" || grace != nil && *grace == 0)
}

func gatedByWorkflow(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.SchedulingGates, func(g corev1.PodSchedulingGate) bool { return g.Name == v1alpha1.WorkflowGate })
}

// observeFlight takes a change of a pod that may be of a workflow's operation.
func (a *Auditor) observeFlight(e Event, p *corev1.Pod) {
	f := &a.flights
	m := move{at: e.Time, operation: types.UID(p.Labels[v1alpha1.OperationUIDLabel]), workflow: types.UID(p.Labels[v1alpha1.WorkflowUIDLabel])}
	if p.Spec.SchedulerName != v1alpha1.SchedulerName || m.operation == "" || m.workflow == "" {
		return
	}
	m.pod = p.Namespace + "/" + p.Name
	m.queue, _ = a.world.place(p)
	r := f.runs[m.operation]
	if r == nil {
		r = &run{pods: map[types.UID]bool{}}
		f.runs[m.operation] = r
	}
	before := f.gated[p.UID]
	delete(f.gated, p.UID)
	attempt := p.Labels[v1alpha1.AttemptLabel]
	switch {
	case e.Deleted || landed(p):
		if !r.pods[p.UID] {
			return
		}
		if delete(r.pods, p.UID); len(r.pods) == 0 {
			r.ended = e.Time
			f.moves = append(f.moves, m)
		}
	case gatedByWorkflow(p):
		f.gated[p.UID] = gate(before, m, p)
		if len(r.pods) == 0 {
			r.seen, r.attempt, r.from = true, attempt, e.Time
		}
	case !r.pods[p.UID]:
		if r.pods[p.UID] = true; len(r.pods) > 1 {
			return
		}
		switch {
		case e.Found:
			r.from = time.Time{}
		case before != nil:
			r.from = e.Time
		case !r.seen || attempt != r.attempt:
			// A pod may be made long after the release: while its queue is not near to it, it is kept in mind only.
			r.from = latest(r.ended, f.since(m.operation, e.Time))
		}
		r.seen, r.attempt = true, attempt
		m.starts, m.from = true, r.from
		f.moves = append(f.moves, m)
	}
}

// since is when an operation was first seen, zero if the audit began with it. One whose pod is seen first has
// just been made.
func (f *flights) since(operation types.UID, now time.Time) time.Time {
	if o := f.known[operation]; o != nil {
		return o.since
	}
	return now
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// count takes what has moved in its order, and suspects what started above the limit of a workflow around it. It
// waits a moment for workflows that the other watch has not shown yet.
func (a *Auditor) count(now time.Time) {
	f := &a.flights
	for len(f.moves) > 0 {
		m := f.moves[0]
		around, complete := f.around(m.workflow)
		if !complete && now.Before(m.at.Add(a.config.EditWindow)) {
			return
		}
		f.moves = f.moves[1:]
		if !m.starts {
			delete(f.inFlight, m.operation)
			for _, w := range around {
				w.inFlight--
			}
			continue
		}
		f.inFlight[m.operation] = m.workflow
		for _, w := range around {
			w.inFlight++
			w.peak, w.lastStart = max(w.peak, w.inFlight), m.at
			if !m.from.IsZero() {
				a.suspectFlight(m, w)
			}
		}
	}
}

// suspectFlight notes a workflow whose limit an operation that started exceeds. It was released within its limits
// if one of those was large enough that held since it may have been released: lowering a limit stops nothing.
func (a *Auditor) suspectFlight(m move, w *workflow) {
	value := *resource.NewQuantity(int64(w.inFlight), resource.DecimalSI)
	limit, bounded := w.history.current()[operations]
	if !bounded || value.Cmp(limit) <= 0 {
		return
	}
	a.suspicions = append(a.suspicions, suspicion{what: w.String(), history: w.history, dimension: operations, value: value, from: m.from, at: m.at,
		violation: Violation{Time: m.at, Rule: WorkflowLimit, Pod: m.pod, Queue: m.queue}})
}
