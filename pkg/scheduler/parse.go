package scheduler

import (
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	resourcehelper "k8s.io/component-helpers/resource"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// What the ledger is told of a pod depends on nothing but the pod, its queue and project, its gang and
// the prices of its queue's agent.

// podOf is a pod in the words of the ledger. guarded: the webhook sees to it that only the controller
// says since when it waits.
func podOf(pod *v1.Pod, a tenancy.Assignment, g gang, prices cost.Prices, guarded bool) ledger.Pod {
	list := requestsOf(pod)
	requests := limits.Amounts(list)
	requests[string(v1.ResourcePods)] = 1
	delete(requests, ledger.CostPerHour) // only what it declares or its prices are
	if rate := rateOf(pod, list, prices); rate > 0 {
		requests[ledger.CostPerHour] = rate
	}
	return ledger.Pod{
		UID:       string(pod.UID),
		Operation: operationOf(pod, g),
		Queue:     a.Queue,
		Project:   a.Project,
		Priority:  priorityOf(pod),
		Created:   queuedAt(pod, guarded).UnixNano(),
		Requests:  requests,
		Gang:      g.size,
	}
}

// priorityOf is a pod's priority in its queue: what it declares, else its priority class's.
func priorityOf(pod *v1.Pod) int64 {
	if priority, declared, err := tenancy.Priority(pod.Annotations); declared && err == nil {
		return int64(priority)
	}
	return int64(corev1helpers.PodPriority(pod))
}

// queuedAt is since when a pod, or the run before it that it repeats, is in line. No pod waits from
// before the first year of the ledger's clock, nor since later than its creation.
func queuedAt(pod *v1.Pod, guarded bool) time.Time {
	created := pod.CreationTimestamp.Time
	if !guarded {
		return created
	}
	since, err := time.Parse(time.RFC3339Nano, pod.Annotations[v1alpha1.QueuedTimeAnnotation])
	if err != nil || since.Unix() < 0 || since.Unix() > created.Unix() {
		return created
	}
	return since
}

// originOf is the namespace in which a pod's project is looked for: that of its operation.
func originOf(pod *v1.Pod, guarded bool) string {
	if origin := pod.Annotations[v1alpha1.OriginAnnotation]; guarded && len(validation.IsDNS1123Label(origin)) == 0 {
		return origin
	}
	return pod.Namespace
}

// operationOf names the operation a pod belongs to: its owning Operation's, else its gang's, else its
// controller's, else the pod itself. Other labels don't count: one label would turn a thousand pods
// into one seat.
func operationOf(pod *v1.Pod, g gang) string {
	owner := metav1.GetControllerOfNoCopy(pod)
	switch {
	case g.operation != "" && !ownedByOperation(owner):
		return g.operation
	case owner != nil:
		return pod.Namespace + "/" + string(owner.UID)
	}
	return string(pod.UID)
}

// ownedByOperation says whether a controller is one of our Operations.
func ownedByOperation(owner *metav1.OwnerReference) bool {
	if owner == nil || owner.Kind != "Operation" {
		return false
	}
	gv, err := schema.ParseGroupVersion(owner.APIVersion)
	return err == nil && gv.Group == v1alpha1.GroupVersion.Group
}

// requestsOf is what the scheduler counts as a pod's requests. Pods that are resized count the most of
// what they ask for, have been promised and have been given.
func requestsOf(pod *v1.Pod) v1.ResourceList {
	return resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{
		UseStatusResources: true,
		InPlacePodLevelResourcesVerticalScalingEnabled: true,
	})
}

// rateOf is what a pod costs per hour: what it declares, else its requests at these prices.
func rateOf(pod *v1.Pod, requests v1.ResourceList, prices cost.Prices) cost.Micros {
	if rate, declared, err := cost.Declared(pod.Labels, pod.Annotations); declared && err == nil {
		return rate
	}
	return prices.Rate(requests)
}
