package audit

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Hub is the name of the cluster of a fleet in which people create operations; the others are agents' clusters.
const Hub = "hub"

// Fleet judges several clusters, each by itself and all together: the limits of projects, organizations and queues of several agents at the hub bind
// what runs anywhere, no operation runs in two clusters, and each comes to one result. It is not safe for concurrent use.
type Fleet struct {
	config   Config
	clusters map[string]*Auditor
	runs     map[types.UID]placed                    // bound pods that have not ended
	copies   map[types.UID]types.NamespacedName      // operations of agents' clusters -> operation of the hub
	overlaps map[types.NamespacedName]overlap        // that a watch which lags may explain
	results  map[types.UID]map[int32]v1alpha1.Status // of operations of the hub, by restart
}

// placed is where a pod runs, and of which operation of its cluster it is.
type placed struct {
	cluster, name, queue string
	operation            types.UID
	origin               types.NamespacedName // of the hub; empty: not known, or none
}

// overlap is an operation that was seen running in two clusters.
type overlap struct {
	since  time.Time
	places [2]placed
}

// NewFleet makes a fleet of clusters that nothing has been seen of.
func NewFleet(config Config, clusters ...string) *Fleet {
	f := &Fleet{
		config: config, clusters: map[string]*Auditor{Hub: New(config)}, runs: map[types.UID]placed{}, copies: map[types.UID]types.NamespacedName{},
		overlaps: map[types.NamespacedName]overlap{}, results: map[types.UID]map[int32]v1alpha1.Status{},
	}
	for _, c := range clusters {
		f.clusters[c] = New(config)
	}
	return f
}

// Observe takes the next event of a cluster and returns the violations that it proves.
func (f *Fleet) Observe(cluster string, e Event) []Violation {
	found := f.clusters[cluster].Observe(e)
	switch o := e.Object.(type) {
	case *corev1.Pod:
		f.observePod(cluster, e, o)
	case *v1alpha1.Operation:
		found = append(found, f.observeOperation(cluster, e, o)...)
	}
	return append(found, f.settle(e.Time)...)
}

// Finish settles what still waits for a later event. Call it once, after the last event.
func (f *Fleet) Finish(now time.Time) []Violation {
	found := f.settle(now.Add(2 * f.config.EditWindow))
	for _, name := range slices.Sorted(maps.Keys(f.clusters)) {
		found = append(found, f.clusters[name].Finish(now)...)
	}
	return found
}

func (f *Fleet) observePod(cluster string, e Event, p *corev1.Pod) {
	if len(f.clusters) == 1 {
		return
	}
	_, ran := f.runs[p.UID]
	if e.Deleted || phaseOf(p) != podBound || p.Spec.SchedulerName != v1alpha1.SchedulerName {
		delete(f.runs, p.UID)
		if ran {
			f.part(e.Time)
		}
		return
	}
	if ran {
		return
	}
	r := f.clusters[cluster].pods[p.UID]
	if r == nil {
		return
	}
	run := placed{cluster: cluster, name: r.name, queue: r.queue, operation: types.UID(p.Labels[v1alpha1.OperationUIDLabel])}
	if cluster == Hub {
		run.origin = types.NamespacedName{Namespace: p.Annotations[v1alpha1.OriginAnnotation], Name: p.Labels[v1alpha1.OperationLabel]}
	} else {
		run.origin = f.copies[run.operation]
	}
	f.runs[p.UID] = run
	f.suspectOverall(e.Time, cluster, r)
	f.meet(e.Time, run)
}

// suspectOverall notes every limit of the hub that a pod put above its bound, all clusters taken together.
func (f *Fleet) suspectOverall(now time.Time, cluster string, r *podRecord) {
	hub := f.clusters[Hub]
	for _, k := range f.clusters[cluster].world.path(r.queue, r.project) {
		if q := hub.world.queues[k.name]; k.kind == agentKind || k.kind == queueKind && (q == nil || len(q.Spec.Agents) == 0) {
			continue // what runs when a queue is given another agent ends where it is
		}
		seats, sums := 0, map[string]resource.Quantity{}
		for _, a := range f.clusters {
			n := a.node(k)
			seats += len(n.ops)
			for d, q := range n.sums {
				sum := sums[d].DeepCopy()
				sum.Add(q)
				sums[d] = sum
			}
		}
		sums[operations] = *resource.NewQuantity(int64(seats), resource.DecimalSI)
		for _, d := range append(dimensions(r.requests), operations) {
			limit, bounded := hub.node(k).history.current()[d]
			if value := sums[d]; bounded && value.Cmp(limit) > 0 {
				hub.suspicions = append(hub.suspicions, suspicion{what: "all clusters, " + k.String(), history: hub.node(k).history, dimension: d, value: value.DeepCopy(),
					from: now, at: now, violation: Violation{Time: now, Rule: OverLimit, Pod: cluster + "/" + r.name, Queue: r.queue}})
			}
		}
	}
}

// meet notes that an operation runs in a second cluster.
func (f *Fleet) meet(now time.Time, run placed) {
	if run.origin.Name == "" {
		return
	}
	if _, noted := f.overlaps[run.origin]; noted {
		return
	}
	for _, other := range f.runs {
		if other.origin == run.origin && other.cluster != run.cluster {
			f.overlaps[run.origin] = overlap{now, [2]placed{other, run}}
			return
		}
	}
}

// part forgets overlaps that are over within the time that a watch may lag.
func (f *Fleet) part(now time.Time) {
	for origin, o := range f.overlaps {
		clusters := map[string]bool{}
		for _, run := range f.runs {
			if run.origin == origin {
				clusters[run.cluster] = true
			}
		}
		if len(clusters) < 2 && now.Sub(o.since) < f.config.EditWindow {
			delete(f.overlaps, origin)
		}
	}
}

// settle reports overlaps that no lagging watch explains any more.
func (f *Fleet) settle(now time.Time) []Violation {
	var found []Violation
	for origin, o := range f.overlaps {
		if now.Sub(o.since) < f.config.EditWindow {
			continue
		}
		delete(f.overlaps, origin)
		found = append(found, Violation{o.since, Twice, o.places[1].cluster + "/" + o.places[1].name, o.places[1].queue,
			"operation " + origin.String() + " runs in cluster " + o.places[0].cluster + " as well, as pod " + o.places[0].name})
	}
	return found
}

func (f *Fleet) observeOperation(cluster string, e Event, op *v1alpha1.Operation) []Violation {
	if cluster != Hub {
		origin := types.NamespacedName{Namespace: op.Labels[v1alpha1.OriginNamespaceLabel], Name: op.Labels[v1alpha1.OriginNameLabel]}
		if origin.Name == "" || f.copies[op.UID] == origin {
			return nil
		}
		// Its pods may have been seen before.
		f.copies[op.UID] = origin
		for uid, run := range f.runs {
			if run.operation == op.UID && run.cluster == cluster {
				run.origin = origin
				f.runs[uid] = run
				f.meet(e.Time, run)
			}
		}
		return nil
	}
	if op.Status.Phase == v1alpha1.StatusStopped {
		return nil // it may be resumed
	}
	if e.Deleted || !op.Status.Phase.Final() {
		return f.unended(e, op)
	}
	ends := f.results[op.UID]
	if ends == nil {
		ends = map[int32]v1alpha1.Status{}
		f.results[op.UID] = ends
	}
	before, ended := ends[op.Status.Restarts]
	ends[op.Status.Restarts] = op.Status.Phase
	if !ended || before == op.Status.Phase {
		return nil
	}
	return []Violation{{e.Time, Result, op.Namespace + "/" + op.Name, op.Status.Queue, "its result was " + string(before) + " and is " + string(op.Status.Phase) + " now"}}
}

// unended reports an operation that goes on after its result, without a restart.
func (f *Fleet) unended(e Event, op *v1alpha1.Operation) []Violation {
	before, ended := f.results[op.UID][op.Status.Restarts]
	if e.Deleted || !ended {
		return nil
	}
	return []Violation{{e.Time, Result, op.Namespace + "/" + op.Name, op.Status.Queue, "its result was " + string(before) + " and it is " + string(op.Status.Phase) + " again"}}
}
