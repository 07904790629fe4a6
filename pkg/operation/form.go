package operation

import (
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/params"
)

// form checks what can be told of a manifest before its expressions have values: that its fields exist
// and that those without expressions are of their types.
func (r *Recipe) form(template *v1alpha1.RunTemplate, root string) error {
	var into Object
	raw := template.Pod
	apiVersion, kind := "v1", "Pod"
	switch r.kind {
	case "pod":
		into = &corev1.Pod{}
	case "job":
		into, raw, apiVersion, kind = &batchv1.Job{}, template.Job, "batch/v1", "Job"
	default:
		return nil // nothing is known of other kinds
	}
	decoded, err := params.Decode(raw.Raw)
	if err != nil {
		return fmt.Errorf("%s.%s %w", root, r.kind, err)
	}
	tree, ok := withoutExpressions(decoded).(map[string]any)
	if !ok {
		return fmt.Errorf("%s.%s is no object", root, r.kind)
	}
	asText(tree)
	if err := strict(tree, into, apiVersion, kind); err != nil {
		return fmt.Errorf("%s.%s: %w", root, r.kind, err)
	}
	return nil
}

// withoutExpressions leaves out values that are expressions: of these nothing is known.
func withoutExpressions(tree any) any {
	switch node := tree.(type) {
	case string:
		if strings.Contains(node, "{{") {
			return nil
		}
	case []any:
		out := make([]any, 0, len(node))
		for _, item := range node {
			if kept := withoutExpressions(item); kept != nil {
				out = append(out, kept)
			}
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(node))
		for key, value := range node {
			if kept := withoutExpressions(value); kept != nil {
				out[key] = kept
			}
		}
		return out
	}
	return tree
}
