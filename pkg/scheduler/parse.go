package scheduler

import (
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
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

// podOf is a pod in the words of the ledger.
func podOf(pod *v1.Pod, a tenancy.Assignment, g gang, prices cost.Prices) ledger.Pod {
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
		Priority:  int64(corev1helpers.PodPriority(pod)),
		Created:   pod.CreationTimestamp.UnixNano(),
		Requests:  requests,
		Gang:      g.size,
	}
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
