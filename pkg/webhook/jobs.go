package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// jobHandler gives Jobs of managed namespaces, and the pods they will make, their queue.
type jobHandler struct {
	decoder  admission.Decoder
	assigner *assigner
	marker   *marker
}

// Handle implements admission.Handler.
func (h *jobHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	job := &batchv1.Job{}
	if err := h.decoder.Decode(req, job); err != nil {
		return malformed(err)
	}
	if req.Operation == admissionv1.Create {
		return h.create(ctx, req, job)
	}
	before := &batchv1.Job{}
	if err := h.decoder.DecodeRaw(req.OldObject, before); err != nil {
		return malformed(err)
	}
	return h.update(ctx, req, before, job)
}

func (h *jobHandler) create(ctx context.Context, req admission.Request, job *batchv1.Job) admission.Response {
	spec := &job.Spec.Template.Spec
	if refusal := tenancy.CheckPlacement(req.Namespace, spec.NodeName, spec.SchedulerName); refusal != nil {
		return answer(refusal)
	}
	for _, of := range []metav1.Object{job, &job.Spec.Template} {
		if response := answerMarks(h.marker.check(ctx, req.UserInfo, req.Namespace, job, marksOf(of))); response != nil {
			return *response
		}
		if refusal := tenancy.CheckPriority(of.GetAnnotations()); refusal != nil {
			return answer(refusal)
		}
	}
	for _, check := range []func(tenancy.Claim) *tenancy.Refusal{tenancy.CheckCost, tenancy.CheckDeclarations} {
		if refusal := check(claimOf(req.Namespace, &job.Spec.Template)); refusal != nil {
			return answer(refusal)
		}
	}
	claim, refusal := jobClaim(req.Namespace, job)
	if refusal != nil {
		return answer(refusal)
	}
	isNew := job.Labels[v1alpha1.OperationUIDLabel] == ""
	assignment, err := h.assigner.assign(ctx, claim, func(string) bool { return isNew })
	if err != nil {
		return answer(err)
	}
	var p patch
	p.fillLabels("/metadata/labels", job.Labels, labelsOf(assignment))
	p.fillTemplate(req.Object.Raw, job, labelsOf(assignment))
	if spec.SchedulerName != v1alpha1.SchedulerName {
		p.add("/spec/template/spec/schedulerName", v1alpha1.SchedulerName)
	}
	response := admission.Patched("", p...)
	if isNew {
		response = response.WithWarnings(append(tenancy.UnreadOfJob(job), tenancy.UnreadOfPod(&job.Spec.Template)...)...)
	}
	if job.Labels[v1alpha1.KueueLabel] != "" {
		response = response.WithWarnings(fmt.Sprintf("label %s has Kueue suspend this Job; when Kueue has admitted it, it waits in queue %s, too: leave the label out", v1alpha1.KueueLabel, assignment.Queue))
	}
	return response
}

// update is asked only when a label or annotation of Queueyard changes on the Job or its template.
// Kubernetes lets a template change only while the Job is suspended and has not started, so the
// queue of a started Job stays.
func (h *jobHandler) update(ctx context.Context, req admission.Request, before, after *batchv1.Job) admission.Response {
	for was, is := range map[metav1.Object]metav1.Object{before: after, &before.Spec.Template: &after.Spec.Template} {
		if response := answerMarks(unchanged(req.UserInfo, marksOf(was), marksOf(is))); response != nil {
			return *response
		}
		if refusal := tenancy.CheckPriority(is.GetAnnotations()); refusal != nil {
			return answer(refusal)
		}
	}
	was, refusal := jobClaim(req.Namespace, before)
	if refusal != nil {
		// It was created before its namespace was managed: there is nothing to inherit.
		was = tenancy.Claim{}
	}
	claim, refusal := jobClaim(req.Namespace, after)
	if refusal != nil {
		return answer(withRemedy(refusal, req.Namespace, after))
	}
	from := tenancy.NamedQueue(was)
	assignment, err := h.assigner.assign(ctx, tenancy.Inherit(claim, was), func(queue string) bool { return queue != from })
	if err != nil {
		return answer(err)
	}
	if templateFixed(before) && !templateSays(before, assignment) {
		return answer(withRemedy(&tenancy.Refusal{
			Reason:  tenancy.ReasonContradiction,
			Message: fmt.Sprintf("%s would be %q, but the Job has started and its pod template says otherwise", v1alpha1.QueueLabel, assignment.Queue),
		}, req.Namespace, after))
	}
	wanted := labelsOf(assignment)
	if templateFixed(before) {
		// What the template said stays, and comes back if it was left out: nothing else would be accepted.
		wanted = before.Spec.Template.Labels
	}
	var p patch
	p.fillLabels("/metadata/labels", after.Labels, wanted)
	p.fillTemplate(req.Object.Raw, after, wanted)
	return admission.Patched("", p...)
}

// fillTemplate stamps the pod template, whose metadata may be missing altogether.
func (p *patch) fillTemplate(raw []byte, job *batchv1.Job, wanted map[string]string) {
	var present struct {
		Spec struct {
			Template struct {
				Metadata *json.RawMessage `json:"metadata"`
			} `json:"template"`
		} `json:"spec"`
	}
	if json.Unmarshal(raw, &present) == nil && present.Spec.Template.Metadata == nil {
		p.add("/spec/template/metadata", map[string]any{})
	}
	p.fillLabels("/spec/template/metadata/labels", job.Spec.Template.Labels, wanted)
}

// jobClaim is what a Job and its pod template say together.
func jobClaim(namespace string, job *batchv1.Job) (tenancy.Claim, *tenancy.Refusal) {
	return tenancy.Combine(claimOf(namespace, job), claimOf(namespace, &job.Spec.Template))
}

// templateFixed tells whether Kubernetes would refuse other labels on the pod template.
func templateFixed(job *batchv1.Job) bool {
	suspended := job.Spec.Suspend != nil && *job.Spec.Suspend
	return !suspended || job.Status.StartTime != nil
}

// templateSays tells whether the pods of a Job go where the assignment says.
func templateSays(job *batchv1.Job, a tenancy.Assignment) bool {
	return tenancy.NamedQueue(claimOf("", &job.Spec.Template)) == a.Queue
}

// withRemedy adds what helps after a Job was created: its pods can move though it cannot.
func withRemedy(refusal *tenancy.Refusal, namespace string, job *batchv1.Job) *tenancy.Refusal {
	key, value := oneSided(job)
	if refusal.Reason != tenancy.ReasonContradiction || key == "" {
		return refusal
	}
	return &tenancy.Refusal{Reason: refusal.Reason, Message: fmt.Sprintf(
		"%s; what a Job says changes only together with its pod template, while it is suspended and has not started: move the pods that wait with 'kubectl label pods -n %s -l job-name=%s %s=%s --overwrite', or delete the Job and create it anew",
		refusal.Message, namespace, job.Name, key, value)}
}

// oneSided finds what a Job says and its pod template does not, as a label.
func oneSided(job *batchv1.Job) (key, value string) {
	for _, key := range []string{v1alpha1.QueueLabel, v1alpha1.ProjectLabel} {
		own := cmp.Or(job.Labels[key], job.Annotations[key])
		template := cmp.Or(job.Spec.Template.Labels[key], job.Spec.Template.Annotations[key])
		if own != "" && own != template {
			return key, strings.ReplaceAll(own, "/", ".")
		}
	}
	return "", ""
}
