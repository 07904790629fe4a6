package tenancy

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// reference names a queue, and the agent it is expected at if the user wrote one.
type reference struct {
	agent string
	queue string
}

// given tells whether an object names a queue at all.
func (r reference) given() bool { return r.queue != "" }

// agrees tells whether both can mean the same queue. An agent that only one of them names is no
// contradiction: a stamped label has none.
func (r reference) agrees(other reference) bool {
	return r.queue == other.queue && (r.agent == "" || other.agent == "" || r.agent == other.agent)
}

// String writes the reference as a label's value.
func (r reference) String() string {
	if r.agent == "" {
		return r.queue
	}
	return r.agent + "." + r.queue
}

// NamedQueue is the queue that a claim names itself; empty if it names none or nothing readable.
func NamedQueue(c Claim) string {
	ref, _ := queueReference(c.Labels, c.Annotations)
	return ref.queue
}

// queueReference reads the queue that labels or annotations name.
func queueReference(labels, annotations map[string]string) (reference, *Refusal) {
	fromLabel, refusal := parseReference("label", labels[v1alpha1.QueueLabel])
	if refusal != nil {
		return reference{}, refusal
	}
	fromAnnotation, refusal := parseReference("annotation", annotations[v1alpha1.QueueLabel])
	if refusal != nil {
		return reference{}, refusal
	}
	switch {
	case !fromAnnotation.given():
		return fromLabel, nil
	case !fromLabel.given():
		return fromAnnotation, nil
	case !fromLabel.agrees(fromAnnotation):
		return reference{}, contradiction(v1alpha1.QueueLabel, labels, annotations)
	case fromLabel.agent == "":
		return fromAnnotation, nil
	}
	return fromLabel, nil
}

// parseReference reads "QUEUE", "AGENT.QUEUE" or "AGENT/QUEUE". A label's value cannot hold a slash.
func parseReference(where, value string) (reference, *Refusal) {
	if value == "" {
		return reference{}, nil
	}
	agent, queue, found := strings.Cut(value, "/")
	if !found {
		agent, queue, found = strings.Cut(value, ".")
	}
	if !found {
		agent, queue = "", value
	}
	if !isName(queue) || (found && !isName(agent)) {
		return reference{}, refuse(ReasonInvalidReference,
			"%s %s: %s names no queue: write QUEUE, AGENT.QUEUE or, as an annotation, AGENT/QUEUE; names have at most 63 lower-case letters, digits and dashes",
			where, v1alpha1.QueueLabel, quote(value))
	}
	return reference{agent: agent, queue: queue}, nil
}

// projectReference reads the project that labels or annotations name; empty if none.
func projectReference(labels, annotations map[string]string) (string, *Refusal) {
	label, annotation := labels[v1alpha1.ProjectLabel], annotations[v1alpha1.ProjectLabel]
	if label != "" && annotation != "" && label != annotation {
		return "", contradiction(v1alpha1.ProjectLabel, labels, annotations)
	}
	where, name := "label", label
	if name == "" {
		where, name = "annotation", annotation
	}
	if name != "" && !isName(name) {
		return "", refuse(ReasonInvalidReference,
			"%s %s: %s names no project: a name has at most 63 lower-case letters, digits and dashes",
			where, v1alpha1.ProjectLabel, quote(name))
	}
	return name, nil
}

func contradiction(key string, labels, annotations map[string]string) *Refusal {
	return refuse(ReasonContradiction,
		"label %s is %s and the annotation of the same key is %s: set only one of them, or both to the same",
		key, quote(labels[key]), quote(annotations[key]))
}

// isName tells whether an object of Queueyard can have that name.
func isName(s string) bool { return len(validation.IsDNS1123Label(s)) == 0 }
