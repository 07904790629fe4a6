package operation

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// CachedObjects are what the manager's cache holds for this controller, and how little of it: there
// may be tens of thousands of each.
func CachedObjects() map[client.Object]cache.ByObject {
	return map[client.Object]cache.ByObject{
		&v1alpha1.Operation{}: {Transform: lightOperation},
		// All that waits or runs in queues: the look-ahead counts it.
		&corev1.Pod{}:          {Field: fields.OneTermEqualSelector("spec.schedulerName", v1alpha1.SchedulerName), Transform: lightPod},
		&batchv1.Job{}:         {Label: ofOperations(), Transform: light},
		&v1alpha1.Assignment{}: {Transform: lightAssignment},
	}
}

// ofOperations selects what operations run as.
func ofOperations() labels.Selector {
	made, err := labels.NewRequirement(v1alpha1.OperationUIDLabel, selection.Exists, nil)
	if err != nil {
		panic(err) // the label is a constant
	}
	return labels.NewSelector().Add(*made)
}

func light(object any) (any, error) {
	if o, ok := object.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	return object, nil
}

// lightOperation leaves out the template: it is read when it is compiled.
func lightOperation(object any) (any, error) {
	if op, ok := object.(*v1alpha1.Operation); ok {
		op.Spec.Template = nil
	}
	return light(object)
}

// lightAssignment leaves out what is only for the agent.
func lightAssignment(object any) (any, error) {
	if a, ok := object.(*v1alpha1.Assignment); ok {
		a.Spec.Operation = v1alpha1.OperationSpec{}
	}
	return light(object)
}

// lightPod keeps of a pod's spec what it asks for and where it is.
func lightPod(object any) (any, error) {
	if pod, ok := object.(*corev1.Pod); ok {
		spec := &pod.Spec
		pod.Spec = corev1.PodSpec{
			NodeName: spec.NodeName, SchedulerName: spec.SchedulerName, SchedulingGates: spec.SchedulingGates,
			Priority: spec.Priority, Overhead: spec.Overhead, Resources: spec.Resources,
			Containers: lightContainers(spec.Containers), InitContainers: lightContainers(spec.InitContainers),
		}
	}
	return light(object)
}

func lightContainers(all []corev1.Container) []corev1.Container {
	kept := make([]corev1.Container, len(all))
	for i, c := range all {
		kept[i] = corev1.Container{Name: c.Name, Resources: c.Resources, RestartPolicy: c.RestartPolicy}
	}
	return kept
}
