package chart_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/queueyard/queueyard/manifests"
	"github.com/queueyard/queueyard/test/testenv"
)

var certificates = schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificates"}

// With certManager.enabled, cert-manager makes the webhooks' certificate and has the API server trust it; the controller serves it,
// and a renewed one without a restart and without one refused request.
func TestCertManager(t *testing.T) {
	bin, err := testenv.BinDir()
	require.NoError(t, err)
	program := filepath.Join(bin, "cert-manager")
	if _, err := os.Stat(program); err != nil {
		t.Skip("skipped: bin/cert-manager is missing; make test-cert-manager builds it")
	}
	env := testenv.Start(t, testenv.WithCRDs())
	c := &installer{Env: env}
	c.define(t, documents(t, certManagerCRDs(t)...))
	runCertManager(t, program, env.Dir.Kubeconfig())

	system, err := manifests.Install.ReadFile("install/namespace.yaml")
	require.NoError(t, err)
	data, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(t, err)
	c.apply(t, documents(t, system))
	installed := slices.DeleteFunc(documents(t, data), func(o *unstructured.Unstructured) bool {
		return o.GroupVersionKind().Group == "monitoring.coreos.com"
	})
	var configurations []*unstructured.Unstructured
	for _, o := range installed {
		switch {
		case o.GetKind() == "Service" && o.GetName() == "queueyard-controller":
			// The pod is a process of this machine.
			o.Object["spec"] = map[string]any{"type": "ExternalName", "externalName": "localhost"}
		case o.GroupVersionKind().Group == "admissionregistration.k8s.io" && o.GetName() == "queueyard":
			configurations = append(configurations, o)
		}
	}
	c.apply(t, slices.DeleteFunc(slices.Clone(installed), func(o *unstructured.Unstructured) bool { return slices.Contains(configurations, o) }))
	controller := c.start(t, "queueyard-controller", installed, func(_, kubeconfig string, port func() string) []string {
		return []string{"--kubeconfig", kubeconfig, "--agent", "", "--hub-kubeconfig", "", "--leader-elect=false",
			"--health-address", "127.0.0.1:" + port(), "--metrics-address", "127.0.0.1:" + port(), "--webhook-port", port()}
	})
	controller.ready(t, "http://127.0.0.1:"+controller.ports[0])
	port := controller.ports[2]
	for _, o := range configurations {
		callAt(t, o, port)
	}
	c.apply(t, configurations)
	authority := c.secret(t)["ca.crt"]
	c.until(t, "the API server is told of the authority", func(ctx context.Context) bool {
		return !slices.ContainsFunc(c.bundles(t, configurations), func(bundle string) bool { return bundle != string(authority) })
	})
	require.Equal(t, c.secret(t)["tls.crt"], served(t, port, authority))

	_, err = env.Client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "team", Labels: map[string]string{"queueyard.io/managed": "true"}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	c.until(t, "the webhook stamps pods", func(context.Context) bool { return c.stamps(t) == nil })

	// While it is renewed, every request is answered.
	renewed, refused := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(refused)
		for {
			select {
			case <-renewed:
				return
			default:
			}
			if err := c.stamps(t); err != nil {
				refused <- err
				return
			}
		}
	}()
	before := c.secret(t)["tls.crt"]
	c.renew(t)
	c.until(t, "the renewed certificate is served", func(context.Context) bool {
		return string(served(t, port, authority)) != string(before)
	})
	close(renewed)
	require.NoError(t, <-refused)
	require.Equal(t, c.secret(t)["tls.crt"], served(t, port, authority))
	require.NoError(t, c.stamps(t))
	for _, bundle := range c.bundles(t, configurations) {
		require.Equal(t, string(authority), bundle, "what the API server trusts stays")
	}
	require.Contains(t, c.metrics(t, controller.ports[1]), "queueyard_webhook_certificate_expiry_timestamp_seconds 1.")
	require.False(t, controller.ended())
	require.NotContains(t, controller.text(t), "forbidden")
}

// certManagerCRDs are those of the version that bin/cert-manager is built from.
func certManagerCRDs(t *testing.T) (files [][]byte) {
	t.Helper()
	command := exec.Command("go", "mod", "download", "-json", "github.com/cert-manager/cert-manager")
	command.Dir = "../../../hack/tools/cert-manager"
	out, err := command.Output()
	require.NoError(t, err, "%s", out)
	var module struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &module))
	names, err := filepath.Glob(filepath.Join(module.Dir, "deploy/crds/*.yaml"))
	require.NoError(t, err)
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		files = append(files, data)
	}
	return files
}

func runCertManager(t *testing.T, program, kubeconfig string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "cert-manager.log"))
	require.NoError(t, err)
	process := exec.Command(program, "--kubeconfig", kubeconfig)
	process.Stdout, process.Stderr = log, log
	require.NoError(t, process.Start())
	t.Cleanup(func() {
		_ = process.Process.Signal(syscall.SIGTERM)
		_ = process.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("end of the log of cert-manager:\n%s", text[max(0, len(text)-4<<10):])
		}
		_ = log.Close()
	})
}

// webhooks are those of a configuration.
func webhooks(t *testing.T, o *unstructured.Unstructured) []any {
	t.Helper()
	all, _, err := unstructured.NestedSlice(o.Object, "webhooks")
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// callAt has webhooks called at a port of their Service.
func callAt(t *testing.T, o *unstructured.Unstructured, port string) {
	t.Helper()
	number, err := strconv.ParseInt(port, 10, 64)
	require.NoError(t, err)
	all := webhooks(t, o)
	for _, w := range all {
		require.NoError(t, unstructured.SetNestedField(w.(map[string]any), number, "clientConfig", "service", "port"))
	}
	require.NoError(t, unstructured.SetNestedSlice(o.Object, all, "webhooks"))
}

// bundles are the authorities that the API server trusts, of every webhook.
func (c *installer) bundles(t *testing.T, configurations []*unstructured.Unstructured) (all []string) {
	t.Helper()
	for _, o := range configurations {
		resource := o.GroupVersionKind().GroupVersion().WithResource(map[string]string{
			"MutatingWebhookConfiguration": "mutatingwebhookconfigurations", "ValidatingWebhookConfiguration": "validatingwebhookconfigurations"}[o.GetKind()])
		now, err := c.dynamic.Resource(resource).Get(t.Context(), o.GetName(), metav1.GetOptions{})
		require.NoError(t, err)
		for _, w := range webhooks(t, now) {
			bundle, _, _ := unstructured.NestedString(w.(map[string]any), "clientConfig", "caBundle")
			decoded, err := base64.StdEncoding.DecodeString(bundle)
			require.NoError(t, err)
			all = append(all, string(decoded))
		}
	}
	return all
}

func (c *installer) secret(t *testing.T) map[string][]byte {
	t.Helper()
	secret, err := c.Client.CoreV1().Secrets(namespace).Get(t.Context(), "queueyard-webhook-certificate", metav1.GetOptions{})
	require.NoError(t, err)
	return secret.Data
}

// renew asks for a new certificate, as cmctl renew does.
func (c *installer) renew(t *testing.T) {
	t.Helper()
	certificate, err := c.dynamic.Resource(certificates).Namespace(namespace).Get(t.Context(), "queueyard-webhook", metav1.GetOptions{})
	require.NoError(t, err)
	conditions, _, err := unstructured.NestedSlice(certificate.Object, "status", "conditions")
	require.NoError(t, err)
	conditions = append(conditions, map[string]any{"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "a test",
		"lastTransitionTime": metav1.Now().UTC().Format("2006-01-02T15:04:05Z")})
	require.NoError(t, unstructured.SetNestedSlice(certificate.Object, conditions, "status", "conditions"))
	_, err = c.dynamic.Resource(certificates).Namespace(namespace).UpdateStatus(t.Context(), certificate, metav1.UpdateOptions{})
	require.NoError(t, err)
}

// served is the certificate of the webhooks, which one who trusts the authority takes.
func served(t *testing.T, port string, authority []byte) []byte {
	t.Helper()
	trusted := x509.NewCertPool()
	require.True(t, trusted.AppendCertsFromPEM(authority))
	connection, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{RootCAs: trusted, ServerName: "queueyard-controller." + namespace + ".svc"})
	require.NoError(t, err)
	defer connection.Close()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: connection.ConnectionState().PeerCertificates[0].Raw})
}

// stamps says why a new pod of the managed namespace does not go through the webhook.
func (c *installer) stamps(t *testing.T) error {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod", Namespace: "team"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image"}}}}
	made, err := c.Client.CoreV1().Pods("team").Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err == nil && made.Spec.SchedulerName != "queueyard-scheduler" {
		err = errors.New("the pod is created without having been stamped")
	}
	return err
}
