package audit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/audit"
	"github.com/queueyard/queueyard/test/testenv"
)

// The test plays a scheduler that keeps no promise: the audit must see it through the API.
func TestWatch(t *testing.T) {
	env := testenv.Start(t, testenv.WithCRDs())
	ctx := t.Context()
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	c, err := client.New(env.Config, client.Options{Scheme: scheme})
	require.NoError(t, err)
	one := int32(1)
	require.NoError(t, c.Create(ctx, &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "default"}}))
	require.NoError(t, c.Create(ctx, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "q"}, Spec: v1alpha1.QueueSpec{Concurrency: &one}}))

	w, err := audit.Watch(ctx, env.Config, audit.Config{EditWindow: time.Second, OrderGrace: time.Second, StuckAfter: time.Second}, nil)
	require.NoError(t, err)
	pods := env.Client.CoreV1().Pods("default")
	labels := map[string]string{v1alpha1.QueueLabel: "q"}
	create := func(name string) {
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
			Spec:       corev1.PodSpec{SchedulerName: v1alpha1.SchedulerName, Containers: []corev1.Container{{Name: "c", Image: "none"}}},
		}
		_, err := pods.Create(ctx, p, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	bind := func(name string) {
		b := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: name}, Target: corev1.ObjectReference{Kind: "Node", Name: "node"}}
		require.NoError(t, pods.Bind(ctx, b, metav1.CreateOptions{}))
	}
	found := func(rule audit.Rule, pod string) func() bool {
		return func() bool {
			for _, v := range w.Violations() {
				if v.Rule == rule && v.Pod == "default/"+pod {
					return true
				}
			}
			return false
		}
	}

	create("waits")
	require.Eventually(t, found(audit.Stuck, "waits"), time.Minute, 50*time.Millisecond)
	bind("waits")
	create("second")
	bind("second")
	require.Eventually(t, found(audit.OverLimit, "second"), time.Minute, 50*time.Millisecond)

	limited := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "w"}, Spec: v1alpha1.WorkflowSpec{Concurrency: &one, Entrypoint: "job",
		Templates: []v1alpha1.WorkflowTemplate{{Name: "job", Operation: &v1alpha1.OperationTemplate{Component: "none"}}}}}
	require.NoError(t, c.Create(ctx, limited))
	for _, name := range []string{"first-of-w", "second-of-w"} {
		labels = map[string]string{v1alpha1.QueueLabel: "q", v1alpha1.WorkflowUIDLabel: string(limited.UID), v1alpha1.OperationUIDLabel: name}
		create(name)
	}
	require.Eventually(t, found(audit.WorkflowLimit, "second-of-w"), time.Minute, 50*time.Millisecond)

	require.Len(t, w.Stop(), 3)
	require.Equal(t, []audit.WorkflowSummary{{Workflow: "default/w", Peak: 2, Limit: 1}}, w.WorkflowSummary())
	summary := w.Summary()
	require.Len(t, summary, 1)
	require.Equal(t, 2, summary[0].Peak)
	require.Equal(t, int64(1), summary[0].Limit)
}
