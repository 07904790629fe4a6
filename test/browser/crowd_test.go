package browser

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func clientOf(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	config = rest.CopyConfig(config)
	config.QPS = -1
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	c, err := client.New(config, client.Options{Scheme: scheme})
	require.NoError(t, err)
	return c
}

// crowd makes operations that wait in a queue that admits none, in a namespace of their own.
func crowd(ctx context.Context, t *testing.T, config *rest.Config, n int) {
	t.Helper()
	c := clientOf(t, config)
	require.NoError(t, c.Create(ctx, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "crowd"}, Spec: v1alpha1.QueueSpec{Concurrency: ptr.To[int32](0)}}))
	pod := &runtime.RawExtension{Raw: []byte(`{"spec": {"containers": [{"name": "main", "image": "none"}]}}`)}
	errs := make([]error, n)
	workqueue.ParallelizeUntil(ctx, 16, n, func(i int) {
		errs[i] = c.Create(ctx, &v1alpha1.Operation{
			ObjectMeta: metav1.ObjectMeta{Namespace: "crowd", Name: fmt.Sprintf("op-%05d", i)},
			Spec:       v1alpha1.OperationSpec{Queue: "crowd", Priority: ptr.To(int32(i % 7)), Template: &v1alpha1.RunTemplate{Pod: pod}},
		})
	})
	for i, err := range errs {
		require.NoError(t, err, "operation %d", i)
	}
}
