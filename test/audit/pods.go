package audit

import (
	"cmp"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	kresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/resource"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

type phase uint8

const (
	podWaiting phase = iota
	podBound
	podEnded
)

// podRecord is what the auditor keeps of a pod. Queue and project stay as they were when the pod was
// bound, whatever is edited later; requests follow a resize, and the operation is that of its gang
// when its PodGroup is seen later.
type podRecord struct {
	uid       types.UID
	name      string // namespace/name
	origin    string // the namespace of its operation, which its project claims
	node      string
	queue     string
	project   string
	op        opKey
	group     types.NamespacedName // the PodGroup that it names
	gang      bool                 // and that makes a gang of it
	ours      bool                 // owned by an Operation, which comes before a gang
	resources corev1.ResourceList
	declared  *kresource.Quantity // what it says it costs per hour
	requests  corev1.ResourceList // the resources and their cost
	priority  int32
	queued    time.Time // since when it is in line
	says      string    // why it is not admitted, as its condition says; empty: it says nothing
	phase     phase
	shape     *shape    // while it waits for admission
	since     time.Time // since when it has waited in this shape
	reported  bool      // as stuck
}

// shapeKey is what pods have in common that wait for the same room.
type shapeKey struct {
	origin, queue, project, requests string
	hold                             string // of a pod that room is held for: whose
}

// shape is the waiting pods of one key and since when there has been room for one of them; zero
// means there is none.
type shape struct {
	key      shapeKey
	requests corev1.ResourceList
	pods     map[types.UID]*podRecord

	room     time.Time // for a new operation, on every limit
	butAgent time.Time // for a new operation, on every limit but the agent's seats
	amounts  time.Time // for one more pod of an operation that has its seat

	lastQueued map[int32]time.Time // by priority: since when the youngest of this shape that was bound was in line
}

func phaseOf(p *corev1.Pod) phase {
	switch {
	case p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed:
		return podEnded
	case p.Spec.NodeName != "":
		return podBound
	default:
		return podWaiting
	}
}

// eligible reports whether a pod without a node waits for nothing but its queue.
func eligible(p *corev1.Pod) bool {
	if p.DeletionTimestamp != nil || len(p.Spec.SchedulingGates) > 0 {
		return false
	}
	for _, c := range p.Status.Conditions {
		unschedulable := c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
		if unschedulable && (c.Type == corev1.PodScheduled || c.Type == v1alpha1.AdmittedCondition) {
			return false
		}
	}
	return true
}

func recordOf(p *corev1.Pod) *podRecord {
	r := &podRecord{
		uid:       p.UID,
		name:      p.Namespace + "/" + p.Name,
		node:      p.Spec.NodeName,
		says:      admittedReason(p),
		resources: resourcesOf(p),
		phase:     phaseOf(p),
		group:     groupOf(p),
		ours:      ownedByOperation(p),
	}
	if q, declared, readable := declaredCost(p); declared && readable {
		r.declared = &q
	}
	r.priority = priorityOf(p)
	return r
}

// resourcesOf is what a pod asks for, and that it is one. A pod that is resized asks for the most of
// what it wants, was promised and has.
func resourcesOf(p *corev1.Pod) corev1.ResourceList {
	list := resource.PodRequests(p, resource.PodResourcesOptions{UseStatusResources: true, InPlacePodLevelResourcesVerticalScalingEnabled: true})
	list[corev1.ResourcePods] = *kresource.NewQuantity(1, kresource.DecimalSI)
	return list
}

// operationOf is the operation of a pod: its owning Operation, else its gang, else its controller, else
// the pod itself.
func (w *world) operationOf(p *corev1.Pod, queue string) opKey {
	owner := string(p.UID)
	if c := metav1.GetControllerOf(p); c != nil {
		owner = string(c.UID)
	}
	if gang := w.gang(groupOf(p)); gang != nil && !ownedByOperation(p) {
		owner = gangOwner(gang)
	}
	return opKey{p.Namespace, queue, owner}
}

func ownedByOperation(p *corev1.Pod) bool {
	c := metav1.GetControllerOf(p)
	return c != nil && c.Kind == "Operation" && strings.HasPrefix(c.APIVersion, v1alpha1.GroupVersion.Group+"/")
}

// groupOf is the PodGroup that a pod names, if it names one.
func groupOf(p *corev1.Pod) types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Labels[podgroups.PodGroupLabel]}
}

// gang is a PodGroup of two or more, or nil.
func (w *world) gang(group types.NamespacedName) *podgroups.PodGroup {
	if g := w.podGroups[group]; g != nil && g.Spec.MinMember >= 2 {
		return g
	}
	return nil
}

func gangOwner(g *podgroups.PodGroup) string { return "podgroup " + string(g.UID) }

// regroup counts the pods of a PodGroup that were bound before it was seen as the gang that they are.
func (a *Auditor) regroup(now time.Time, g *podgroups.PodGroup) {
	key := types.NamespacedName{Namespace: g.Namespace, Name: g.Name}
	a.world.podGroups[key] = g
	if a.world.gang(key) == nil {
		return
	}
	for _, r := range a.pods {
		if r.phase == podBound && r.group == key && !r.gang && !r.ours {
			r.gang, r.op.owner = true, gangOwner(g)
		}
	}
	a.recharge()
	a.refreshAll(now)
}

// resize charges a bound pod for what it asks for now. The scheduler sees it a moment earlier or later than
// the auditor does.
func (a *Auditor) resize(now time.Time, r *podRecord, p *corev1.Pod) {
	resources := resourcesOf(p)
	if equality.Semantic.DeepEqual(resources, r.resources) {
		return
	}
	r.resources = resources
	a.world.price(r)
	a.recharge()
	for _, k := range a.world.path(r.queue, r.project) {
		n := a.node(k)
		current := n.history.current()
		free := maps.Clone(current)
		for _, d := range dimensions(r.requests) {
			delete(free, d)
		}
		n.history.set(now, free, 4*a.config.EditWindow)
		n.history.set(now, current, 4*a.config.EditWindow)
	}
	a.refreshAll(now)
}

// requestsKey writes requests so that equal ones are equal strings.
func requestsKey(requests corev1.ResourceList) string {
	var b strings.Builder
	for _, d := range dimensions(requests) {
		q := requests[corev1.ResourceName(d)]
		fmt.Fprintf(&b, "%s=%s,", d, q.String())
	}
	return b.String()
}

func (r *podRecord) shapeKey() shapeKey {
	return shapeKey{r.origin, r.queue, r.project, requestsKey(r.requests), r.holdOf()}
}

// priorityOf is a pod's priority in its queue: what it declares, else its priority class's.
func priorityOf(p *corev1.Pod) int32 {
	if n, err := strconv.ParseInt(p.Annotations[v1alpha1.PriorityAnnotation], 10, 32); err == nil {
		return int32(n)
	}
	if p.Spec.Priority != nil {
		return *p.Spec.Priority
	}
	return 0
}

// admittedReason is why a pod says that its queue has not admitted it, or has taken that back.
func admittedReason(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == v1alpha1.AdmittedCondition && c.Status == corev1.ConditionFalse {
			return c.Reason
		}
	}
	return ""
}

// before is the order in which a queue serves what waits.
func before(a, b *podRecord) int {
	return cmp.Or(cmp.Compare(b.priority, a.priority), a.queued.Compare(b.queued), cmp.Compare(a.uid, b.uid))
}
