package webhook_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/agentidentity"
	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Roles keep an agent of another cluster in its namespace; what it may change there is less than the whole Assignment.
func TestAgentsChangeNothingOfTheirAssignments(t *testing.T) {
	for _, o := range agentidentity.Objects("far") {
		require.NoError(t, admin.Create(t.Context(), o))
	}
	token, _, err := agentidentity.Token(t.Context(), env.Client, "far", time.Hour)
	require.NoError(t, err)
	config := rest.AnonymousClientConfig(env.Config)
	config.BearerToken = token
	far, err := clientOf(config)
	require.NoError(t, err)

	// Without the UID of its operation, for the hub takes away what is of no operation.
	a := &v1alpha1.Assignment{ObjectMeta: metav1.ObjectMeta{
		Namespace: v1alpha1.AgentNamespace("far"), Name: "run", Finalizers: []string{v1alpha1.OperationFinalizer},
		Labels:      map[string]string{v1alpha1.OperationLabel: "o", v1alpha1.QueueLabel: "gpu"},
		Annotations: map[string]string{v1alpha1.OriginAnnotation: "vision"},
	}}
	a.Spec.Namespace, a.Spec.Origin, a.Spec.Operation.Template = "work", v1alpha1.OperationReference{Namespace: "vision", Name: "o", UID: "u"}, runsPod(plainPod)
	require.NoError(t, admin.Create(t.Context(), a))
	const refusal = `of assignment "run" its agent writes the status, finalizer queueyard.io/agent and annotation queueyard.io/cluster: the rest is the hub's`
	attempt := func(text string) error { return far.Patch(t.Context(), a.DeepCopy(), merge(text), client.DryRunAll) }
	// The API server compiles policies, and learns of roles, in its own time.
	require.Eventually(t, func() bool {
		err := attempt(`{"metadata":{"labels":{"a":"b"}}}`)
		return err != nil && strings.Contains(err.Error(), refusal)
	}, time.Minute, pollEvery)
	for _, text := range []string{
		`{"metadata":{"labels":{"queueyard.io/operation":"another"}}}`,
		`{"metadata":{"labels":{"queueyard.io/operation-uid":"u"}}}`,
		`{"metadata":{"labels":null}}`,
		`{"metadata":{"annotations":{"queueyard.io/origin":"speech"}}}`,
		`{"metadata":{"annotations":null}}`,
		`{"metadata":{"finalizers":null}}`,
		`{"metadata":{"finalizers":["queueyard.io/operation","a/b"]}}`,
		`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"x","uid":"x"}]}}`,
		`{"spec":{"withdrawn":true}}`,
	} {
		require.ErrorContains(t, attempt(text), refusal, text)
	}
	require.NoError(t, far.Patch(t.Context(), a, merge(`{"metadata":{"finalizers":["queueyard.io/operation","queueyard.io/agent"],"annotations":{"queueyard.io/cluster":"c"}}}`)), "claims it")
	require.NoError(t, far.Status().Patch(t.Context(), a, merge(`{"status":{"message":"here"}}`)), "says how it goes")
	require.NoError(t, far.Patch(t.Context(), a, merge(`{"metadata":{"finalizers":["queueyard.io/operation"]}}`)), "lets it go")
	require.NoError(t, admin.Patch(t.Context(), a, merge(`{"metadata":{"finalizers":null}}`)))
	require.NoError(t, admin.Delete(t.Context(), a))
}
