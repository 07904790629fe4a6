package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sources are files that are checked and expanded. No cluster is needed for it, and what they say is in no cluster.
const sources = `
apiVersion: queueyard.io/v1alpha1
kind: Component
metadata: {name: trainer}
spec:
  queue: gpu
  inputs: [{name: rate, type: float}, {name: epochs, type: int, default: 5}]
  template: {pod: {spec: {containers: [{name: main, image: trainer, args: ["{{ params.rate }}", "{{ params.epochs }}"]}]}}}
---
apiVersion: queueyard.io/v1alpha1
kind: Project
metadata: {name: vision}
spec: {defaultQueue: shared, namespaces: {names: [team]}}
---
apiVersion: queueyard.io/v1alpha1
kind: Operation
metadata: {generateName: quick-}
spec: {component: trainer, params: {rate: 0.5}, approved: false, termination: {maxRetries: 2, timeout: 1h}}
---
apiVersion: queueyard.io/v1alpha1
kind: Workflow
metadata: {name: nightly}
spec:
  entrypoint: main
  params: {full: false, base: 0.1}
  concurrency: 10
  timeout: 2h
  templates:
  - name: main
    dag:
      operations:
      - {name: fetch, template: fetch}
      - {name: sweep, template: sweep, dependsOn: [fetch]}
      - {name: each, template: each, queue: cpu, params: {files: "{{ ops.fetch.outputs.files }}"}}
      - {name: archive, template: fetch, when: params.full, dependsOn: [fetch]}
      - {name: best, component: trainer, priority: 5, when: ops.sweep.outputs.best.value < 0.1, params: {rate: "{{ ops.sweep.outputs.best.params.rate }}"}}
      - {name: rescue, template: fetch, dependsOn: [sweep], trigger: one_failed}
  - name: sweep
    matrix:
      component: trainer
      concurrency: 4
      random: {numRuns: 12, params: {rate: {kind: uniform, value: [0, 1]}}, seed: 7}
      params: {epochs: "{{ params.base > 0.5 ? 1 : 100 }}"}
      metric: {name: loss, optimization: minimize}
  - name: each
    inputs: [{name: files, type: list}]
    matrix: {template: pair, mapping: {values: "{{ params.files.map(f, {'file': f}) }}"}}
  - name: pair
    inputs: [{name: file, type: string}]
    dag: {operations: [{name: left, template: fetch}, {name: right, template: fetch, dependsOn: [left]}]}
  - name: fetch
    operation: {template: {job: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: fetch}]}}}}}}
  onExit: {template: fetch}
`

// inFile writes a file into a directory that the transcript names.
func inFile(s *session, name, text string) string {
	dir := s.TempDir()
	s.scrub = append(s.scrub, [2]string{dir, "DIR"})
	file := filepath.Join(dir, name)
	require.NoError(s, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestPreview(t *testing.T) {
	s := begin(t)
	file := inFile(s, "nightly.yaml", sources)
	s.qy("preview", "-n", "team", "-f", file)
	s.qy("preview", "-n", "team", "-f", file, "--param", "full=true")
	workflow := inFile(s, "workflow.yaml", sources[strings.LastIndex(sources, "---"):])
	s.qy("preview", "-n", "other", "-f", workflow, "--param", "full=true", "--param", "base=0.9", "--queue", "mine", "--trials", "1")
	s.answer = `
apiVersion: queueyard.io/v1alpha1
kind: Workflow
metadata: {name: drawn}
spec:
  entrypoint: main
  templates:
  - name: main
    matrix: {component: elsewhere, tpe: {numRuns: 30, metric: {name: loss, optimization: minimize}, params: {a: {kind: choice, value: [1]}, b: {kind: uniform, value: [0, 1]}}}}
`
	out, _ := s.qy("preview", "-f", "-", "-o", "json", "--trials", "1")
	require.Contains(t, out, "these are an example")
	s.scrub = append(s.scrub, [2]string{`"b": 0\.\d+`, `"b": 0.5`})
	s.answer = "apiVersion: queueyard.io/v1alpha1\nkind: Operation\nmetadata: {name: x}\nspec: {tempalte: {}}\n"
	s.qy("preview", "-f", "-")
	s.qy("preview", "-f", filepath.Dir(file), "--trials", "0")
	s.qy("preview")
	s.answer = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
	s.qy("preview", "-f", "-")
}

func TestLint(t *testing.T) {
	s := begin(t)
	file := inFile(s, "nightly.yaml", sources)
	_, code := s.qy("lint", "-f", filepath.Dir(file))
	require.Zero(t, code)
	s.answer = "apiVersion: queueyard.io/v1alpha1\nkind: Queue\nmetadata: {name: gpu}\nspec:\n  agent: default\n  concurency: 3\n---\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\n"
	_, code = s.qy("lint", "-f", "-")
	require.Equal(t, codeError, code)
	s.qy("lint", "-f", "-", "-o", "yaml")
	s.colours = true
	s.qy("lint", "-f", "-")
	s.colours = false
	s.answer = "apiVersion: queueyard.io/v1alpha1\nkind: Operation\nmetadata: {name: x}\nspec: {component: elsewhere}\n"
	_, code = s.qy("lint", "-f", "-")
	require.Zero(t, code, "a warning is no error")
	s.qy("lint")
	s.qy("lint", "-f", "nowhere.yaml")
	s.qy("lint", "-f", file, "--dry-run", "client")
}

// A cluster that is asked says more, and makes nothing.
func TestLintServer(t *testing.T) {
	s := begin(t)
	s.given("kind: Queue\nmetadata: {name: there}\nspec: {agent: default}\n")
	s.answer = `
apiVersion: queueyard.io/v1alpha1
kind: Queue
metadata: {name: there}
spec: {agent: default}
---
apiVersion: queueyard.io/v1alpha1
kind: Queue
metadata: {name: new}
spec: {agent: default}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: nowhere}
spec: {containers: [{name: main, image: none}]}
`
	_, code := s.qy("lint", "-f", "-")
	require.Zero(t, code)
	_, code = s.qy("lint", "-f", "-", "--dry-run=server")
	require.Equal(t, codeError, code)
	s.qy("queues", "-o", "name")
}
