package tenancy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/suggest"
)

// What is read of a pod and of a Job itself. Annotations of a pod are read where labels of the key are, and more.
var (
	jobKeys        = []string{v1alpha1.QueueLabel, v1alpha1.ProjectLabel}
	podLabels      = append(slices.Clone(jobKeys), v1alpha1.CostLabel)
	podAnnotations = append(slices.Clone(podLabels), v1alpha1.PriorityAnnotation, v1alpha1.MaxRuntimeAnnotation, v1alpha1.PreemptibleAnnotation)
)

const ownPrefix = "queueyard.io/"

// UnreadOfPod is a sentence for each label and annotation of Queueyard that nobody reads of what a user makes: it is misspelt,
// or in the wrong place, and would be passed over in silence.
func UnreadOfPod(o metav1.Object) []string {
	return append(unread("label", o.GetLabels(), podLabels), unread("annotation", o.GetAnnotations(), podAnnotations)...)
}

// UnreadOfJob is the same of a Job itself, which hands only queue and project on to its pods.
func UnreadOfJob(o metav1.Object) []string {
	return append(unread("label", o.GetLabels(), jobKeys), unread("annotation", o.GetAnnotations(), jobKeys)...)
}

func unread(what string, given map[string]string, read []string) (said []string) {
	for _, key := range slices.Sorted(maps.Keys(given)) {
		name, own := strings.CutPrefix(key, ownPrefix)
		switch {
		case !own || slices.Contains(read, key):
		case slices.Contains(podAnnotations, key):
			said = append(said, fmt.Sprintf("%s %s is not read here: write it as an annotation of the pod, or of the pod template", what, key))
		default:
			meant := ""
			if nearest, ok := suggest.Nearest(name, names()); ok {
				meant = fmt.Sprintf(" (did you mean %s%s?)", ownPrefix, nearest)
			}
			said = append(said, fmt.Sprintf("%s %s is not known%s: correct it, or leave it out", what, key, meant))
		}
	}
	return said
}

// names are the keys without what they have in common, which is no sign that one is meant.
func names() (names []string) {
	for _, key := range podAnnotations {
		names = append(names, strings.TrimPrefix(key, ownPrefix))
	}
	return names
}
