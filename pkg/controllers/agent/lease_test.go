package agent

import (
	"context"
	"testing"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/setback"
)

// An agent whose hub was restored from a backup starts anew: what it knows of the hub has not happened.
func TestHubSetBack(t *testing.T) {
	versions := []string{"100", "200", "200", "150"}
	hub := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
			o.SetResourceVersion(versions[0])
			versions = versions[1:]
			return nil
		},
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error { return nil },
	}).Build()
	k := &keeper{reader: hub, writer: hub, me: identity{"east", "a"}, clock: clock.RealClock{}}
	for range 3 {
		require.NoError(t, k.renew(t.Context()))
	}
	require.True(t, k.holds())
	err := k.keep(t.Context(), logr.Discard(), "east", func(bool) { t.Error("it renews, or waits for another") })
	require.ErrorIs(t, err, setback.ErrSetBack)
	require.False(t, k.holds())
}
