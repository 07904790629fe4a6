package operation

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

var surroundings = &v1alpha1.Environment{
	Labels:             map[string]string{"team": "a", "tier": "b", v1alpha1.QueueLabel: "forged", v1alpha1.WorkflowLabel: "forged"},
	Annotations:        map[string]string{"note": "x", v1alpha1.OriginAnnotation: "forged"},
	NodeSelector:       map[string]string{"disk": "ssd", "zone": "1"},
	Tolerations:        []corev1.Toleration{{Key: "spot", Operator: corev1.TolerationOpExists, TolerationSeconds: ptr.To[int64](5)}, {Key: "gpu", Operator: corev1.TolerationOpExists}},
	ServiceAccountName: "trainer",
	ImagePullSecrets:   []corev1.LocalObjectReference{{Name: "registry"}, {Name: "mirror"}},
	Env:                []corev1.EnvVar{{Name: "DATA", Value: "/data"}, {Name: "SEED", Value: "1"}},
}

const (
	silent    = `{"spec": {"initContainers": [{"name": "fetch"}], "containers": [{"name": "main"}]}}`
	outspoken = `{"metadata": {"labels": {"team": "mine"}, "annotations": {"note": "mine"}}, "spec": {
		"nodeSelector": {"zone": "{{ 2 }}"}, "tolerations": [{"key": "gpu", "operator": "Exists"}], "serviceAccountName": "mine", "imagePullSecrets": [{"name": "mirror"}],
		"containers": [{"name": "main", "env": [{"name": "SEED", "value": "2"}, {"name": "FILE", "value": "$(DATA)/x"}]}]}}`
)

// surrounded renders a template of a kind for an operation with the surroundings, and gives its pod template.
func surrounded(t *testing.T, kind, pod string, edits ...func(*v1alpha1.Operation)) corev1.PodTemplateSpec {
	t.Helper()
	op := operationIn("")
	op.Spec.Environment = surroundings.DeepCopy()
	for _, edit := range edits {
		edit(op)
	}
	raw := func(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }
	op.Spec.Template = map[string]*v1alpha1.RunTemplate{
		"pod": {Pod: raw(pod)},
		"job": {Job: raw(`{"spec": {"template": ` + pod + `}}`)},
		"object": {Object: &v1alpha1.ObjectTemplate{SuccessCondition: "true",
			Manifest: *raw(`{"apiVersion": "example.com/v1", "kind": "Fleet", "spec": {"ships": [{"template": ` + pod + `}]}}`)}},
	}[kind]
	recipe, err := Compile(op, nil)
	require.NoError(t, err)
	made, err := recipe.Make(context.Background(), Mark{Operation: op, Attempt: 1, Namespace: "team", Queue: "gpu"})
	require.NoError(t, err)
	switch o := made.Object.(type) {
	case *corev1.Pod:
		return corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
	case *batchv1.Job:
		require.NotContains(t, o.Labels, "team", "it is of the pods")
		return o.Spec.Template
	}
	ships, _, err := unstructured.NestedSlice(made.Object.(*unstructured.Unstructured).Object, "spec", "ships")
	require.NoError(t, err)
	var template corev1.PodTemplateSpec
	require.NoError(t, runtime.DefaultUnstructuredConverter.FromUnstructured(ships[0].(map[string]any)["template"].(map[string]any), &template))
	return template
}

func TestEnvironment(t *testing.T) {
	for _, kind := range []string{"pod", "job", "object"} {
		t.Run(kind, func(t *testing.T) {
			pod := surrounded(t, kind, silent)
			require.Equal(t, "a", pod.Labels["team"])
			require.Equal(t, "x", pod.Annotations["note"])
			require.Equal(t, surroundings.NodeSelector, pod.Spec.NodeSelector)
			require.Equal(t, surroundings.Tolerations, pod.Spec.Tolerations)
			require.Equal(t, "trainer", pod.Spec.ServiceAccountName)
			require.Equal(t, surroundings.ImagePullSecrets, pod.Spec.ImagePullSecrets)
			require.Equal(t, surroundings.Env, pod.Spec.Containers[0].Env[:2])
			require.Equal(t, surroundings.Env, pod.Spec.InitContainers[0].Env[:2])

			pod = surrounded(t, kind, outspoken)
			require.Equal(t, "mine", pod.Labels["team"], "the template wins")
			require.Equal(t, "b", pod.Labels["tier"])
			require.Equal(t, "mine", pod.Annotations["note"])
			require.Equal(t, map[string]string{"disk": "ssd", "zone": "2"}, pod.Spec.NodeSelector)
			require.Equal(t, []string{"gpu", "spot"}, []string{pod.Spec.Tolerations[0].Key, pod.Spec.Tolerations[1].Key})
			require.Len(t, pod.Spec.Tolerations, 2)
			require.Equal(t, "mine", pod.Spec.ServiceAccountName)
			require.Equal(t, []corev1.LocalObjectReference{{Name: "mirror"}, {Name: "registry"}}, pod.Spec.ImagePullSecrets)
			require.Equal(t, []corev1.EnvVar{{Name: "DATA", Value: "/data"}, {Name: "SEED", Value: "2"}, {Name: "FILE", Value: "$(DATA)/x"}}, pod.Spec.Containers[0].Env[:3],
				"what the template says may use the rest")
		})
	}
}

// Neither a template nor an environment writes what is the controller's.
func TestMarksOfARun(t *testing.T) {
	for _, kind := range []string{"pod", "job", "object"} {
		forged := `{"metadata": {"labels": {"queueyard.io/workflow": "forged", "queueyard.io/workflow-uid": "forged"}}, "spec": {"containers": [{"name": "main"}]}}`
		pod := surrounded(t, kind, forged)
		require.NotContains(t, pod.Labels, v1alpha1.WorkflowLabel)
		require.NotContains(t, pod.Labels, v1alpha1.WorkflowUIDLabel)
		require.Equal(t, "gpu", pod.Labels[v1alpha1.QueueLabel])
		require.Equal(t, "team", pod.Annotations[v1alpha1.OriginAnnotation])
		pod = surrounded(t, kind, forged, func(op *v1alpha1.Operation) {
			op.Labels = map[string]string{v1alpha1.WorkflowLabel: "sweep", v1alpha1.WorkflowUIDLabel: "w-1", v1alpha1.StepLabel: "train"}
		})
		require.Equal(t, "sweep", pod.Labels[v1alpha1.WorkflowLabel])
		require.Equal(t, "w-1", pod.Labels[v1alpha1.WorkflowUIDLabel])
		require.NotContains(t, pod.Labels, v1alpha1.StepLabel)
	}
}
