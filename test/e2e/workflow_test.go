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
	"github.com/queueyard/queueyard/test/audit"
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
		err := s.objects.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, w)
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
	require.NoError(s, s.objects.List(s.Context(), list, client.InNamespace(s.namespace), client.MatchingLabels{v1alpha1.WorkflowLabel: workflow}))
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

// workflowsOf are the names of the workflows in a workflow.
func (s *scenario) workflowsOf(workflow string) (names []string) {
	s.Helper()
	list := &v1alpha1.WorkflowList{}
	require.NoError(s, s.objects.List(s.Context(), list, client.InNamespace(s.namespace), client.MatchingLabels{v1alpha1.WorkflowLabel: workflow}))
	for _, w := range list.Items {
		names = append(names, w.Name)
	}
	return names
}

// inFlight is what the audit has seen of a workflow.
func (s *scenario) inFlight(workflow string) audit.WorkflowSummary {
	for _, w := range s.audit.WorkflowSummary() {
		if w.Workflow == s.namespace+"/"+workflow {
			return w
		}
	}
	return audit.WorkflowSummary{}
}

// simulatedScript is a template of an operation that takes so long on a simulated node.
func simulatedScript(name, duration string) string {
	return fmt.Sprintf("\n- name: %s\n  operation: {template: {pod: {metadata: {annotations: {sandbox.queueyard.io/duration: %s}}, spec: {nodeSelector: {type: simulated}, tolerations: [{key: queueyard.io/simulated, operator: Exists}], containers: [{name: main, image: none}]}}}}", name, duration)
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
		"fit":       `{"trials": 22, "continued": 5, "good": true}`,
		"compass":   `{"trials": 20, "best": {"a": 2.5, "b": -1.25}}`,
		"curves":    `{"rate": 0.3}`,
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
		if w.Name == "fit" {
			s.continues(s.workflowsOf("fit")[0])
		}
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
	require.Equal(t, 3, s.inFlight("w").Peak)
	require.Equal(t, 3, s.peak(q))
	require.Len(t, s.childrenOf("w"), 20)
}

// A limit that is edited while its workflow runs: raising lets more go, lowering keeps what has not gone.
func TestWorkflowLimitsChange(t *testing.T) {
	s := begin(t, "wf-edits")
	const trials = 80
	q := s.queue("q")
	s.workflow("w", q, `
entrypoint: main
concurrency: 2
templates:`+simulatedScript("job", "500ms")+`
- name: main
  matrix: {template: job, grid: {params: {x: {kind: range, value: [0, 80, 1]}}}}
`)
	limit := func(n int32) {
		s.editWorkflow("w", func(spec *v1alpha1.WorkflowSpec) { spec.Concurrency = &n })
	}
	peak := func(n int) {
		s.eventually(fmt.Sprintf("%d are in flight", n), func() (bool, any) { w := s.inFlight("w"); return w.Peak == n, w })
	}
	peak(2)
	limit(8)
	peak(8)
	limit(3) // what goes from now on is judged by the audit
	s.until("50 are done", q, func(c counts) bool { return c.succeeded >= 50 })
	limit(0)
	s.until("what ran has ended", q, func(c counts) bool { return c.running == 0 })
	require.Less(t, s.count(q).succeeded, trials)
	require.Equal(t, audit.WorkflowSummary{Workflow: s.namespace + "/w", Peak: 8, Limit: 8}, s.inFlight("w"))
	limit(30)
	w := s.ends("w", v1alpha1.StatusSucceeded)
	require.EqualValues(t, trials, w.Status.Children.Succeeded)
}

// Nested limits hold at every level, and are used.
func TestWorkflowNestedLimits(t *testing.T) {
	for _, limits := range [][3]int{{5, 4, 2}, {10, 4, 2}} {
		name := fmt.Sprintf("%d-%d-%d", limits[0], limits[1], limits[2])
		t.Run(name, func(t *testing.T) { nestedLimits(t, "wf-nested-"+name, limits) })
	}
}

// nestedLimits runs three middle workflows of three inner ones of four operations each. They are held until all of them exist,
// so that how much of a limit is used does not depend on how fast they are made.
func nestedLimits(t *testing.T, name string, limits [3]int) {
	s := begin(t, name)
	s.workflow("w", s.queue("q"), `
entrypoint: outer
concurrency: 0
templates:`+simulatedScript("job", "300ms")+`
- name: outer
  matrix: {template: middle, grid: {params: {a: {kind: range, value: [0, 3, 1]}}}}
- name: middle
  matrix: {template: inner, concurrency: `+fmt.Sprint(limits[1])+`, grid: {params: {b: {kind: range, value: [0, 3, 1]}}}}
- name: inner
  matrix: {template: job, concurrency: `+fmt.Sprint(limits[2])+`, grid: {params: {c: {kind: range, value: [0, 4, 1]}}}}
`)
	s.eventually("all operations are queued", func() (bool, any) {
		list := &v1alpha1.OperationList{}
		require.NoError(t, s.objects.List(t.Context(), list, client.InNamespace(s.namespace)))
		queued := 0
		for _, op := range list.Items {
			if op.Status.Phase == v1alpha1.StatusQueued {
				queued++
			}
		}
		return queued == 3*3*4, queued
	})
	require.Zero(t, s.inFlight("w").Peak)
	s.editWorkflow("w", func(spec *v1alpha1.WorkflowSpec) { n := int32(limits[0]); spec.Concurrency = &n })
	w := s.ends("w", v1alpha1.StatusSucceeded)
	require.Equal(t, "3/3", w.Status.Progress)
	require.Equal(t, limits[0], s.inFlight("w").Peak)
	middle := s.workflowsOf("w")
	var inner []string
	for _, m := range middle {
		inner = append(inner, s.workflowsOf(m)...)
	}
	require.Len(t, middle, 3)
	require.Len(t, inner, 9)
	for level, names := range map[int][]string{1: middle, 2: inner} {
		peak := 0
		for _, name := range names {
			seen := s.inFlight(name)
			require.EqualValues(t, limits[level], seen.Limit, name)
			peak = max(peak, seen.Peak)
		}
		require.Equal(t, limits[level], peak, "of %v", names)
	}
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
	stopped := 0
	for _, op := range s.childrenOf("early") {
		if op.Status.Phase == v1alpha1.StatusStopped {
			stopped++
			last := op.Status.Timeline[len(op.Status.Timeline)-1]
			require.Equal(t, v1alpha1.ReasonStoppedEarly, last.Reason)
			require.Contains(t, last.Message, "is 0.5, and earlyStopping.metrics asks for at most 1")
		}
	}
	require.EqualValues(t, w.Status.Children.Stopped, stopped)
	require.Positive(t, stopped, "what waited")

	s.workflow("stop", s.queue("stop", seats(2)), `
entrypoint: main
templates:`+script("job", "sleep 1")+`
- name: main
  matrix: {template: job, grid: {params: {x: {kind: range, value: [0, 8, 1]}}}}
`)
	s.eventually("some are done", func() (bool, any) {
		got := &v1alpha1.Workflow{}
		err := s.objects.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "stop"}, got)
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
templates:`+simulatedScript("job", "200ms")+`
- name: main
  matrix: {template: job, grid: {params: {x: {kind: range, value: [0, 300, 1]}}}}
`)
	done := func() int64 {
		w := &v1alpha1.Workflow{}
		require.NoError(t, s.objects.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "w"}, w))
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
			err := s.sandbox.Signal(sandbox.Controller, signal) // it may not be back yet
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
