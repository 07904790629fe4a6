package tenancy

import (
	"maps"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// keys are the labels, and annotations, by which an object is assigned.
var keys = []string{v1alpha1.QueueLabel, v1alpha1.ProjectLabel}

// CheckBoundPod refuses to change the queue, the project or the cost of a pod that has a node: it is
// charged to them until it ends.
func CheckBoundPod(before, after Claim, node string) *Refusal {
	for _, key := range []string{v1alpha1.QueueLabel, v1alpha1.ProjectLabel, v1alpha1.CostLabel} {
		for _, of := range []struct {
			kind          string
			before, after map[string]string
		}{
			{"label", before.Labels, after.Labels},
			{"annotation", before.Annotations, after.Annotations},
		} {
			if of.before[key] != of.after[key] {
				return refuse(ReasonBoundPod,
					"%s %s may not change from %s to %s: the pod is on node %q and counts against its queue and project until it ends; delete it and create it anew to move it",
					of.kind, key, quote(of.before[key]), quote(of.after[key]), node)
			}
		}
	}
	return CheckDeclarations(after)
}

// Combine merges what an object and its pod template say. Either may be silent; both must agree.
func Combine(own, template Claim) (Claim, *Refusal) {
	ownRef, refusal := queueReference(own.Labels, own.Annotations)
	if refusal != nil {
		return Claim{}, refusal
	}
	templateRef, refusal := queueReference(template.Labels, template.Annotations)
	if refusal != nil {
		return Claim{}, refusal
	}
	if ownRef.given() && templateRef.given() && !ownRef.agrees(templateRef) {
		return Claim{}, oneSided(v1alpha1.QueueLabel, ownRef.String(), templateRef.String())
	}
	ownProject, refusal := projectReference(own.Labels, own.Annotations)
	if refusal != nil {
		return Claim{}, refusal
	}
	templateProject, refusal := projectReference(template.Labels, template.Annotations)
	if refusal != nil {
		return Claim{}, refusal
	}
	if ownProject != "" && templateProject != "" && ownProject != templateProject {
		return Claim{}, oneSided(v1alpha1.ProjectLabel, ownProject, templateProject)
	}
	combined := own
	combined.Labels = fill(own.Labels, template.Labels)
	combined.Annotations = fill(own.Annotations, template.Annotations)
	return combined, nil
}

// Inherit fills what a claim leaves open from what the object said before.
func Inherit(c, before Claim) Claim {
	for _, key := range keys {
		if c.Labels[key] == "" && c.Annotations[key] == "" {
			c.Labels = fillKey(c.Labels, before.Labels, key)
			c.Annotations = fillKey(c.Annotations, before.Annotations, key)
		}
	}
	return c
}

func oneSided(key, own, template string) *Refusal {
	return refuse(ReasonContradiction,
		"%s is %s and %s in the pod template: set only one of them, or both to the same", key, quote(own), quote(template))
}

func fill(values, defaults map[string]string) map[string]string {
	for _, key := range keys {
		values = fillKey(values, defaults, key)
	}
	return values
}

// fillKey never changes the map it is given: it is part of a user's object.
func fillKey(values, defaults map[string]string, key string) map[string]string {
	if values[key] != "" || defaults[key] == "" {
		return values
	}
	filled := maps.Clone(values)
	if filled == nil {
		filled = map[string]string{}
	}
	filled[key] = defaults[key]
	return filled
}
