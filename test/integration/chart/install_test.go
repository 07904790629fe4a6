// Package chart_test installs what the chart renders on a real API server, and runs the programs under its roles.
package chart_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/manifests"
	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/test/testenv"
)

const (
	namespace = "queueyard-system"
	patience  = 2 * time.Minute
)

// The chart, as its plain manifests, which are made from it: the API server takes every field, takes the pods under
// the restricted Pod Security Standard, and the programs need no other right than the roles give.
func TestProgramsRunUnderTheRolesOfTheChart(t *testing.T) {
	env := testenv.Start(t, testenv.WithCRDs())
	c := &installer{Env: env}
	installed := c.apply(t, plain(t))
	c.podsAreMade(t, "queueyard-scheduler")
	c.podsAreMade(t, "queueyard-controller")

	scheduler := c.start(t, "queueyard-scheduler", installed, func(dir, kubeconfig string, port func() string) []string {
		return []string{
			"--config", configuration(t, dir, installed, kubeconfig), "--authentication-kubeconfig", kubeconfig, "--authorization-kubeconfig", kubeconfig,
			"--bind-address", "127.0.0.1", "--secure-port", port(), "--visibility-bind-address", "127.0.0.1", "--visibility-port", "0",
			"--visibility-advertise-address", "192.0.2.1",
		}
	})
	controller := c.start(t, "queueyard-controller", installed, func(dir, kubeconfig string, port func() string) []string {
		return []string{"--kubeconfig", kubeconfig, "--health-address", "127.0.0.1:" + port(), "--metrics-address", "127.0.0.1:" + port(), "--webhook-port", port()}
	})
	scheduler.ready(t, "https://127.0.0.1:"+scheduler.ports[0])
	controller.ready(t, "http://127.0.0.1:"+controller.ports[0])

	queue := schema.GroupVersionResource{Group: "queueyard.io", Version: "v1alpha1", Resource: "queues"}
	c.until(t, "the scheduler counts the default queue and the controller keeps it", func(ctx context.Context) bool {
		q, err := c.dynamic.Resource(queue).Get(ctx, "default", metav1.GetOptions{})
		if err != nil {
			return false
		}
		_, counted, _ := unstructured.NestedInt64(q.Object, "status", "observedGeneration")
		return counted && len(q.GetFinalizers()) > 0
	})
	c.until(t, "the aggregated API is published", func(ctx context.Context) bool {
		slice, err := env.Client.DiscoveryV1().EndpointSlices(namespace).Get(ctx, "queueyard-visibility", metav1.GetOptions{})
		return err == nil && len(slice.Endpoints) == 1
	})
	metrics := c.metrics(t, controller.ports[1])
	ends := regexp.MustCompile(`(?m)^queueyard_webhook_certificate_expiry_timestamp_seconds (\S+)`).FindStringSubmatch(metrics)
	require.NotNil(t, ends, "the controller says when its certificate ends")
	page, err := os.ReadFile("../../../docs/metrics.md")
	require.NoError(t, err)
	_, ofController, found := strings.Cut(string(page), "The controller serves")
	require.True(t, found)
	require.ElementsMatch(t, first(regexp.MustCompile("(?m)^\\| `(queueyard_[a-z_]+)`"), ofController),
		first(regexp.MustCompile(`(?m)^# TYPE (queueyard_\w+)`), metrics), "docs/metrics.md lists what the controller serves")
	require.Contains(t, metrics, "\ncontroller_runtime_webhook_requests_total{", "the Grafana dashboard shows it")
	at, err := strconv.ParseFloat(ends[1], 64)
	require.NoError(t, err)
	require.Greater(t, time.Until(time.Unix(int64(at), 0)), 90*24*time.Hour)

	// All that the chart can render, over what is installed, as an upgrade would.
	data, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(t, err)
	c.defineOthers(t)
	c.apply(t, documents(t, data))

	for _, p := range []*program{scheduler, controller} {
		require.False(t, p.ended(), p.name)
		require.NotContains(t, strings.ToLower(p.text(t)), "forbidden", "%s was refused something", p.name)
	}
}

// first is what the first group of an expression finds.
func first(expression *regexp.Regexp, text string) (all []string) {
	for _, match := range expression.FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	return all
}

// installer applies as helm does.
type installer struct {
	*testenv.Env
	dynamic dynamic.Interface
}

// plain is an installation with nothing set.
func plain(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	var files [][]byte
	names, err := fs.Glob(manifests.Install, "install/*.yaml")
	require.NoError(t, err)
	for _, name := range names {
		data, err := fs.ReadFile(manifests.Install, name)
		require.NoError(t, err)
		files = append(files, data)
	}
	return documents(t, files...)
}

func documents(t *testing.T, files ...[]byte) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	for _, file := range files {
		decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(file), 4096)
		for {
			o := &unstructured.Unstructured{}
			err := decoder.Decode(o)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			if len(o.Object) > 0 && o.GetKind() != "Kustomization" {
				objects = append(objects, o)
			}
		}
	}
	require.NotEmpty(t, objects)
	return objects
}

// apply applies by the server, which refuses what it does not know.
func (c *installer) apply(t *testing.T, objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	t.Helper()
	var err error
	c.dynamic, err = dynamic.NewForConfig(c.Config)
	require.NoError(t, err)
	disco, err := discovery.NewDiscoveryClientForConfig(c.Config)
	require.NoError(t, err)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(disco))
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return rank(a) - rank(b) })
	for _, o := range objects {
		data, err := o.MarshalJSON()
		require.NoError(t, err)
		mapping, err := mapper.RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version)
		require.NoError(t, err)
		var resource dynamic.ResourceInterface = c.dynamic.Resource(mapping.Resource)
		if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
			resource = c.dynamic.Resource(mapping.Resource).Namespace(o.GetNamespace())
		}
		_, err = resource.Patch(t.Context(), o.GetName(), types.ApplyPatchType, data,
			metav1.PatchOptions{FieldManager: "helm", Force: ptr.To(true), FieldValidation: metav1.FieldValidationStrict})
		require.NoError(t, err, "%s %s", o.GetKind(), o.GetName())
	}
	return objects
}

// rank puts first what others need.
func rank(o *unstructured.Unstructured) int {
	switch o.GetKind() {
	case "Namespace", "CustomResourceDefinition":
		return 0
	case "ServiceAccount":
		return 1
	}
	return 2
}

// defineOthers defines kinds of other projects that the chart may render objects of. Their fields are not looked at here.
func (c *installer) defineOthers(t *testing.T) {
	t.Helper()
	const definition = `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "PLURAL.GROUP",
		"annotations": {"api-approved.kubernetes.io": "unapproved, a test's"}}, "spec": {"group": "GROUP", "scope": "Namespaced",
		"names": {"plural": "PLURAL", "singular": "SINGULAR", "kind": "KIND", "listKind": "KINDList"}, "versions": [{"name": "v1", "served": true, "storage": true,
		"schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}}`
	for kind, group := range map[string]string{"ServiceMonitor": "monitoring.coreos.com", "PrometheusRule": "monitoring.coreos.com", "Issuer": "cert-manager.io", "Certificate": "cert-manager.io"} {
		singular := strings.ToLower(kind)
		text := strings.NewReplacer("PLURAL", singular+"s", "SINGULAR", singular, "KIND", kind, "GROUP", group).Replace(definition)
		c.define(t, documents(t, []byte(text)))
	}
}

// define applies definitions of kinds and waits until they are served.
func (c *installer) define(t *testing.T, definitions []*unstructured.Unstructured) {
	t.Helper()
	crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	for _, definition := range c.apply(t, definitions) {
		c.until(t, definition.GetName()+" is served", func(ctx context.Context) bool {
			crd, err := c.dynamic.Resource(crds).Get(ctx, definition.GetName(), metav1.GetOptions{})
			require.NoError(t, err)
			conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
			return slices.ContainsFunc(conditions, func(condition any) bool {
				m := condition.(map[string]any)
				return m["type"] == "Established" && m["status"] == "True"
			})
		})
	}
}

func (c *installer) until(t *testing.T, what string, done func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) { return done(ctx), nil })
	require.NoError(t, err, what)
}

// podsAreMade waits until the API server has taken the pods of a Deployment.
func (c *installer) podsAreMade(t *testing.T, name string) {
	t.Helper()
	c.until(t, "pods of "+name+" are accepted", func(ctx context.Context) bool {
		d, err := c.Client.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		require.NoError(t, err)
		for _, condition := range d.Status.Conditions {
			require.NotEqual(t, appsv1.DeploymentReplicaFailure, condition.Type, condition.Message)
		}
		return d.Status.Replicas == *d.Spec.Replicas
	})
}

// program is one of bin, which runs as the pod of a Deployment would but for its addresses.
type program struct {
	name   string
	ports  []string
	log    string
	stop   func() // waits for its end
	exited chan struct{}
}

func (c *installer) start(t *testing.T, name string, installed []*unstructured.Unstructured, more func(dir, kubeconfig string, port func() string) []string) *program {
	t.Helper()
	bin, err := testenv.BinDir()
	require.NoError(t, err)
	token, err := cluster.Token(t.Context(), c.Client, namespace, name, time.Hour)
	require.NoError(t, err)
	require.NoError(t, cluster.WriteTokenKubeconfig(c.Dir, c.State.Ports, name, token))
	p := &program{name: name, log: filepath.Join(t.TempDir(), "log"), exited: make(chan struct{})}
	deployment := &appsv1.Deployment{}
	convert(t, find(t, installed, "Deployment", name), deployment)
	args := append(slices.Clone(deployment.Spec.Template.Spec.Containers[0].Args), more(t.TempDir(), c.Dir.KubeconfigOf(name), func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, l.Close())
		_, port, _ := net.SplitHostPort(l.Addr().String())
		p.ports = append(p.ports, port)
		return port
	})...)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "$(POD_IP)", "192.0.2.1")
	}
	log, err := os.Create(p.log)
	require.NoError(t, err)
	defer log.Close()
	process := exec.Command(filepath.Join(bin, name), args...)
	process.Stdout, process.Stderr = log, log
	require.NoError(t, process.Start(), "run make build first")
	go func() {
		_ = process.Wait()
		close(p.exited)
	}()
	p.stop = func() {
		_ = process.Process.Signal(syscall.SIGTERM)
		<-p.exited
	}
	t.Cleanup(func() {
		p.stop()
		if text := p.text(t); t.Failed() {
			t.Logf("end of the log of %s:\n%s", name, text[max(0, len(text)-4<<10):])
		}
	})
	return p
}

func (p *program) text(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(p.log)
	require.NoError(t, err)
	return string(data)
}

func (p *program) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// loopback trusts what this machine itself serves.
var loopback = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, Timeout: 10 * time.Second}

func (p *program) ready(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(context.Context) (bool, error) {
		if p.ended() {
			return false, errors.New("it ended")
		}
		response, err := loopback.Get(address + "/readyz")
		if err != nil {
			return false, nil
		}
		return response.StatusCode == http.StatusOK, response.Body.Close()
	})
	require.NoError(t, err, "%s is ready", p.name)
}

// metrics are the controller's, read as the ServiceMonitor has them read. Nobody else may.
func (c *installer) metrics(t *testing.T, port string) string {
	t.Helper()
	c.apply(t, documents(t, []byte(`
apiVersion: v1
kind: ServiceAccount
metadata: {name: monitoring, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: monitoring}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: queueyard-metrics-reader}
subjects: [{kind: ServiceAccount, name: monitoring, namespace: default}]`)))
	token := func(account string) string {
		token, err := cluster.Token(t.Context(), c.Client, "default", account, time.Hour)
		require.NoError(t, err)
		return token
	}
	secret, err := c.Client.CoreV1().Secrets(namespace).Get(t.Context(), "queueyard-webhook-certificate", metav1.GetOptions{})
	require.NoError(t, err)
	authority := x509.NewCertPool()
	require.True(t, authority.AppendCertsFromPEM(secret.Data["ca.crt"]))
	trusting := &http.Client{Timeout: loopback.Timeout, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: authority, ServerName: "queueyard-controller.queueyard-system.svc"}}}
	get := func(token string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://127.0.0.1:"+port+"/metrics", nil)
		require.NoError(t, err)
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := trusting.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(text)
	}
	for name, refused := range map[string]struct {
		token string
		code  int
	}{
		"without a token":  {"", http.StatusUnauthorized},
		"without the role": {token("default"), http.StatusForbidden},
	} {
		code, text := get(refused.token)
		require.Equal(t, refused.code, code, "%s: %s", name, text)
		require.NotContains(t, text, "queueyard_", name)
	}
	code, text := get(token("monitoring"))
	require.Equal(t, http.StatusOK, code, text)
	return text
}

func find(t *testing.T, objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind && o.GetName() == name })
	require.GreaterOrEqual(t, i, 0, "%s %s", kind, name)
	return objects[i]
}

func convert(t *testing.T, from *unstructured.Unstructured, to any) {
	t.Helper()
	data, err := from.MarshalJSON()
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(data, to))
}

// configuration writes the scheduler's configuration and who it is, which a pod would be told by its service account.
func configuration(t *testing.T, dir string, installed []*unstructured.Unstructured, kubeconfig string) (path string) {
	t.Helper()
	configMap := &corev1.ConfigMap{}
	convert(t, find(t, installed, "ConfigMap", "queueyard-scheduler-config"), configMap)
	config := map[string]any{}
	require.NoError(t, yaml.Unmarshal([]byte(configMap.Data["config.yaml"]), &config))
	require.NoError(t, unstructured.SetNestedField(config, kubeconfig, "clientConnection", "kubeconfig"))
	data, err := yaml.Marshal(config)
	require.NoError(t, err)
	path = filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}
