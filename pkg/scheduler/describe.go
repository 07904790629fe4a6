package scheduler

import (
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// assign finds a pod's queue and project, or says why it may not have them.
func (r *Room) assign(pod *v1.Pod) (tenancy.Assignment, *tenancy.Refusal) {
	assignment, refusal := tenancy.Resolve(r.directory, r.args.DefaultQueue, r.claim(pod))
	if refusal != nil {
		return assignment, refusal
	}
	if q := r.directory.queues[assignment.Queue]; isNewOperation(pod, q, r.guarded(pod)) {
		refusal = tenancy.CheckAccepting(tenancy.InfoOf(q))
	}
	return assignment, refusal
}

func (r *Room) claim(pod *v1.Pod) tenancy.Claim {
	return tenancy.Claim{
		Namespace:       r.origin(pod),
		NamespaceLabels: r.directory.namespaces[r.origin(pod)],
		Labels:          pod.Labels,
		Annotations:     pod.Annotations,
		Assigned:        r.guarded(pod) && pod.Annotations[v1alpha1.AssignmentAnnotation] != "",
	}
}

// guarded says whether the webhook keeps users from writing what only the controller may.
func (r *Room) guarded(pod *v1.Pod) bool {
	return r.directory.namespaces[pod.Namespace][v1alpha1.ManagedLabel] == "true"
}

// origin is the namespace that a pod's project claims.
func (r *Room) origin(pod *v1.Pod) string { return originOf(pod, r.guarded(pod)) }

// isNewOperation says whether a pod began an operation after its queue stopped accepting them.
// The pods of an owner are part of an operation that may have been accepted before.
func isNewOperation(pod *v1.Pod, q *v1alpha1.Queue, guarded bool) bool {
	if metav1.GetControllerOfNoCopy(pod) != nil || guarded && pod.Labels[v1alpha1.OperationUIDLabel] != "" {
		return false
	}
	since := q.DeletionTimestamp
	if since == nil {
		accepting := meta.FindStatusCondition(q.Status.Conditions, v1alpha1.AcceptingCondition)
		if accepting == nil || accepting.Status != metav1.ConditionFalse {
			return false
		}
		since = &accepting.LastTransitionTime
	}
	return pod.CreationTimestamp.After(since.Time)
}

// claimed is the assignment of a bound pod that may not, or no longer, have its queue: it is
// charged where it says it is, because what runs is always charged.
func (r *Room) claimed(pod *v1.Pod) tenancy.Assignment {
	return tenancy.Claimed(r.directory, r.args.DefaultQueue, r.claim(pod))
}

// describe is a pod in the words of the ledger.
func (r *Room) describe(pod *v1.Pod, a tenancy.Assignment, g gang) ledger.Pod {
	return podOf(pod, a, g, r.prices(a.Queue), r.guarded(pod))
}

// prices are those of a queue's agent.
func (r *Room) prices(queue string) cost.Prices {
	q := r.directory.queues[queue]
	if q == nil {
		return nil
	}
	name, _ := r.agentHere(q)
	agent := r.directory.agents[name]
	if agent == nil {
		return nil
	}
	return agent.Spec.Prices
}
