package browser

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// abandon deletes the agent of fleet.yaml once it has a share of a limit, which nobody will give back.
func abandon(ctx context.Context, t *testing.T, config *rest.Config) {
	t.Helper()
	c := clientOf(t, config)
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		q := &v1alpha1.Queue{}
		require.NoError(collect, c.Get(ctx, client.ObjectKey{Name: "anywhere"}, q))
		assert.True(collect, slices.ContainsFunc(q.Status.Shares, func(s v1alpha1.AgentShare) bool { return s.Agent == "gpu-east" }))
	}, time.Minute, 100*time.Millisecond)
	require.NoError(t, c.Delete(ctx, &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "gpu-east"}}))
}
