package install

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/manifests"
)

func TestRedirectWebhooks(t *testing.T) {
	objects, err := decode([]byte(`
kind: MutatingWebhookConfiguration
metadata: {name: w}
webhooks:
- name: a
  clientConfig: {service: {namespace: n, name: s, path: /a}, caBundle: YQ==}
- name: b
  clientConfig: {service: {namespace: n, name: s, path: /b}}
---
---
kind: ConfigMap
metadata: {name: c}
`))
	require.NoError(t, err)
	require.Len(t, objects, 2)
	for _, o := range objects {
		require.NoError(t, redirectWebhooks(o, "https://localhost:1"))
	}
	// Without a caBundle, applying again leaves the one the controller wrote.
	require.Equal(t, []any{
		map[string]any{"name": "a", "clientConfig": map[string]any{"url": "https://localhost:1/a"}},
		map[string]any{"name": "b", "clientConfig": map[string]any{"url": "https://localhost:1/b"}},
	}, objects[0].Object["webhooks"])
	require.NotContains(t, objects[1].Object, "webhooks")
}

func TestManifestsCanBeRead(t *testing.T) {
	for _, folder := range []string{"install", "install/crds"} {
		objects, err := read(manifests.Install, folder)
		require.NoError(t, err)
		require.NotEmpty(t, objects)
		for _, o := range objects {
			require.NotEmpty(t, o.GetName())
			require.NotEmpty(t, o.GetKind())
		}
	}
}
