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
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/queueyard/queueyard/test/testenv"
)

const certificateSecret = "queueyard-webhook-certificate"

var certificates = schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificates"}

// An upgrade to certManager.enabled has cert-manager make the webhooks' certificate and the API server trust it; the controller
// serves it, and a renewed one without a restart and without one refused request.
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

	data, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(t, err)
	_, err = env.Client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "team", Labels: map[string]string{"queueyard.io/managed": "true"}}}, metav1.CreateOptions{})
	require.NoError(t, err)

	// First with its own certificate, as everybody begins.
	before, _ := c.serve(t, plain(t))
	c.until(t, "the webhook stamps pods with its own certificate", func(context.Context) bool { return c.stamps(t) == nil })

	// An upgrade changes that. It starts the new programs while the old ones run, and then removes what is no more in the chart.
	installed := documents(t, data)
	controller, configurations := c.serve(t, installed)
	require.NoError(t, env.Client.CoreV1().Secrets(namespace).Delete(t.Context(), certificateSecret, metav1.DeleteOptions{}))
	before.stop()
	controller.ready(t, "http://127.0.0.1:"+controller.ports[0])
	port := controller.ports[2]
	var authority []byte
	var trusted []string
	c.until(t, "the API server is told of cert-manager's authority", func(context.Context) bool {
		secret, err := env.Client.CoreV1().Secrets(namespace).Get(t.Context(), certificateSecret, metav1.GetOptions{})
		if err != nil || secret.Annotations["cert-manager.io/issuer-name"] != "queueyard-ca" {
			return false
		}
		authority = secret.Data["ca.crt"]
		// It adds its own to what is trusted.
		trusted = c.bundles(t, configurations)
		return !slices.ContainsFunc(trusted, func(bundle string) bool { return !strings.Contains(bundle, string(authority)) })
	})
	require.Equal(t, c.secret(t)["tls.crt"], served(t, port, authority))
	c.until(t, "the webhook stamps pods with cert-manager's certificate", func(context.Context) bool { return c.stamps(t) == nil })

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
	was := c.secret(t)["tls.crt"]
	c.renew(t)
	c.until(t, "the renewed certificate is served", func(context.Context) bool {
		return string(served(t, port, authority)) != string(was)
	})
	close(renewed)
	require.NoError(t, <-refused)
	require.Equal(t, c.secret(t)["tls.crt"], served(t, port, authority))
	require.NoError(t, c.stamps(t))
	require.Equal(t, trusted, c.bundles(t, configurations), "what the API server trusts stays")
	require.Contains(t, c.metrics(t, controller.ports[1]), "queueyard_webhook_certificate_expiry_timestamp_seconds 1.")
	require.False(t, controller.ended())
	require.NotContains(t, controller.text(t), "forbidden")
}

// serve applies an installation, whose controller, a process of this machine, serves the webhooks as soon as it has their certificate.
func (c *installer) serve(t *testing.T, installed []*unstructured.Unstructured) (controller *program, configurations []*unstructured.Unstructured) {
	t.Helper()
	var rest []*unstructured.Unstructured
	for _, o := range installed {
		switch {
		case o.GroupVersionKind().Group == "monitoring.coreos.com":
		case o.GroupVersionKind().Group == "admissionregistration.k8s.io" && o.GetName() == "queueyard":
			configurations = append(configurations, o)
		default:
			if o.GetKind() == "Service" && o.GetName() == "queueyard-controller" {
				o.Object["spec"] = map[string]any{"type": "ExternalName", "externalName": "localhost"}
			}
			rest = append(rest, o)
		}
	}
	c.apply(t, rest)
	controller = c.start(t, "queueyard-controller", installed, func(_, kubeconfig string, port func() string) []string {
		return []string{"--kubeconfig", kubeconfig, "--agent", "", "--hub-kubeconfig", "", "--leader-elect=false",
			"--health-address", "127.0.0.1:" + port(), "--metrics-address", "127.0.0.1:" + port(), "--webhook-port", port()}
	})
	for _, o := range configurations {
		callAt(t, o, controller.ports[2])
	}
	c.apply(t, configurations)
	return controller, configurations
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
	secret, err := c.Client.CoreV1().Secrets(namespace).Get(t.Context(), certificateSecret, metav1.GetOptions{})
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
