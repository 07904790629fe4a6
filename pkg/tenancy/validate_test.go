package tenancy

import (
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestValidateProject(t *testing.T) {
	for name, tc := range map[string]struct {
		spec v1alpha1.ProjectSpec
		want string
	}{
		"empty":                {},
		"default is allowed":   {spec: v1alpha1.ProjectSpec{DefaultQueue: "gpu-a", AllowedQueues: []string{"cpu", "gpu-*"}}},
		"all queues allowed":   {spec: v1alpha1.ProjectSpec{DefaultQueue: "gpu"}},
		"selects all":          {spec: v1alpha1.ProjectSpec{Namespaces: v1alpha1.ProjectNamespaces{Selector: &metav1.LabelSelector{}}}},
		"default not allowed":  {spec: v1alpha1.ProjectSpec{DefaultQueue: "cpu", AllowedQueues: []string{"gpu-*"}}, want: `spec.defaultQueue: queue "cpu" is not among spec.allowedQueues ("gpu-*"): add it there, or choose another default`},
		"bad glob":             {spec: v1alpha1.ProjectSpec{AllowedQueues: []string{"ok", "gpu-["}}, want: `spec.allowedQueues: "gpu-[" cannot be read as a glob: write a queue's name, or a pattern such as "gpu-*"`},
		"default is no name":   {spec: v1alpha1.ProjectSpec{DefaultQueue: "lab/gpu"}, want: `spec.defaultQueue: "lab/gpu" cannot be a name: names have at most 63 lower-case letters, digits and dashes`},
		"organization no name": {spec: v1alpha1.ProjectSpec{Organization: "A b"}, want: `spec.organization: "A b" cannot be a name: names have at most 63 lower-case letters, digits and dashes`},
		"two faults, two sentences": {
			spec: v1alpha1.ProjectSpec{Organization: "A", AllowedQueues: []string{"["}},
			want: "spec.organization: \"A\" cannot be a name: names have at most 63 lower-case letters, digits and dashes\nspec.allowedQueues: \"[\" cannot be read as a glob: write a queue's name, or a pattern such as \"gpu-*\"",
		},
		"bad selector": {
			spec: v1alpha1.ProjectSpec{Namespaces: v1alpha1.ProjectNamespaces{Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}}},
			want: `spec.namespaces.selector cannot be read: "Near" is not a valid label selector operator`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			assertSays(t, tc.want, ValidateProject(project("p", tc.spec)))
		})
	}
}

func TestValidateOthers(t *testing.T) {
	assertSays(t, "", ValidateOrganization(organization("o", "gpu")))
	assertSays(t, `spec.defaultQueue: "a.b" cannot be a name: names have at most 63 lower-case letters, digits and dashes`, ValidateOrganization(organization("o", "a.b")))
	assertSays(t, "", ValidateQueue(queue("q")))
	assertSays(t, `spec.agent: "a/b" cannot be a name: names have at most 63 lower-case letters, digits and dashes`,
		ValidateQueue(queue("q", func(q *v1alpha1.Queue) { q.Spec.Agent = "a/b" })))
}

func assertSays(t *testing.T, want string, err error) {
	t.Helper()
	if want == "" {
		assert.NoError(t, err)
		return
	}
	assert.EqualError(t, err, want)
}
