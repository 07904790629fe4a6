package tenancy

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestCheckBoundPod(t *testing.T) {
	gpu := Claim{Labels: queueLabel("gpu")}
	for name, tc := range map[string]struct {
		before, after Claim
		want          string
	}{
		"nothing changes": {before: gpu, after: gpu},
		"other labels change": {
			before: gpu,
			after:  Claim{Labels: map[string]string{v1alpha1.QueueLabel: "gpu", "x": "y"}},
		},
		"label changes": {
			before: gpu, after: Claim{Labels: queueLabel("cpu")},
			want: `label queueyard.io/queue may not change from "gpu" to "cpu": the pod is on node "n1" and counts against its queue and project until it ends; delete it and create it anew to move it`,
		},
		"label goes": {
			before: gpu, after: Claim{},
			want: `label queueyard.io/queue may not change from "gpu" to "": the pod is on node "n1" and counts against its queue and project until it ends; delete it and create it anew to move it`,
		},
		"annotation comes": {
			before: gpu, after: Claim{Labels: gpu.Labels, Annotations: queueLabel("cpu")},
			want: `annotation queueyard.io/queue may not change from "" to "cpu": the pod is on node "n1" and counts against its queue and project until it ends; delete it and create it anew to move it`,
		},
		"project changes": {
			before: Claim{Labels: projectLabel("a")}, after: Claim{Labels: projectLabel("b")},
			want: `label queueyard.io/project may not change from "a" to "b": the pod is on node "n1" and counts against its queue and project until it ends; delete it and create it anew to move it`,
		},
		"cost changes": {
			before: Claim{Annotations: map[string]string{v1alpha1.CostLabel: "2"}}, after: Claim{Annotations: map[string]string{v1alpha1.CostLabel: "0"}},
			want: `annotation queueyard.io/cost may not change from "2" to "0": the pod is on node "n1" and counts against its queue and project until it ends; delete it and create it anew to move it`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			refusal := CheckBoundPod(tc.before, tc.after, "n1")
			if tc.want == "" {
				assert.Nil(t, refusal)
				return
			}
			assert.Equal(t, tc.want, refusal.Error())
			assert.Equal(t, ReasonBoundPod, refusal.Reason)
		})
	}
}

func TestCombine(t *testing.T) {
	for name, tc := range map[string]struct {
		own, template Claim
		want          Claim
		refused       string
	}{
		"both silent":   {},
		"own only":      {own: Claim{Labels: queueLabel("a")}, want: Claim{Labels: queueLabel("a")}},
		"template only": {template: Claim{Annotations: queueLabel("x/a")}, want: Claim{Annotations: queueLabel("x/a")}},
		"each says one": {
			own: Claim{Labels: queueLabel("a")}, template: Claim{Labels: projectLabel("p")},
			want: Claim{Labels: map[string]string{v1alpha1.QueueLabel: "a", v1alpha1.ProjectLabel: "p"}},
		},
		"queues differ": {
			own: Claim{Labels: queueLabel("a")}, template: Claim{Annotations: queueLabel("x/b")},
			refused: `queueyard.io/queue is "a" and "x.b" in the pod template: set only one of them, or both to the same`,
		},
		"projects differ": {
			own: Claim{Labels: projectLabel("a")}, template: Claim{Labels: projectLabel("b")},
			refused: `queueyard.io/project is "a" and "b" in the pod template: set only one of them, or both to the same`,
		},
		"template contradicts itself": {
			template: Claim{Labels: queueLabel("a"), Annotations: queueLabel("b")},
			refused:  `label queueyard.io/queue is "a" and the annotation of the same key is "b": set only one of them, or both to the same`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, refusal := Combine(tc.own, tc.template)
			if tc.refused != "" {
				assert.Equal(t, tc.refused, refusal.Error())
				return
			}
			assert.Nil(t, refusal)
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestInheritFillsWhatIsOpen(t *testing.T) {
	before := Claim{Labels: map[string]string{v1alpha1.QueueLabel: "a", v1alpha1.ProjectLabel: "p"}}
	open := map[string]string{"x": "y"}
	got := Inherit(Claim{Labels: open, Annotations: queueLabel("b")}, before)
	assert.Equal(t, Claim{Labels: map[string]string{"x": "y", v1alpha1.ProjectLabel: "p"}, Annotations: queueLabel("b")}, got)
	assert.Equal(t, map[string]string{"x": "y"}, open, "the user's map is not changed")
}
