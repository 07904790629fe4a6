package lint

import (
	"context"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/tenancy"
	"github.com/queueyard/queueyard/pkg/validation"
	"github.com/queueyard/queueyard/pkg/workflow/plan"
)

// rules checks what the schema of Queueyard's objects does not show.
func (l *linter) rules(ctx context.Context) {
	if err := l.doc.Default(); err != nil {
		l.said(RuleSchema, err)
		return
	}
	var object runtime.Object
	var check func()
	switch l.doc.Object.GetKind() {
	case "Queue":
		q := &v1alpha1.Queue{}
		object, check = q, func() { l.said(RuleQueue, tenancy.ValidateQueue(q)) }
	case "Project":
		p := &v1alpha1.Project{}
		object, check = p, func() { l.said(RuleProject, tenancy.ValidateProject(p)) }
	case "Organization":
		o := &v1alpha1.Organization{}
		object, check = o, func() { l.said(RuleOrganization, tenancy.ValidateOrganization(o)) }
	case "Component":
		c := &v1alpha1.Component{}
		object, check = c, func() { l.said(RuleComponent, validation.Component(c)) }
	case "Operation":
		o := &v1alpha1.Operation{}
		object, check = o, func() { l.operation(ctx, o) }
	case "Workflow":
		w := &v1alpha1.Workflow{}
		object, check = w, func() { l.workflow(w) }
	default:
		return
	}
	if err := convert(l.doc.Object, object); err != nil {
		l.misfit(object, err)
		return
	}
	check()
}

// reserved finds what is not for users to write.
func (l *linter) reserved(o metav1.Object) {
	if _, given := o.GetAnnotations()[v1alpha1.ApprovedByAnnotation]; given {
		l.said(RuleReserved, fmt.Errorf("annotation %s is written when somebody sets spec.approved to true: leave it out", v1alpha1.ApprovedByAnnotation))
	}
}

func (l *linter) operation(ctx context.Context, o *v1alpha1.Operation) {
	l.reserved(o)
	if err := validation.Termination(o.Spec.Termination); err != nil {
		l.said(RuleOperation, err)
		return
	}
	var component *v1alpha1.Component
	if o.Spec.Component != "" {
		found, ok := l.components(o.Spec.Component)
		if !ok {
			l.elsewhere(o.Spec.Component, "spec.component")
			return
		}
		component = found
	}
	claim := operation.ClaimOf(o, component, nil)
	for _, check := range []func(tenancy.Claim) *tenancy.Refusal{tenancy.CheckReferences, tenancy.CheckCost} {
		if refusal := operation.InFields(check(claim)); refusal != nil {
			l.said(RuleReference, refusal)
			return
		}
	}
	_, err := operation.TryOut(ctx, o, component, tenancy.Assignment{Queue: o.Spec.Queue, Project: o.Spec.Project})
	l.said(RuleOperation, err)
}

func (l *linter) elsewhere(component, path string) {
	l.add(Warning, RuleComponent, path, fmt.Sprintf("component %q is in none of the files: what it needs is not checked; give its file, too", component))
}

func (l *linter) workflow(w *v1alpha1.Workflow) {
	l.reserved(w)
	if !validation.WellFormed(&w.Spec) {
		return // the schema says so
	}
	if err := validation.Durations(&w.Spec); err != nil {
		l.said(RuleWorkflow, err)
		return
	}
	claim := operation.ClaimOf(&v1alpha1.Operation{Spec: v1alpha1.OperationSpec{Queue: w.Spec.Queue, Project: w.Spec.Project}}, nil, nil)
	if refusal := operation.InFields(tenancy.CheckReferences(claim)); refusal != nil {
		l.said(RuleReference, refusal)
	}
	_, err := plan.Check(w, func(name string) (*v1alpha1.Component, []string, error) {
		component, ok := l.components(name)
		if !ok {
			l.elsewhere(name, "")
			return nil, nil, plan.ErrNotKnown
		}
		return component, nil, nil
	})
	l.said(RuleWorkflow, err)
}

// claimOf is what a pod or Job says.
func claimOf(o metav1.Object) tenancy.Claim {
	return tenancy.Claim{Labels: o.GetLabels(), Annotations: o.GetAnnotations()}
}

// declared checks what a pod or a Job's template says of queue, cost, priority and time.
func (l *linter) declared(o metav1.Object, at string) {
	claim := claimOf(o)
	for _, check := range []func(tenancy.Claim) *tenancy.Refusal{
		tenancy.CheckReferences, tenancy.CheckCost, tenancy.CheckDeclarations,
		func(c tenancy.Claim) *tenancy.Refusal { return tenancy.CheckPriority(c.Annotations) },
	} {
		refusal := check(claim)
		if refusal == nil {
			continue
		}
		path := ""
		for _, key := range []string{v1alpha1.QueueLabel, v1alpha1.ProjectLabel, v1alpha1.CostLabel, v1alpha1.MaxRuntimeAnnotation, v1alpha1.PreemptibleAnnotation, v1alpha1.PriorityAnnotation} {
			if !strings.Contains(refusal.Message, key) {
				continue
			}
			if _, has := o.GetLabels()[key]; has {
				path = at + "metadata.labels." + key
			}
			if _, has := o.GetAnnotations()[key]; has {
				path = at + "metadata.annotations." + key
			}
		}
		l.add(Error, RuleReference, path, refusal.Message)
	}
}

// placed checks that what is in a queue leaves its placement to it.
func (l *linter) placed(o metav1.Object, spec *corev1.PodSpec, at string) {
	named := tenancy.NamedQueue(claimOf(o))
	if named == "" && spec.SchedulerName != v1alpha1.SchedulerName {
		return
	}
	if refusal := tenancy.CheckPlacement(l.namespace, spec.NodeName, spec.SchedulerName); refusal != nil {
		path, _, _ := strings.Cut(refusal.Message, " ")
		l.add(Error, RulePlacement, at+path, at+refusal.Message)
	}
}

// unread warns of labels and annotations that would be passed over in silence.
func (l *linter) unread(said []string, at string) {
	for _, one := range said {
		path := strings.TrimSuffix(at, ".")
		if found := markOf.FindStringSubmatch(one); found != nil {
			path = at + found[1] + "s." + found[2]
		}
		l.add(Warning, RuleReference, path, one)
	}
}

func (l *linter) pod() {
	pod := &corev1.Pod{}
	if !l.strict(pod) {
		return
	}
	l.declared(pod, "")
	l.unread(tenancy.UnreadOfPod(pod), "metadata.")
	l.placed(pod, &pod.Spec, "")
}

func (l *linter) job() {
	job := &batchv1.Job{}
	if !l.strict(job) {
		return
	}
	l.declared(job, "")
	l.declared(&job.Spec.Template, "spec.template.")
	l.unread(tenancy.UnreadOfJob(job), "metadata.")
	l.unread(tenancy.UnreadOfPod(&job.Spec.Template), "spec.template.metadata.")
	if _, refusal := tenancy.Combine(claimOf(job), claimOf(&job.Spec.Template)); refusal != nil {
		l.add(Error, RuleReference, "metadata.labels."+v1alpha1.QueueLabel, refusal.Message)
	}
	of := job.ObjectMeta
	of.Labels, of.Annotations = labels.Merge(job.Labels, job.Spec.Template.Labels), labels.Merge(job.Annotations, job.Spec.Template.Annotations)
	l.placed(&of, &job.Spec.Template.Spec, "spec.template.")
}
