package operation

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func madeOf(t *testing.T, pod string) (Made, error) {
	t.Helper()
	op := operationIn("")
	op.Spec.Params = v1alpha1.Values{"rate": apiextensionsv1.JSON{Raw: []byte("0.1")}, "n": apiextensionsv1.JSON{Raw: []byte("3")}}
	op.Spec.Template = &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: []byte(pod)}}
	recipe, err := Compile(op, nil)
	require.NoError(t, err)
	return recipe.Make(context.Background(), Mark{Operation: op, Attempt: 2, Namespace: "team", Queue: "gpu"})
}

// A param alone in an argument, a variable or a label is text there, and a number elsewhere.
func TestTextWhereTextBelongs(t *testing.T) {
	made, err := madeOf(t, `{"metadata": {"labels": {"n": "{{ params.n }}"}}, "spec": {"terminationGracePeriodSeconds": "{{ params.n }}", "containers": [
		{"name": "main", "image": "x", "command": ["train", "{{ params.rate }}"], "args": ["{{ globals.attempt }}", "{{ true }}"], "env": [{"name": "N", "value": "{{ params.n }}"}, {"name": "E"}]}]}}`)
	require.NoError(t, err)
	pod := made.Object.(*corev1.Pod)
	main := pod.Spec.Containers[0]
	require.Equal(t, []string{"train", "0.1"}, main.Command)
	require.Equal(t, []string{"2", "true"}, main.Args)
	require.Equal(t, "3", main.Env[0].Value)
	require.Equal(t, "3", pod.Labels["n"])
	require.EqualValues(t, 3, *pod.Spec.TerminationGracePeriodSeconds)
	require.Equal(t, OutputsVariable, main.Env[2].Name)
}

// A list or map alone is JSON there, as it is inside a text.
func TestJSONWhereTextBelongs(t *testing.T) {
	made, err := madeOf(t, `{"spec": {"containers": [{"name": "main", "image": "x", "args": ["{{ [params.n, 4] }}"], "env": [{"name": "N", "value": "{{ {'rate': params.rate, 'a': '<b>'} }}"}]}]}}`)
	require.NoError(t, err)
	main := made.Object.(*corev1.Pod).Spec.Containers[0]
	require.Equal(t, []string{"[3,4]"}, main.Args)
	require.Equal(t, `{"a":"<b>","rate":0.1}`, main.Env[0].Value)
}

func TestBuildRefuses(t *testing.T) {
	for pod, says := range map[string]string{
		`{"spec": {"restartPolicy": "Always", "containers": [{"name": "a"}]}}`:                                 "operation ends",
		`{"spec": {"containers": []}}`:                                                                         "spec.containers is empty",
		`{"spec": {"nodeName": "n1", "containers": [{"name": "a"}]}}`:                                          "past the queue",
		`{"spec": {"schedulerName": "other", "containers": [{"name": "a"}]}}`:                                  "serves no queues",
		`{"metadata": {"name": "mine"}, "spec": {"containers": [{"name": "a"}]}}`:                              "leave it out",
		`{"metadata": {"finalizers": ["x/y"]}, "spec": {"containers": [{"name": "a"}]}}`:                       "finalizers",
		`{"kind": "Job", "spec": {"containers": [{"name": "a"}]}}`:                                             "kind is Job",
		`{"spec": {"contaniers": [{"name": "a"}]}}`:                                                            "contaniers",
		`{"spec": {"terminationGracePeriodSeconds": "{{ string(params.n) }}", "containers": [{"name": "a"}]}}`: "terminationGracePeriodSeconds",
	} {
		_, err := madeOf(t, pod)
		require.ErrorContains(t, err, says, pod)
	}
}

// Admission asks whether the author may create the kind: it must be the same in every attempt, and make nothing further.
func TestKindsAreWrittenOut(t *testing.T) {
	for manifest, says := range map[string]string{
		`{"apiVersion": "v1", "kind": "ConfigMap"}`: "",
		`{"apiVersion": "v1"}`:                      "spec.template.object.manifest.kind must be written out",
		`{"kind": "ConfigMap"}`:                     "spec.template.object.manifest.apiVersion must be written out",
		`{"apiVersion": "v1", "kind": "{{ globals.attempt == 1 ? 'ConfigMap' : 'Secret' }}"}`:                          "spec.template.object.manifest.kind must be written out",
		`{"apiVersion": "v1", "kind": "Config{{ 'Map' }}"}`:                                                            "spec.template.object.manifest.kind must be written out",
		`{"apiVersion": "queueyard.io/v1alpha1", "kind": "Operation"}`:                                                 "kind is Operation, and operations make nothing of Queueyard's own",
		`{"apiVersion": "queueyard.io/v9", "kind": "Queue"}`:                                                           "kind is Queue, and operations make nothing of Queueyard's own",
		`{"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": {"labels": {"a": "{{ globals.name }}"}}}`: "",
	} {
		op := operationIn("")
		op.Spec.Template = &v1alpha1.RunTemplate{Object: &v1alpha1.ObjectTemplate{Manifest: runtime.RawExtension{Raw: []byte(manifest)}, SuccessCondition: "true"}}
		_, err := Compile(op, nil)
		if says == "" {
			require.NoError(t, err, manifest)
		} else {
			require.ErrorContains(t, err, says, manifest)
		}
	}
}
