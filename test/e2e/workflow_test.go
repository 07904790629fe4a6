package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
)

// workflow makes a workflow of a spec in YAML.
func (s *scenario) workflow(name, queue, spec string) *v1alpha1.Workflow {
	s.Helper()
	w := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	require.NoError(s, yaml.UnmarshalStrict([]byte(spec), &w.Spec))
	w.Spec.Queue = queue
	s.create(w)
	return w
}

// ends waits for a workflow's end, and gives the workflow.
func (s *scenario) ends(name string, phase v1alpha1.Status) *v1alpha1.Workflow {
	s.Helper()
	w := &v1alpha1.Workflow{}
	s.eventually(fmt.Sprintf("workflow %s is %s", name, phase), func() (bool, any) {
		err := shared.objects.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, w)
		return err == nil && w.Status.Phase == phase, w.Status
	})
	return w
}

func (s *scenario) editWorkflow(name string, change func(*v1alpha1.WorkflowSpec)) {
	s.Helper()
	edit(s, &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace}}, name, func(w *v1alpha1.Workflow) { change(&w.Spec) })
}

// childrenOf are the operations of a workflow.
func (s *scenario) childrenOf(workflow string) []v1alpha1.Operation {
	s.Helper()
	list := &v1alpha1.OperationList{}
	require.NoError(s, shared.objects.List(s.Context(), list, client.InNamespace(s.namespace), client.MatchingLabels{v1alpha1.WorkflowLabel: workflow}))
	return list.Items
}

// stepsOf are the phases of a dag's steps.
func (s *scenario) stepsOf(workflow string) map[string]v1alpha1.Status {
	out := map[string]v1alpha1.Status{}
	for _, op := range s.childrenOf(workflow) {
		out[op.Labels[v1alpha1.StepLabel]] = op.Status.Phase
	}
	return out
}

// script is a template of an operation that runs a script in the process node.
func script(name, text string) string {
	command, err := json.Marshal([]string{"bash", "-c", text})
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("\n- name: %s\n  operation: {template: {pod: {spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: none, command: %s}]}}}}", name, command)
}

// Every example of the documentation runs to its end and gives what it says.
func TestWorkflowExamples(t *testing.T) {
	s := begin(t, "wf-examples")
	text := ""
	for _, page := range []string{"workflows", "search"} {
		read, err := os.ReadFile("../../docs/" + page + ".md")
		require.NoError(t, err)
		text += string(read)
	}
	outputs := map[string]string{
		"diamond":   `{"total": 118}`,
		"branches":  `{"report": {"small": "succeeded", "large": "skipped"}}`,
		"sweep":     `{"best": 1, "all": [9, 4, 1, 0, 1, 4]}`,
		"each-file": `{"letters": [3, 5]}`,
		"fit":       `{"trials": 22, "good": true}`,
	}
	for _, block := range strings.Split(text, "```yaml\n")[1:] {
		w := &v1alpha1.Workflow{}
		require.NoError(t, yaml.UnmarshalStrict([]byte(strings.Split(block, "```")[0]), w))
		w.Namespace = s.namespace
		w.Spec.Queue = s.queue(w.Name, seats(4))
		s.create(w)
		w = s.ends(w.Name, v1alpha1.StatusSucceeded)
		require.JSONEq(t, outputs[w.Name], string(encoded(w.Status.Outputs).Raw), w.Name)
		delete(outputs, w.Name)
	}
	require.Empty(t, outputs, "examples that are not there")
}

// A failing step, and what each trigger makes of it.
func TestWorkflowTriggers(t *testing.T) {
	s := begin(t, "wf-triggers")
	s.workflow("w", s.queue("q", seats(4)), `
entrypoint: main
onExit: {template: good}
templates:`+script("good", "true")+script("bad", "exit 3")+`
- name: main
  dag:
    operations:
    - {name: good, template: good}
    - {name: bad, template: bad}
    - {name: all-succeeded, template: good, dependsOn: [good, bad]}
    - {name: all-failed, template: good, dependsOn: [good, bad], trigger: all_failed}
    - {name: all-done, template: good, dependsOn: [good, bad], trigger: all_done}
    - {name: one-succeeded, template: good, dependsOn: [good, bad], trigger: one_succeeded}
    - {name: one-failed, template: good, dependsOn: [good, bad], trigger: one_failed}
    - {name: one-done, template: good, dependsOn: [good, bad], trigger: one_done}
    - {name: skipped, template: good, dependsOn: [good], when: "ops.good.status == 'failed'"}
    - {name: counts-as-success, template: good, dependsOn: [skipped]}
    - {name: skipped-too, template: good, dependsOn: [skipped], skipOnUpstreamSkip: true}
`)
	w := s.ends("w", v1alpha1.StatusFailed)
	const succeeded, failed, skipped, upstream = v1alpha1.StatusSucceeded, v1alpha1.StatusFailed, v1alpha1.StatusSkipped, v1alpha1.StatusUpstreamFailed
	require.Equal(t, map[string]v1alpha1.Status{
		"good": succeeded, "bad": failed, "all-succeeded": upstream, "all-failed": upstream, "all-done": succeeded, "one-succeeded": succeeded,
		"one-failed": succeeded, "one-done": succeeded, "skipped": skipped, "counts-as-success": succeeded, "skipped-too": skipped, "on-exit": succeeded,
	}, s.stepsOf("w"))
	require.Contains(t, fmt.Sprint(w.Status.Problems), "exit code 3")
}

// A map of twenty holds to its concurrency, and to what it is changed to.
func TestWorkflowConcurrency(t *testing.T) {
	s := begin(t, "wf-map")
	q := s.queue("q", seats(20))
	s.workflow("w", q, `
entrypoint: main
templates:`+script("job", "sleep 0.5")+`
- name: main
  matrix: {template: job, concurrency: 3, grid: {params: {x: {kind: range, value: [0, 20, 1]}}}}
`)
	s.ends("w", v1alpha1.StatusSucceeded)
	require.Equal(t, 3, s.peak(q))
	require.Len(t, s.childrenOf("w"), 20)
}

// Nested limits hold at every level.
func TestWorkflowNestedLimits(t *testing.T) {
	s := begin(t, "wf-nested")
	q := s.queue("q")
	s.workflow("w", q, `
entrypoint: outer
concurrency: 5
templates:`+script("job", "sleep 0.3")+`
- name: outer
  matrix: {template: middle, grid: {params: {a: {kind: range, value: [0, 3, 1]}}}}
- name: middle
  matrix: {template: inner, concurrency: 4, grid: {params: {b: {kind: range, value: [0, 2, 1]}}}}
- name: inner
  matrix: {template: job, concurrency: 2, grid: {params: {c: {kind: range, value: [0, 6, 1]}}}}
`)
	w := s.ends("w", v1alpha1.StatusSucceeded)
	require.Equal(t, "3/3", w.Status.Progress)
	require.LessOrEqual(t, s.peak(q), 5)
	require.Greater(t, s.peak(q), 2, "more than one inner workflow at a time")
}

// Early stopping ends what waits and runs; stopping and going on repeats nothing.
func TestWorkflowStops(t *testing.T) {
	s := begin(t, "wf-stops")
	s.workflow("early", s.queue("early", seats(4)), `
entrypoint: main
earlyStopping: {metrics: [{metric: loss, value: 1, optimization: minimize}]}
templates:`+script("job", `sleep 1; echo '{"loss": 0.5, "x": {{ params.x }}}' > $TERMINATION_MESSAGE_PATH`)+`
- name: main
  matrix: {template: job, grid: {params: {x: {kind: range, value: [0, 200, 1]}}}}
`)
	w := s.ends("early", v1alpha1.StatusSucceeded)
	require.Contains(t, w.Status.Timeline[len(w.Status.Timeline)-1].Message, "is 0.5, and earlyStopping.metrics asks for at most 1")
	require.Less(t, len(s.childrenOf("early")), 100)

	s.workflow("stop", s.queue("stop", seats(2)), `
entrypoint: main
templates:`+script("job", "sleep 1")+`
- name: main
  matrix: {template: job, grid: {params: {x: {kind: range, value: [0, 8, 1]}}}}
`)
	s.eventually("some are done", func() (bool, any) {
		got := &v1alpha1.Workflow{}
		err := shared.objects.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "stop"}, got)
		return err == nil && got.Status.Children.Succeeded >= 2, got.Status
	})
	s.editWorkflow("stop", func(spec *v1alpha1.WorkflowSpec) { spec.DesiredState = v1alpha1.Stopped })
	s.ends("stop", v1alpha1.StatusStopped)
	s.editWorkflow("stop", func(spec *v1alpha1.WorkflowSpec) { spec.DesiredState = v1alpha1.Run })
	s.ends("stop", v1alpha1.StatusSucceeded)
	succeeded := map[string]int{}
	for _, op := range s.childrenOf("stop") {
		if op.Status.Phase == v1alpha1.StatusSucceeded {
			succeeded[op.Labels[v1alpha1.IndexLabel]]++
		}
	}
	require.Len(t, succeeded, 8)
	for index, n := range succeeded {
		require.Equal(t, 1, n, "trial %s", index)
	}
}

// The controller is killed again and again while a sweep runs: every child runs exactly once.
func TestWorkflowSurvivesKills(t *testing.T) {
	s := begin(t, "wf-kills")
	const trials, kills = 300, 20
	s.workflow("w", s.queue("q", seats(40)), `
entrypoint: main
concurrency: 30
templates:
- name: job
  operation: {template: {pod: {metadata: {annotations: {sandbox.queueyard.io/duration: 200ms}}, spec: {nodeSelector: {type: simulated}, tolerations: [{key: queueyard.io/simulated, operator: Exists}], containers: [{name: main, image: none}]}}}}
- name: main
  matrix: {template: job, grid: {params: {x: {kind: range, value: [0, 300, 1]}}}}
`)
	done := func() int64 {
		w := &v1alpha1.Workflow{}
		require.NoError(t, shared.objects.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "w"}, w))
		return w.Status.Children.Succeeded
	}
	for i := range kills {
		at := int64(i * trials / kills)
		s.eventually(fmt.Sprintf("%d are done", at), func() (bool, any) { n := done(); return n >= at, n })
		signal := syscall.SIGTERM
		if i%7 == 6 {
			signal = syscall.SIGKILL // whose successor waits for the lease to run out
		}
		s.eventually("it is killed", func() (bool, any) {
			err := shared.sandbox.Signal(sandbox.Controller, signal) // it may not be back yet
			return err == nil, err
		})
	}
	w := s.ends("w", v1alpha1.StatusSucceeded)
	require.EqualValues(t, trials, w.Status.Children.Succeeded)
	seen := map[string]bool{}
	for _, op := range s.childrenOf("w") {
		require.EqualValues(t, 1, op.Status.Attempt, op.Name)
		seen[op.Labels[v1alpha1.IndexLabel]] = true
	}
	require.Len(t, seen, trials)
	require.Len(t, s.pods(t.Context()), trials)
}
