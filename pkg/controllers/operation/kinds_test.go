package operation

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
)

// What runs as a kind that is gone is unknown, and says so; it is not an error that nobody sees.
func TestKindThatIsGone(t *testing.T) {
	op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "x"}}
	op.Status.Attempt, op.Status.Run = 1, &v1alpha1.RunReference{APIVersion: "example.org/v1", Kind: "Gone", Namespace: "team", Name: "x-1"}
	c := fake.NewClientBuilder().WithScheme(scheme()).Build()
	k := &kinds{client: c, mapper: meta.NewDefaultRESTMapper(nil), watched: map[schema.GroupVersionKind]bool{}}
	w := &work{Reconciler: &Reconciler{client: c, live: client.Reader(c), kinds: k}, op: op}
	for _, phase := range []v1alpha1.Status{v1alpha1.StatusRunning, v1alpha1.StatusStopping, v1alpha1.StatusSucceeded} {
		op.Status.Phase = phase
		s, err := w.observe(t.Context())
		require.NoError(t, err)
		require.Equal(t, operation.Lost, s.observation.Stage)
		require.Equal(t, "UnknownKind", s.observation.Cause.Reason)
		require.Positive(t, s.again, "it may come back")
		require.False(t, s.held)
	}
	op.Status.Phase = v1alpha1.StatusQueued
	_, err := w.observe(t.Context())
	require.ErrorContains(t, err, "the cluster has no kind")
}
