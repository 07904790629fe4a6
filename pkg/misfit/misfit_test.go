package misfit

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		into           any
		document, says string
	}{
		{&v1alpha1.Operation{}, "spec: {termination: {ttl: 7d}}", `spec.termination.ttl: "7d" is no duration: write numbers with units h, m or s, such as 90s, 1h30m or 168h`},
		{&v1alpha1.Operation{}, "spec: {termination: {backoff: {max: 5}}}", `spec.termination.backoff.max: 5 is no duration: write numbers with units h, m or s, such as 90s, 1h30m or 168h`},
		{&v1alpha1.Operation{}, "spec: {priority: 99999999999}", `spec.priority: 99999999999 is no whole number between -2147483648 and 2147483647`},
		{&v1alpha1.Operation{}, "spec: {priority: high}", `spec.priority: "high" is no whole number between -2147483648 and 2147483647`},
		{&v1alpha1.Operation{}, "spec: {approved: \"yes\"}", `spec.approved: "yes" is neither true nor false`},
		{&v1alpha1.Operation{}, "spec: {queue: 5}", `spec.queue: 5 is no text: write it in quotes`},
		{&v1alpha1.Operation{}, "spec: {termination: [1]}", `spec.termination: [1] is no object`},
		{&v1alpha1.Operation{}, "metadata: {labels: {a: 1}}", `metadata.labels.a: 1 is no text: write it in quotes`},
		{&v1alpha1.Workflow{}, "spec: {templates: [{name: a}, {name: b, dag: {operations: [{name: c, approved: 3}]}}]}", `spec.templates[1].dag.operations[0].approved: 3 is neither true nor false`},
		{&v1alpha1.Workflow{}, "spec: {templates: {name: a}}", `spec.templates: {"name":"a"} is no list`},
		{&v1alpha1.Workflow{}, "spec: {templates: [{operation: {termination: {ttl: 7d}}}]}", `spec.templates[0].operation.termination.ttl: "7d" is no duration: write numbers with units h, m or s, such as 90s, 1h30m or 168h`},
		{&v1alpha1.Queue{}, "spec: {quota: {resources: {cpu: 4x}}}", `spec.quota.resources.cpu: "4x" is no quantity: write a number such as 2, 500m or 16Gi`},
		{&corev1.Pod{}, "spec: {containers: [{resources: {limits: {memory: 10GB}}}]}", `spec.containers[0].resources.limits.memory: "10GB" is no quantity: write a number such as 2, 500m or 16Gi`},
		{&corev1.Pod{}, "spec: {containers: [{args: [1]}]}", `spec.containers[0].args[0]: 1 is no text: write it in quotes`},
	} {
		raw, err := yaml.YAMLToJSON([]byte(c.document))
		require.NoError(t, err)
		err = json.Unmarshal(raw, c.into)
		require.Error(t, err, c.document)
		require.EqualError(t, Explain(raw, c.into, err), c.says)
	}
}

func TestExplainCutsAndGivesUp(t *testing.T) {
	raw := []byte(`{"spec": {"queue": [` + strings.Repeat("1, ", 10000) + `1]}}`)
	err := json.Unmarshal(raw, &v1alpha1.Operation{})
	require.Less(t, len(Explain(raw, &v1alpha1.Operation{}, err).Error()), 300)

	err = json.Unmarshal([]byte(`{"spec"`), &v1alpha1.Operation{})
	require.Equal(t, err, Explain([]byte(`{"spec"`), &v1alpha1.Operation{}, err), "no JSON at all")
	require.Equal(t, err, Explain([]byte(`{}`), &v1alpha1.Operation{}, err), "it fits")
}
