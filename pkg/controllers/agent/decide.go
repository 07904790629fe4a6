package agent

import (
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
)

// action is what is to be done about an assignment after its status is written. Each may be done again without harm.
type action string

const (
	nothing action = ""
	// claim makes it this cluster's.
	claim action = "claim"
	// makeCopy creates the operation that stands for it.
	makeCopy action = "make the copy of"
	// withdraw marks the copy: it ends if it has not begun.
	withdraw action = "withdraw the copy of"
	// stop ends the copy.
	stop action = "stop the copy of"
	// deleteCopies deletes what there is of it.
	deleteCopies action = "delete the copy of"
	// letGo takes our finalizer off.
	letGo action = "let go"
)

// situation is all that is decided by.
type situation struct {
	// Assignment is nil if the hub has none of this name.
	Assignment *v1alpha1.Assignment
	// Copy stands for it; nil: there is none. Others are copies of its name that stand for something else.
	Copy   *v1alpha1.Operation
	Others []v1alpha1.Operation
	// Cluster is this one's UID.
	Cluster string
	// Obstacle says why a copy can't be made; empty: nothing is in the way.
	Obstacle string
}

// decision is what follows.
type decision struct {
	// May says whether the copy may begin.
	May    bool
	Status v1alpha1.AssignmentStatus
	Action action
}

// decisive says that it must be true now, not only in a cache. So must be what lets a copy begin, the first time: a cache may
// begin with what was true before this process did.
func (d *decision) decisive(s situation, confirmed bool) bool {
	return d.May && !confirmed || d.Action != nothing || s.Assignment != nil && (d.Status.Returned != s.Assignment.Status.Returned || d.Status.Lost != s.Assignment.Status.Lost)
}

// decide says what becomes of an assignment.
func decide(s situation) decision {
	if len(s.Others) > 0 || s.Assignment == nil {
		d := decision{}
		if s.Assignment != nil {
			d.Status = *s.Assignment.Status.DeepCopy()
		}
		if s.Copy != nil || len(s.Others) > 0 {
			d.Action = deleteCopies
		}
		return d
	}
	d := decision{Status: *s.Assignment.Status.DeepCopy()}
	d.Status.Message = ""
	switch a := s.Assignment; {
	case !controllerutil.ContainsFinalizer(a, v1alpha1.AgentFinalizer):
		d.unclaimed(s)
	case a.Annotations[v1alpha1.ClusterAnnotation] != s.Cluster:
		d.Status.Message = fmt.Sprintf("the cluster %s has claimed it, and this agent is of cluster %s: bring that one's agent back, or set spec.state of the agent to %s if that cluster is gone for good",
			a.Annotations[v1alpha1.ClusterAnnotation], s.Cluster, v1alpha1.AgentEvicted)
		d.deleteAny(s)
	case !a.DeletionTimestamp.IsZero():
		d.deleted(s)
	case d.over():
		d.ended(s)
	case s.Copy == nil:
		d.absent(s)
	default:
		d.follow(s)
	}
	return d
}

// over says that the hub has been told an end.
func (d *decision) over() bool {
	return d.Status.Returned || d.Status.Lost || d.Status.Operation != nil && d.Status.Operation.Phase.Final()
}

func (d *decision) deleteAny(s situation) {
	if s.Copy != nil {
		d.Action = deleteCopies
	}
}

// unclaimed decides about what is the hub's, and runs nowhere.
func (d *decision) unclaimed(s situation) {
	switch a := s.Assignment; {
	case s.Copy != nil:
		d.Action = deleteCopies
	case !a.DeletionTimestamp.IsZero(), a.Spec.Withdrawn, d.over():
	case s.Obstacle != "":
		d.Status.Message = s.Obstacle
	default:
		d.Action = claim
	}
}

// deleted decides about what the hub has deleted: its end is told, if it is not, and then it is let go.
func (d *decision) deleted(s situation) {
	switch c := s.Copy; {
	case c == nil:
		if d.Status.Operation != nil && !d.over() {
			d.Status.Lost = true
		}
		d.Action = letGo
	case d.over():
		d.Action = deleteCopies
	case c.Status.Phase.Final():
		d.copy(c)
		d.Action = deleteCopies
	default:
		if behind(d.Status.Operation, &c.Status) {
			d.Action = deleteCopies
			return
		}
		d.copy(c)
		if c.Spec.DesiredState != v1alpha1.Stopped {
			d.Action = stop
		}
	}
}

// ended decides about what the hub knows the end of. What was given back, lost, or goes on all the same, is
// not to be here.
func (d *decision) ended(s situation) {
	if s.Copy == nil {
		if op := d.Status.Operation; op != nil && operation.GivenBack(op) {
			d.Status.Returned = true
		}
		return
	}
	if d.Status.Returned || d.Status.Lost || operation.GivenBack(d.Status.Operation) || !s.Copy.Status.Phase.Final() {
		d.Action = deleteCopies
	}
}

// absent decides about what is claimed and has no copy.
func (d *decision) absent(s situation) {
	switch {
	case d.Status.Operation != nil:
		d.Status.Lost = true
		d.Status.Message = "it was in the agent's cluster and is there no longer: somebody deleted its copy, or the cluster was set back"
	case s.Assignment.Spec.Withdrawn:
		d.Status.Returned = true
	case s.Obstacle != "":
		d.Status.Message = s.Obstacle
	default:
		d.Action, d.May = makeCopy, true
		d.Status.Message = s.Assignment.Status.Message // what was in the way may be still
	}
}

// follow decides about what has a copy.
func (d *decision) follow(s situation) {
	c := s.Copy
	switch {
	case behind(d.Status.Operation, &c.Status):
		d.Action = deleteCopies
		return
	case !c.DeletionTimestamp.IsZero() && !c.Status.Phase.Final():
		return // whoever deleted it, it is lost when it is gone
	}
	d.copy(c)
	switch {
	case operation.GivenBack(&c.Status):
		d.Action = deleteCopies
	case c.Status.Phase.Final():
	case s.Assignment.Spec.Withdrawn:
		if !operation.Withdrawn(c) {
			d.Action = withdraw
		}
		if operation.Began(&c.Status) {
			d.Status.Message = "it has begun, and goes on"
		}
	default:
		d.May = true
	}
}

// copy tells the hub what the copy says of itself. That it does not know of its creation yet is no news.
func (d *decision) copy(c *v1alpha1.Operation) {
	d.Status.Operation = c.Status.DeepCopy()
	if c.Status.Phase == "" {
		d.Status.Operation.Phase = v1alpha1.StatusCreated
	}
}

// behind says that the hub knows of a beginning which the copy does not: the cluster was set back to an older state.
func behind(hub, here *v1alpha1.OperationStatus) bool {
	return hub != nil && operation.Began(hub) && !operation.Began(here)
}

// urgent says that news are to be told at once.
func urgent(said, now *v1alpha1.AssignmentStatus) bool {
	return said.Returned != now.Returned || said.Lost != now.Lost || said.Message != now.Message ||
		(said.Operation == nil) != (now.Operation == nil) || said.Operation != nil && said.Operation.Phase != now.Operation.Phase
}

// isCopyOf says whether an operation stands for an assignment.
func isCopyOf(op *v1alpha1.Operation, a *v1alpha1.Assignment) bool {
	return op.Namespace == a.Spec.Namespace && op.Name == a.Name && op.Annotations[v1alpha1.AssignmentAnnotation] == a.Name &&
		op.Annotations[v1alpha1.AssignmentUIDAnnotation] == string(a.UID)
}

// part tells the copy of an assignment from others of its name.
func part(a *v1alpha1.Assignment, copies []v1alpha1.Operation) (its *v1alpha1.Operation, others []v1alpha1.Operation) {
	if a == nil {
		return nil, copies
	}
	if i := slices.IndexFunc(copies, func(op v1alpha1.Operation) bool { return isCopyOf(&op, a) }); i >= 0 {
		its = copies[i].DeepCopy()
	}
	return its, slices.DeleteFunc(copies, func(op v1alpha1.Operation) bool { return isCopyOf(&op, a) })
}
