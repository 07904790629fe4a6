package webhook

import (
	"context"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// daemonSetUsers create the pods of DaemonSets: the controller by its service account, or the
// controller manager when its controllers share one identity.
var daemonSetUsers = []string{"system:serviceaccount:kube-system:daemon-set-controller", "system:kube-controller-manager"}

// nodesGroup holds the kubelets, which mirror static pods.
const nodesGroup = "system:nodes"

// podHandler gives pods of managed namespaces their queue.
type podHandler struct {
	decoder  admission.Decoder
	assigner *assigner
	marker   *marker
}

// Handle implements admission.Handler.
func (h *podHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	pod := &corev1.Pod{}
	if err := h.decoder.Decode(req, pod); err != nil {
		return malformed(err)
	}
	if req.Operation == admissionv1.Create {
		return h.create(ctx, req, pod)
	}
	before := &corev1.Pod{}
	if err := h.decoder.DecodeRaw(req.OldObject, before); err != nil {
		return malformed(err)
	}
	return h.update(ctx, req, before, pod)
}

func (h *podHandler) create(ctx context.Context, req admission.Request, pod *corev1.Pod) admission.Response {
	if bypassesQueues(pod, req.UserInfo) {
		return admission.Allowed("")
	}
	if refusal := tenancy.CheckPlacement(req.Namespace, pod.Spec.NodeName, pod.Spec.SchedulerName); refusal != nil {
		return answer(refusal)
	}
	if response := answerMarks(h.marker.check(ctx, req.UserInfo, req.Namespace, pod, marksOf(pod))); response != nil {
		return *response
	}
	if refusal := tenancy.CheckPriority(pod.Annotations); refusal != nil {
		return answer(refusal)
	}
	// The pods of a Job, a ReplicaSet or an Operation belong to an operation that was accepted before.
	isNew := metav1.GetControllerOfNoCopy(pod) == nil && pod.Labels[v1alpha1.OperationUIDLabel] == ""
	assignment, err := h.assigner.assign(ctx, claimOf(req.Namespace, pod), func(string) bool { return isNew })
	if err != nil {
		return answer(err)
	}
	var p patch
	p.fillLabels("/metadata/labels", pod.Labels, labelsOf(assignment))
	if pod.Spec.SchedulerName != v1alpha1.SchedulerName {
		p.add("/spec/schedulerName", v1alpha1.SchedulerName)
	}
	response := admission.Patched("", p...)
	if isNew {
		response = response.WithWarnings(tenancy.UnreadOfPod(pod)...)
	}
	return response
}

// update is asked only when a label or annotation of Queueyard changes. A pod that waits may move
// to another queue; what another scheduler places is not in any.
func (h *podHandler) update(ctx context.Context, req admission.Request, before, after *corev1.Pod) admission.Response {
	if after.Spec.SchedulerName != v1alpha1.SchedulerName {
		return admission.Allowed("")
	}
	if response := answerMarks(unchanged(req.UserInfo, marksOf(before), marksOf(after))); response != nil {
		return *response
	}
	if refusal := tenancy.CheckPriority(after.Annotations); refusal != nil {
		return answer(refusal)
	}
	was, is := claimOf(req.Namespace, before), claimOf(req.Namespace, after)
	if node := before.Spec.NodeName; node != "" {
		if refusal := tenancy.CheckBoundPod(was, is, node); refusal != nil {
			return answer(refusal)
		}
		return admission.Allowed("")
	}
	from := tenancy.NamedQueue(was)
	assignment, err := h.assigner.assign(ctx, is, func(queue string) bool { return queue != from })
	if err != nil {
		return answer(err)
	}
	var p patch
	p.fillLabels("/metadata/labels", after.Labels, labelsOf(assignment))
	return admission.Patched("", p...)
}

// bypassesQueues tells what a node needs to run at all: the pods of DaemonSets and the mirrors of
// static pods. Who creates them is part of the proof, for anyone can write an owner or annotation.
func bypassesQueues(pod *corev1.Pod, user authenticationv1.UserInfo) bool {
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror && slices.Contains(user.Groups, nodesGroup) {
		return true
	}
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && owner.Kind == "DaemonSet" && slices.Contains(daemonSetUsers, user.Username)
}

// claimOf is what an object says. What an operation runs as claims in the namespace of the operation:
// its marks have been checked.
func claimOf(namespace string, o metav1.Object) tenancy.Claim {
	if origin := o.GetAnnotations()[v1alpha1.OriginAnnotation]; origin != "" {
		namespace = origin
	}
	assigned := o.GetAnnotations()[v1alpha1.AssignmentAnnotation] != ""
	return tenancy.Claim{Namespace: namespace, Labels: o.GetLabels(), Annotations: o.GetAnnotations(), Assigned: assigned}
}
