package tenant

import (
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func project(name string, spec v1alpha1.ProjectSpec) *v1alpha1.Project {
	return &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

func namespaces(names ...string) []metav1.PartialObjectMetadata {
	var list []metav1.PartialObjectMetadata
	for _, name := range names {
		list = append(list, metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": "a"}}})
	}
	return list
}

func TestInspectProject(t *testing.T) {
	everywhere := v1alpha1.ProjectNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}}
	for name, tc := range map[string]struct {
		spec   v1alpha1.ProjectSpec
		others []v1alpha1.Project
		want   []finding
	}{
		"nothing to say": {spec: v1alpha1.ProjectSpec{DefaultQueue: "gpu", Organization: "acme", Namespaces: everywhere}},
		"invalid": {
			spec: v1alpha1.ProjectSpec{AllowedQueues: []string{"["}, DefaultQueue: "lost"},
			want: []finding{{reason: reasonInvalidSpec, message: `spec.allowedQueues: "[" cannot be read as a glob: write a queue's name, or a pattern such as "gpu-*"; spec.defaultQueue: queue "lost" is not among spec.allowedQueues ("["): add it there, or choose another default`}},
		},
		"unknown queue and organization": {
			spec: v1alpha1.ProjectSpec{DefaultQueue: "lost", Organization: "gone"},
			want: []finding{
				{reason: reasonUnknownObjects, message: `spec.defaultQueue: queue "lost" does not exist: create it, or choose another`},
				{reason: reasonUnknownObjects, message: `spec.organization: organization "gone" does not exist, so its limits and defaults do not apply: create it, or choose another`},
			},
		},
		"shares namespaces": {
			spec:   v1alpha1.ProjectSpec{Namespaces: everywhere},
			others: []v1alpha1.Project{*project("z", v1alpha1.ProjectSpec{Namespaces: everywhere}), *project("b", v1alpha1.ProjectSpec{Namespaces: v1alpha1.ProjectNamespaces{Names: []string{"n1"}}})},
			want: []finding{{reason: reasonSharedSpaces, harmless: true,
				message: `also claimed by b, z: n1, n2, n3, n4, n5 and 2 more; pods there must say with label queueyard.io/project which project they belong to`}},
		},
		"others elsewhere": {
			spec:   v1alpha1.ProjectSpec{Namespaces: v1alpha1.ProjectNamespaces{Names: []string{"n2"}}},
			others: []v1alpha1.Project{*project("b", v1alpha1.ProjectSpec{Namespaces: v1alpha1.ProjectNamespaces{Names: []string{"n1"}}})},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := project("p", tc.spec)
			got := inspectProject(p, surroundings{
				queues:        map[string]bool{"gpu": true},
				organizations: map[string]bool{"acme": true},
				projects:      append(tc.others, *p),
				namespaces:    namespaces("n1", "n2", "n3", "n4", "n5", "n6", "n7"),
			})
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestReport(t *testing.T) {
	status := &v1alpha1.TenantStatus{}
	assert.True(t, report(status, 3, nil))
	assert.Equal(t, int64(3), status.ObservedGeneration)
	assert.Equal(t, metav1.ConditionTrue, status.Conditions[0].Status)
	assert.False(t, report(status, 3, nil), "nothing new is not written")
	assert.True(t, report(status, 4, nil), "a new generation is")

	assert.True(t, report(status, 4, []finding{{reason: "A", message: "a", harmless: true}}))
	assert.Equal(t, metav1.ConditionTrue, status.Conditions[0].Status)
	assert.True(t, report(status, 4, []finding{{reason: "B", message: "b"}, {reason: "A", message: "a", harmless: true}}))
	assert.Equal(t, metav1.ConditionFalse, status.Conditions[0].Status)
	assert.Equal(t, "B", status.Conditions[0].Reason)
	assert.Equal(t, "b; a", status.Conditions[0].Message)
}
