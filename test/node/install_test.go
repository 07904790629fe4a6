package node

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// chart is where helm finds it, and how it is told of the images that were loaded.
var chart = []string{"charts/queueyard", "--namespace", namespace, "--create-namespace", "--set", "image.tag=" + tag, "--set", "dashboard.enabled=true"}

// exampleImage is the one that the examples name. Here it holds a shell, awk and the files that they read.
const exampleImage = "debian:stable-slim"

// loadProject makes the images of the programs known to the node, as make images built them.
func (m *machine) loadProject() { m.loadImages(filepath.Join("bin", "images")) }

func (m *machine) loadImages(dir string) {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(repository, dir, "*.tar"))
	require.NoError(m.t, err)
	require.NotEmpty(m.t, files, "make images makes them")
	for _, file := range files {
		m.loadArchive(file)
	}
}

func (m *machine) loadExamples() {
	m.t.Helper()
	const examples = "manifests/examples/quickstart"
	entries, err := os.ReadDir(filepath.Join(repository, examples))
	require.NoError(m.t, err)
	files := map[string][]byte{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(repository, examples, e.Name()))
		require.NoError(m.t, err)
		files[examples+"/"+e.Name()] = data
	}
	box, err := shell("docker.io/library/"+exampleImage, filepath.Join(m.bin, "goawk"), files)
	require.NoError(m.t, err)
	m.load(box)
}

// get reads one field by its JSON path.
func (m *machine) get(t *testing.T, kind, name, namespace, path string) string {
	t.Helper()
	args := []string{"get", kind, "-o", "jsonpath=" + path}
	if namespace != "" {
		args = append(args, "-n", namespace)
	}
	if name != "" {
		args = append(args, name)
	}
	out, err := m.run("kubectl", args...)
	require.NoError(t, err, out)
	return out
}

// eventuallyApplied applies a file, and again while a webhook that just came up is not reached yet.
func (m *machine) eventuallyApplied(ctx context.Context, file string) {
	m.t.Helper()
	m.eventually(ctx, fmt.Sprintf("kubectl apply -f %s", file), func() error {
		_, err := m.run("kubectl", "apply", "-f", file)
		return err
	})
}

type answer struct {
	code int
	body string
}

// dashboard asks it through its Service, as something before it that speaks TLS would.
func (m *machine) dashboard(path, token string) answer {
	m.t.Helper()
	service := m.get(m.t, "service", "queueyard-dashboard", namespace, "{.spec.clusterIP}")
	request, err := http.NewRequestWithContext(m.t.Context(), http.MethodGet, "http://"+service+path, nil)
	require.NoError(m.t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(m.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(m.t, err)
	return answer{response.StatusCode, string(body)}
}
