package operation

import (
	"cmp"
	"strings"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// ClaimOf is what an operation, and the component it names, say of queue, project and cost.
func ClaimOf(op *v1alpha1.Operation, component *v1alpha1.Component, namespaceLabels map[string]string) tenancy.Claim {
	said := map[string]string{}
	add := func(key, value string) {
		if value != "" {
			said[key] = value
		}
	}
	if component == nil {
		component = &v1alpha1.Component{}
	}
	add(v1alpha1.QueueLabel, cmp.Or(op.Spec.Queue, component.Spec.Queue))
	add(v1alpha1.CostLabel, cmp.Or(op.Spec.Cost, component.Spec.Cost))
	add(v1alpha1.ProjectLabel, op.Spec.Project)
	return tenancy.Claim{Namespace: op.Namespace, NamespaceLabels: namespaceLabels, Annotations: said, Operation: true, Assigned: IsCopy(op)}
}

// Priority is that of an operation in its queue: its own, else its component's, else 0.
func Priority(op *v1alpha1.Operation, component *v1alpha1.Component) int32 {
	switch {
	case op.Spec.Priority != nil:
		return *op.Spec.Priority
	case component != nil && component.Spec.Priority != nil:
		return *component.Spec.Priority
	}
	return 0
}

// inFields says in the fields of an operation what tenancy says in labels.
var inFields = strings.NewReplacer(
	"label "+v1alpha1.QueueLabel, "spec.queue", "annotation "+v1alpha1.QueueLabel, "spec.queue", v1alpha1.QueueLabel, "spec.queue",
	"label "+v1alpha1.ProjectLabel, "spec.project", "annotation "+v1alpha1.ProjectLabel, "spec.project", v1alpha1.ProjectLabel, "spec.project",
	"annotation "+v1alpha1.CostLabel, "spec.cost", v1alpha1.CostLabel, "spec.cost", "remove the label", "leave the field out",
)

// InFields is a refusal as one who wrote an operation reads it.
func InFields(r *tenancy.Refusal) *tenancy.Refusal {
	if r == nil {
		return nil
	}
	return &tenancy.Refusal{Reason: r.Reason, Message: inFields.Replace(r.Message)}
}
