package chart

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yannh/kubeconform/pkg/resource"
	"github.com/yannh/kubeconform/pkg/validator"
)

// Every object that the chart renders, and every plain manifest, is what its schema says, with no field beside.
func TestConforms(t *testing.T) {
	v := conforming(t)
	for name, values := range combinations {
		t.Run(name, func(t *testing.T) {
			rendered, err := One(load(t), values)
			require.NoError(t, err)
			require.Greater(t, v.accept(t, rendered), 20, "objects")
		})
	}
	t.Run("manifests", func(t *testing.T) {
		manifests := filepath.Join(root, "manifests")
		n := 0
		require.NoError(t, filepath.WalkDir(manifests, func(path string, d fs.DirEntry, err error) error {
			// A load of qysim is no object.
			if err != nil || filepath.Ext(path) != ".yaml" || path == filepath.Join(manifests, "examples", "simulation", "load.yaml") {
				return err
			}
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Positive(t, v.accept(t, string(data)), path)
			n++
			return nil
		}))
		require.Greater(t, n, 30, "files")
	})
}

// The test above can fail, for every kind.
func TestConformsRefuses(t *testing.T) {
	v := conforming(t)
	seen := map[string]bool{}
	for _, o := range objects(t, Everything) {
		kind := text([]any{o["apiVersion"], o.kind()})
		if seen[kind] {
			continue
		}
		seen[kind] = true
		metadata := o["metadata"].(map[string]any)
		for what, broken := range map[string]object{
			"an unknown field":      with(o, "unknown", true),
			"an unknown field less": with(o, "metadata", with(metadata, "lables", map[string]any{"a": "b"})),
			"a wrong type":          with(o, "metadata", with(metadata, "name", []any{"a"})),
		} {
			require.Equal(t, validator.Invalid, v.check(t, broken).Status, "%s with %s", kind, what)
		}
	}
	require.Greater(t, len(seen), 15, "kinds")
	for name, c := range map[string]struct{ object, says string }{
		"a container's field": {
			`{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, imagePullPolice: Always}]}}`, "imagePullPolice"},
		"a container's number": {
			`{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, ports: [{containerPort: "80"}]}]}}`, "/spec/containers/0/ports/0/containerPort"},
		"a required field": {
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {selector: {}}}`, "template"},
		"a queue's field": {
			`{apiVersion: queueyard.io/v1alpha1, kind: Queue, metadata: {name: a}, spec: {concurency: 1}}`, "concurency"},
		"a queue's number": {
			`{apiVersion: queueyard.io/v1alpha1, kind: Queue, metadata: {name: a}, spec: {concurrency: "1"}}`, "/spec/concurrency"},
		"a field of a ServiceMonitor": {
			`{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: a}, spec: {selector: {}, endpoints: [{tlsConfig: {insecure: true}}]}}`, "insecure"},
		"a rule's field": {
			`{apiVersion: monitoring.coreos.com/v1, kind: PrometheusRule, metadata: {name: a}, spec: {groups: [{name: a, rules: [{alert: A, expr: a, after: 1m}]}]}}`, "after"},
		"a Certificate's names": {
			`{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a}, spec: {secretName: a, issuerRef: {name: a}, dnsNames: a}}`, "/spec/dnsNames"},
		"a kind that is none": {
			`{apiVersion: queueyard.io/v1alpha1, kind: Queues, metadata: {name: a}}`, "could not find schema for Queues"},
		"a version that is none": {
			`{apiVersion: queueyard.io/v1, kind: Queue, metadata: {name: a}}`, "could not find schema for Queue"},
		"a key twice": {
			"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: b},\n data: {c: d}}", "already set"},
	} {
		t.Run(name, func(t *testing.T) {
			o := resource.Resource{Bytes: []byte(c.object)}
			result := v.ValidateResource(o)
			require.NotEqual(t, validator.Valid, result.Status)
			require.ErrorContains(t, result.Err, c.says)
		})
	}
}

// with is a copy of an object with another field.
func with(o map[string]any, key string, value any) map[string]any {
	changed := map[string]any{}
	for k, v := range o {
		changed[k] = v
	}
	changed[key] = value
	return changed
}

type conformance struct{ validator.Validator }

// accept is the number of the objects in a text, all of which are right.
func (v conformance) accept(t *testing.T, text string) (n int) {
	t.Helper()
	for _, result := range v.Validate("", io.NopCloser(strings.NewReader(text))) {
		switch result.Status {
		case validator.Empty:
		case validator.Valid, validator.Skipped:
			n++
		default:
			require.NoError(t, result.Err, "%s", result.Resource.Bytes)
		}
	}
	return n
}

func (v conformance) check(t *testing.T, o object) validator.Result {
	t.Helper()
	data, err := json.Marshal(o)
	require.NoError(t, err)
	return v.ValidateResource(resource.Resource{Bytes: data})
}

// conforming is a validator whose schemas are all from modules and from the chart: it needs no network.
func conforming(t *testing.T) conformance {
	t.Helper()
	schemas := t.TempDir()
	writeSchemas(t, schemas)
	// It is no object of a cluster, but a file for kubectl.
	kinds := map[string]struct{}{"kustomize.config.k8s.io/v1beta1/Kustomization": {}}
	v, err := validator.New([]string{schemas + "/{{.Group}}/{{.ResourceAPIVersion}}/{{.ResourceKind}}.json"}, validator.Opts{Strict: true, SkipKinds: kinds})
	require.NoError(t, err)
	return conformance{v}
}
