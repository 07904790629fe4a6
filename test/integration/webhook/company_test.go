package webhook_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// company makes the queues, projects and namespaces that the tests share.
func company(ctx context.Context) error {
	objects := []client.Object{
		queue("cpu", v1alpha1.QueueSpec{}),
		queue("gpu", v1alpha1.QueueSpec{Agent: "lab"}),
		queue("acme-wide", v1alpha1.QueueSpec{}),
		queue("draining", v1alpha1.QueueSpec{State: v1alpha1.QueueDraining}),
		&v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme"}, Spec: v1alpha1.OrganizationSpec{DefaultQueue: "acme-wide"}},
		project("vision", v1alpha1.ProjectSpec{DefaultQueue: "gpu", Organization: "acme", Namespaces: claims("vision", "shared")}),
		project("speech", v1alpha1.ProjectSpec{Organization: "acme", AllowedQueues: []string{"acme-*", "cpu"}, Namespaces: claims("speech", "shared")}),
		namespace("outside", nil),
	}
	for _, name := range []string{"free", "vision", "speech", "shared"} {
		objects = append(objects, namespace(name, managed))
	}
	for _, o := range objects {
		if err := admin.Create(ctx, o); err != nil {
			return err
		}
	}
	// Pods need the service account that a controller makes.
	for _, name := range []string{"free", "vision", "speech", "shared", "outside"} {
		if err := waitForServiceAccount(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func waitForServiceAccount(ctx context.Context, namespace string) error {
	return wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		err := admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "default"}, &corev1.ServiceAccount{})
		return err == nil, client.IgnoreNotFound(err)
	})
}

var managed = map[string]string{v1alpha1.ManagedLabel: "true"}

func namespace(name string, labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

func queue(name string, spec v1alpha1.QueueSpec) *v1alpha1.Queue {
	return &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

func project(name string, spec v1alpha1.ProjectSpec) *v1alpha1.Project {
	return &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

func claims(namespaces ...string) v1alpha1.ProjectNamespaces {
	return v1alpha1.ProjectNamespaces{Names: namespaces}
}

func queueLabel(v string) map[string]string   { return map[string]string{v1alpha1.QueueLabel: v} }
func projectLabel(v string) map[string]string { return map[string]string{v1alpha1.ProjectLabel: v} }

type edit func(*corev1.Pod)

func labels(l map[string]string) edit      { return func(p *corev1.Pod) { p.Labels = l } }
func annotations(a map[string]string) edit { return func(p *corev1.Pod) { p.Annotations = a } }

func pod(namespace string, edits ...edit) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "p-"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "none"}}},
	}
	for _, e := range edits {
		e(p)
	}
	return p
}

func job(namespace, name string, edits ...func(*batchv1.Job)) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	j.Spec.Template.Spec = pod(namespace).Spec
	j.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	for _, e := range edits {
		e(j)
	}
	return j
}

func suspended(j *batchv1.Job) { j.Spec.Suspend = ptr.To(true) }

// denied is what a user reads when a webhook refuses.
func denied(webhook, sentence string) string {
	return fmt.Sprintf("admission webhook %q denied the request: %s", webhook, sentence)
}

func requireDenied(t *testing.T, err error, webhook, sentence string) {
	t.Helper()
	require.EqualError(t, err, denied(webhook, sentence))
	require.True(t, apierrors.IsForbidden(err) || apierrors.IsInvalid(err), "reason %s", apierrors.ReasonForError(err))
}

// eventually reads an object until it is as wanted.
func eventually(t *testing.T, o client.Object, wanted func() bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		return admin.Get(t.Context(), client.ObjectKeyFromObject(o), o) == nil && wanted()
	}, time.Minute, pollEvery, "%T %s", o, o.GetName())
}
