package testenv_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/queueyard/queueyard/test/testenv"
)

func TestControlPlane(t *testing.T) {
	env := testenv.Start(t, testenv.WithCRDs())
	ctx := t.Context()

	t.Run("controllers make a Job's pod and act as themselves", func(t *testing.T) {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "hello"}}
		job.Spec.Template.Spec = corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "main", Image: "none"}},
		}
		_, err := env.Client.BatchV1().Jobs("default").Create(ctx, job, metav1.CreateOptions{})
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			pods, err := env.Client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "job-name=hello"})
			return err == nil && len(pods.Items) == 1
		}, time.Minute, 50*time.Millisecond)
	})

	t.Run("custom resources are served", func(t *testing.T) {
		client, err := dynamic.NewForConfig(env.Config)
		require.NoError(t, err)
		queues := schema.GroupVersionResource{Group: "queueyard.io", Version: "v1alpha1", Resource: "queues"}
		_, err = client.Resource(queues).List(ctx, metav1.ListOptions{})
		require.NoError(t, err)
	})

	t.Run("a service account has no rights of its own", func(t *testing.T) {
		config, err := env.ConfigFor(ctx, "default", "default")
		require.NoError(t, err)
		client, err := kubernetes.NewForConfig(config)
		require.NoError(t, err)
		_, err = client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{})
		require.True(t, apierrors.IsForbidden(err), "got %v", err)
	})

	t.Run("data survive a crash", func(t *testing.T) {
		env.Kill()
		require.NoError(t, env.Restart(ctx))
		_, err := env.Client.BatchV1().Jobs("default").Get(ctx, "hello", metav1.GetOptions{})
		require.NoError(t, err)
	})
}
