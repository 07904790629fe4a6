package scheduler

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// A gang is the pods that name one PodGroup: so many of them are admitted together or not at all.
// The ledger sees to that; here a gang that forms gives its room back as a whole, too. Pods that
// Coscheduling keeps in Permit hold room that cannot be taken: it lets them go when one of the gang
// fails, or in time, and they come back here on their own.

// reasonPodGroupNotFound is why a pod waits whose gang nobody has described.
const reasonPodGroupNotFound = "PodGroupNotFound"

// gang is what a pod's PodGroup makes of it.
type gang struct {
	operation string // empty: the pod names no PodGroup that exists
	size      int
}

// gangOf finds the PodGroup that a pod names. The refusal is for a pod whose PodGroup is missing.
func (d *directory) gangOf(pod *v1.Pod) (gang, *tenancy.Refusal) {
	name := pod.Labels[podgroups.PodGroupLabel]
	if name == "" {
		return gang{}, nil
	}
	if pg := d.podGroups[types.NamespacedName{Namespace: pod.Namespace, Name: name}]; pg != nil {
		if pg.Spec.MinMember < 2 {
			return gang{}, nil // nothing to keep together: else it would put any number of pods on one seat
		}
		return gang{pod.Namespace + "/podgroup " + string(pg.UID), int(pg.Spec.MinMember)}, nil
	}
	return gang{}, &tenancy.Refusal{Reason: reasonPodGroupNotFound, Message: fmt.Sprintf(
		"PodGroup %s does not exist in namespace %s; create it or take the label %s away", name, pod.Namespace, podgroups.PodGroupLabel)}
}

func (r *Room) podGroupSeen(pg *podgroups.PodGroup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := types.NamespacedName{Namespace: pg.Namespace, Name: pg.Name}
	before := r.directory.podGroups[key]
	r.directory.podGroups[key] = pg
	if before == nil || before.UID != pg.UID || before.Spec.MinMember != pg.Spec.MinMember {
		r.stale.add(pg.Namespace)
		r.signal()
	}
}

func (r *Room) podGroupGone(pg *podgroups.PodGroup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.directory.podGroups, types.NamespacedName{Namespace: pg.Namespace, Name: pg.Name})
	r.stale.add(pg.Namespace)
	r.signal()
}

// crew is the gang of a pod, the pod among them, while it forms: once one of them runs, or where
// there is no gang, every pod stands for itself and the crew is empty.
func (r *Room) crew(e *entry) []*entry {
	if e.gang.size <= 1 || r.ledger.Runs(string(e.uid())) {
		return nil
	}
	var crew []*entry
	for _, m := range r.ledger.Members(string(e.uid())) {
		if member := r.entries[types.UID(m.UID)]; member != nil {
			crew = append(crew, member)
		}
	}
	return crew
}

// takeable are those of a crew whose room can be taken back.
func (r *Room) takeable(crew []*entry) []*entry {
	var out []*entry
	for _, e := range crew {
		if !e.committed && r.ledger.State(string(e.uid())) == ledger.Admitted {
			out = append(out, e)
		}
	}
	return out
}

// broken says whether a part of a crew holds room that is too small a part for the gang to start.
func (r *Room) broken(crew []*entry) bool {
	holders, size := 0, 0
	for _, e := range crew {
		size = max(size, e.gang.size)
		if r.ledger.State(string(e.uid())).Holds() {
			holders++
		}
	}
	return holders > 0 && holders < size
}

// disband has what is left of a crew wait again, if it is too little: without a back-off, for
// nothing says yet that no node fits it. A crew that is still large enough is left alone.
func (r *Room) disband(crew []*entry) {
	if !r.broken(crew) {
		return
	}
	for _, e := range r.takeable(crew) {
		r.unadmit(e)
		r.ledger.Return(string(e.uid()))
	}
	r.signal()
}

// without is a crew without one of its pods.
func without(crew []*entry, gone *entry) []*entry {
	var rest []*entry
	for _, e := range crew {
		if e != gone {
			rest = append(rest, e)
		}
	}
	return rest
}

// longestBackoff is the pod of a crew that is longest in back-off, whose back-off the others join.
func longestBackoff(crew []*entry) *entry {
	var found *entry
	for _, e := range crew {
		if e.retryIndex >= 0 && (found == nil || e.retryAt.After(found.retryAt)) {
			found = e
		}
	}
	return found
}
