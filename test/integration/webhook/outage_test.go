package webhook_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestCertificateIsMadeAndTrusted(t *testing.T) {
	secret := &corev1.Secret{}
	require.NoError(t, admin.Get(t.Context(), client.ObjectKey{Namespace: systemNamespace, Name: "queueyard-webhook-certificate"}, secret))
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(secret.Data["ca.crt"]))
	block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
	require.NotNil(t, block)
	certificate, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	_, err = certificate.Verify(x509.VerifyOptions{DNSName: "localhost", Roots: roots})
	require.NoError(t, err)

	mutating, validating := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}
	require.NoError(t, admin.Get(t.Context(), client.ObjectKey{Name: "queueyard"}, mutating))
	require.NoError(t, admin.Get(t.Context(), client.ObjectKey{Name: "queueyard"}, validating))
	require.Len(t, mutating.Webhooks, 6)
	for _, w := range mutating.Webhooks {
		require.Equal(t, secret.Data["ca.crt"], w.ClientConfig.CABundle, w.Name)
	}
	require.Len(t, validating.Webhooks, 4)
	for _, w := range validating.Webhooks {
		require.Equal(t, secret.Data["ca.crt"], w.ClientConfig.CABundle, w.Name)
	}
}

// A lost certificate is made anew, with another CA, while the controller runs.
func TestCertificateIsMadeAnew(t *testing.T) {
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: systemNamespace, Name: "queueyard-webhook-certificate"}
	require.NoError(t, admin.Get(t.Context(), key, secret))
	lost := secret.Data["ca.crt"]
	secret.Data = nil
	require.NoError(t, admin.Update(t.Context(), secret))

	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "queueyard"}}
	eventually(t, configuration, func() bool {
		ca := configuration.Webhooks[0].ClientConfig.CABundle
		return len(ca) > 0 && !bytes.Equal(ca, lost)
	})
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: configuration.ObjectMeta}
	eventually(t, validating, func() bool {
		return bytes.Equal(validating.Webhooks[0].ClientConfig.CABundle, configuration.Webhooks[0].ClientConfig.CABundle)
	})
	require.Eventually(t, func() bool {
		p := pod("free")
		return admin.Create(t.Context(), p) == nil && apierrors.IsForbidden(bind(t, admin, p))
	}, time.Minute, pollEvery, "both are trusted again")
}

// Without the controller, managed namespaces take nothing new and all else goes on.
func TestOutage(t *testing.T) {
	waiting := pod("free", labels(queueLabel("cpu")))
	require.NoError(t, admin.Create(t.Context(), waiting))
	yard.stop()
	defer func() { require.NoError(t, yard.start(t.Context())) }()

	err := admin.Create(t.Context(), pod("free"))
	require.ErrorContains(t, err, `failed calling webhook "pods.queueyard.io"`)
	require.ErrorContains(t, admin.Create(t.Context(), job("free", "outage")), `failed calling webhook "jobs.queueyard.io"`)
	moved := waiting.DeepCopy()
	moved.Labels[v1alpha1.QueueLabel] = "gpu"
	require.ErrorContains(t, admin.Update(t.Context(), moved), `failed calling webhook "pod-changes.queueyard.io"`)

	require.NoError(t, admin.Create(t.Context(), pod("outside")), "another namespace")
	require.NoError(t, admin.Create(t.Context(), job("outside", "outage")), "another namespace")
	waiting.Labels["mine"] = "yes"
	require.NoError(t, admin.Update(t.Context(), waiting), "a change that is not Queueyard's")
	require.NoError(t, bind(t, scheduler(t), waiting), "the scheduler of queues")
	require.NoError(t, admin.Create(t.Context(), queue("outage", v1alpha1.QueueSpec{})), "a queue")
}
