package chart

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// schema is a JSON schema, or that of a CustomResourceDefinition, which is nearly one.
type schema = map[string]any

// objectMeta is the name of the schema of metadata.
const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

// writeSchemas writes a schema for each kind into a folder, as group/version/kind.json: those of the Kubernetes that the scheduler is
// built with, of the chart, and of the other projects that the chart has objects of.
func writeSchemas(t *testing.T, dir string) {
	t.Helper()
	writeKubernetes(t, dir, filepath.Join(module(t, root, "k8s.io/kubernetes"), "api/openapi-spec/swagger.json"))
	for _, pattern := range []string{
		filepath.Join(directory, "files/crds/*.yaml"),
		filepath.Join(module(t, ".", "github.com/prometheus-operator/prometheus-operator"), "example/prometheus-operator-crd/*.yaml"),
		filepath.Join(module(t, "../cert-manager", "github.com/cert-manager/cert-manager"), "deploy/crds/*.yaml"),
	} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, file := range files {
			writeDefinition(t, dir, file)
		}
	}
}

// module is the folder of a module, in the version that the go.mod in a folder names.
func module(t *testing.T, dir, path string) string {
	t.Helper()
	command := exec.Command("go", "mod", "download", "-json", path)
	command.Dir = dir
	command.Stderr = os.Stderr
	out, err := command.Output()
	require.NoError(t, err, "%s: %s", path, out)
	var answer struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &answer))
	return answer.Dir
}

// writeKubernetes writes the definitions into one file, which those of the kinds lead to.
func writeKubernetes(t *testing.T, dir, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var api struct{ Definitions map[string]schema }
	require.NoError(t, json.Unmarshal(data, &api))
	for name, definition := range api.Definitions {
		refuseUnknown(definition)
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		for _, kind := range kinds {
			k := kind.(map[string]any)
			write(t, dir, k["group"].(string), k["version"].(string), k["kind"].(string), reference(name))
		}
	}
	// OpenAPI 2 cannot say that it may be a number, too.
	api.Definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"]["type"] = []string{"string", "number"}
	data, err = json.Marshal(schema{"definitions": api.Definitions})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "definitions.json"), data, 0o600))
}

func reference(name string) schema {
	return schema{"$ref": "../../definitions.json#/definitions/" + name}
}

// writeDefinition writes what a CustomResourceDefinition says of its kind.
func writeDefinition(t *testing.T, dir, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema schema }
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(data, &crd))
	require.NotEmpty(t, crd.Spec.Versions, file)
	for _, version := range crd.Spec.Versions {
		s := version.Schema.OpenAPIV3Schema
		s["properties"].(schema)["metadata"] = reference(objectMeta)
		refuseUnknown(s)
		write(t, dir, crd.Spec.Group, version.Name, crd.Spec.Names.Kind, s)
	}
}

// write puts a schema where kubeconform looks for it. Kinds without a group are in one that is named like their version.
func write(t *testing.T, dir, group, version, kind string, s schema) {
	t.Helper()
	if group == "" {
		group = version
	}
	path := filepath.Join(dir, group, version, strings.ToLower(kind)+".json")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	data, err := json.Marshal(s)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

// refuseUnknown makes a schema refuse fields that it does not name, as the API server does with strict validation, and says in the words of a
// JSON schema what may be an integer or a string.
func refuseUnknown(s schema) {
	if s["format"] == "int-or-string" {
		delete(s, "type")
		s["oneOf"] = []schema{{"type": "integer"}, {"type": "string"}}
	}
	properties, named := s["properties"].(schema)
	if _, others := s["additionalProperties"]; named && !others && s["x-kubernetes-preserve-unknown-fields"] != true {
		s["additionalProperties"] = false
	}
	for _, property := range properties {
		refuseUnknown(property.(schema))
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if below, ok := s[key].(schema); ok {
			refuseUnknown(below)
		}
	}
}
