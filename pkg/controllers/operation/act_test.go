package operation

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
)

// What is deleted after its time is what was seen to be over: somebody may have started it again meanwhile.
func TestDeletesWhatItSaw(t *testing.T) {
	op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "old", UID: "u", ResourceVersion: "7"}}
	var options client.DeleteOptions
	c := interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme()).Build(), interceptor.Funcs{
		Delete: func(_ context.Context, _ client.WithWatch, _ client.Object, given ...client.DeleteOption) error {
			options.ApplyOptions(given)
			return nil
		},
	})
	w := &work{Reconciler: &Reconciler{client: c}, op: op}
	require.NoError(t, w.act(t.Context(), operation.DeleteOperation, sight{}))
	require.Equal(t, "7", *options.Preconditions.ResourceVersion)
	require.EqualValues(t, "u", *options.Preconditions.UID)
}
