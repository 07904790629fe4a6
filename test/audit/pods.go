package audit

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	kresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/resource"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

type phase uint8

const (
	podWaiting phase = iota
	podBound
	podEnded
)

// podRecord is what the auditor keeps of a pod. Queue, project, operation and requests stay as they
// were when the pod was bound, whatever is edited later.
type podRecord struct {
	uid       types.UID
	name      string // namespace/name
	namespace string
	node      string
	queue     string
	project   string
	op        opKey
	resources corev1.ResourceList
	declared  *kresource.Quantity // what it says it costs per hour
	requests  corev1.ResourceList // the resources and their cost
	priority  int32
	created   time.Time
	phase     phase
	shape     *shape    // while it waits for admission
	since     time.Time // since when it has waited in this shape
	reported  bool      // as stuck
}

// shapeKey is what pods have in common that wait for the same room.
type shapeKey struct{ namespace, queue, project, requests string }

// shape is the waiting pods of one key and since when there has been room for one of them; zero
// means there is none.
type shape struct {
	key      shapeKey
	requests corev1.ResourceList
	pods     map[types.UID]*podRecord

	room     time.Time // for a new operation, on every limit
	butAgent time.Time // for a new operation, on every limit but the agent's seats
	amounts  time.Time // for one more pod of an operation that has its seat

	lastCreated time.Time // the creation of the youngest pod of this shape that was bound
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
		namespace: p.Namespace,
		node:      p.Spec.NodeName,
		created:   p.CreationTimestamp.Time,
		resources: resource.PodRequests(p, resource.PodResourcesOptions{}),
		phase:     phaseOf(p),
	}
	if q, declared, readable := declaredCost(p); declared && readable {
		r.declared = &q
	}
	if p.Spec.Priority != nil {
		r.priority = *p.Spec.Priority
	}
	return r
}

func operationOf(p *corev1.Pod, queue string) opKey {
	owner := p.UID
	if c := metav1.GetControllerOf(p); c != nil {
		owner = c.UID
	}
	return opKey{p.Namespace, queue, string(owner)}
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
	return shapeKey{r.namespace, r.queue, r.project, requestsKey(r.requests)}
}

// before is the order in which a queue serves what waits.
func before(a, b *podRecord) int {
	return cmp.Or(cmp.Compare(b.priority, a.priority), a.created.Compare(b.created), cmp.Compare(a.uid, b.uid))
}
