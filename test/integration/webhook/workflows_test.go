package webhook_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

const workflowsWebhook = "workflows.queueyard.io"

// flow is a workflow that is held, so that nothing runs.
func flow(t *testing.T, namespace, name, spec string) *v1alpha1.Workflow {
	t.Helper()
	w := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	require.NoError(t, yaml.UnmarshalStrict([]byte(spec), &w.Spec))
	w.Spec.Approved = ptr.To(false)
	return w
}

const oneStep = `
entrypoint: main
templates:
- name: main
  dag: {concurrency: 3, operations: [{name: a, template: job}, {name: b, template: job, dependsOn: [a]}]}
- name: job
  operation: {template: {pod: {spec: {containers: [{name: main, image: none}]}}}}
`

// A workflow gets the queue and project that its operations would, and the concurrency that its entrypoint suggests.
func TestWorkflowsAreStamped(t *testing.T) {
	w := flow(t, "vision", "stamped", oneStep)
	require.NoError(t, admin.Create(t.Context(), w))
	require.Equal(t, "gpu", w.Spec.Queue)
	require.Equal(t, "vision", w.Spec.Project)
	require.EqualValues(t, 3, *w.Spec.Concurrency)
}

// policies is a matrix with a metric and a stopping policy.
func policies(policy string) string {
	return `entrypoint: main
templates:
- name: main
  matrix:
    template: job
    grid: {params: {x: {kind: range, value: [0, 4, 1]}}}
    metric: {name: loss, optimization: minimize}
    earlyStopping: {policies: [` + policy + `]}
- name: job
  operation: {template: {pod: {spec: {containers: [{name: main, image: none}]}}}}
`
}

// Policies that are sound are accepted; those of a running workflow may be changed to sound ones only.
func TestPoliciesChange(t *testing.T) {
	w := flow(t, "free", "policies", "earlyStopping: {policies: [{kind: diff, percent: 5, minSamples: 3}]}\n"+policies("{kind: median, evaluationInterval: 10, minInterval: 20}"))
	require.NoError(t, admin.Create(t.Context(), w))
	before := w.DeepCopy()
	w.Spec.EarlyStopping.Policies[0].Percent = 50
	require.NoError(t, admin.Patch(t.Context(), w, client.MergeFrom(before)))
	before = w.DeepCopy()
	w.Spec.EarlyStopping.Policies[0].Metric = "los"
	require.ErrorContains(t, admin.Patch(t.Context(), w, client.MergeFrom(before)), `spec.earlyStopping.policies[0].optimization: metric "los" is not that of the matrix`)
}

func TestWorkflowsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct{ spec, part string }{
		"a cycle":                {"entrypoint: main\ntemplates:\n- name: main\n  dag: {operations: [{name: a, template: job, dependsOn: [b]}, {name: b, template: job, dependsOn: [a]}]}\n- {name: job, operation: {component: divide}}\n", "spec.templates[0].dag.operations: nodes depend on each other in a cycle: a → b → a"},
		"no component":           {"entrypoint: job\ntemplates:\n- {name: job, operation: {component: nosuch}}\n", `component "nosuch" does not exist`},
		"no queue":               {"queue: gpuu\n" + oneStep, `spec.queue`},
		"both kinds":             {"entrypoint: job\ntemplates:\n- {name: job, operation: {component: a}, dag: {operations: [{name: a, template: job}]}}\n", "a template has exactly one of operation, dag and matrix"},
		"ttl of steps":           {"termination: {ttl: 1h}\n" + oneStep, "operations are kept as long as their workflow: write spec.ttl"},
		"negative":               {"timeout: -1s\n" + oneStep, "spec.timeout is -1s, which is negative"},
		"unknown kind":           {"entrypoint: job\ntemplates:\n- name: job\n  operation: {template: {object: {successCondition: 'true', manifest: {apiVersion: example.com/v1, kind: Ship}}}}\n", "the cluster has no kind Ship in example.com/v1"},
		"asks nothing":           {"entrypoint: main\ntemplates:\n- name: main\n  matrix: {component: train, iterative: {maxIterations: 3}}\n", "iterative.suggest"},
		"asks two":               {"entrypoint: main\ntemplates:\n- name: main\n  matrix: {component: train, iterative: {maxIterations: 3, suggest: {component: a, template: b}}}\n", "suggest has either a template of the workflow or a component"},
		"asks nobody":            {"entrypoint: main\ntemplates:\n- name: main\n  matrix: {template: job, iterative: {maxIterations: 3, suggest: {component: nosuch}}}\n- {name: job, operation: {template: {pod: {spec: {containers: [{name: main, image: none}]}}}}}\n", `spec.templates[0].matrix.iterative.suggest.component: component "nosuch" does not exist`},
		"asks too long":          {"entrypoint: main\ntemplates:\n- name: main\n  matrix: {template: job, iterative: {maxIterations: 3, suggest: {template: job, termination: {timeout: -1s}}}}\n- {name: job, operation: {template: {pod: {spec: {containers: [{name: main, image: none}]}}}}}\n", "timeout"},
		"no such policy":         {policies("{kind: mean}"), `policies[0]: kind is "mean": write median, truncation or diff`},
		"median of a share":      {policies("{kind: median, percent: 5}"), "policies[0]: percent is 5, but median has none: leave it out"},
		"diff of nothing":        {policies("{kind: diff}"), "percent"},
		"a direction of nothing": {policies("{kind: median, optimization: minimize}"), "optimization is of a metric"},
		"policies of a dag":      {"earlyStopping: {policies: [{kind: median, metric: loss, optimization: minimize}]}\n" + oneStep, "spec.earlyStopping.policies: they stop trials of a matrix"},
		"too many fail":          {"earlyStopping: {failure: {percent: 100}}\n" + oneStep, "percent"},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, admin.Create(t.Context(), flow(t, "free", "x", tc.spec)), tc.part)
		})
	}
}

// What runs is fixed; how much of it at a time, and whether, may be changed.
func TestWorkflowsChange(t *testing.T) {
	w := flow(t, "free", "changes", oneStep)
	require.NoError(t, admin.Create(t.Context(), w))
	change := func(edit func(*v1alpha1.Workflow)) error {
		require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(w), w))
		before := w.DeepCopy()
		edit(w)
		return admin.Patch(t.Context(), w, client.MergeFrom(before))
	}
	for field, edit := range map[string]func(*v1alpha1.Workflow){
		"templates":  func(w *v1alpha1.Workflow) { w.Spec.Templates[0].DAG.Operations[0].Name = "z" },
		"entrypoint": func(w *v1alpha1.Workflow) { w.Spec.Entrypoint = "job" },
		"params":     func(w *v1alpha1.Workflow) { w.Spec.Params = n("3") },
		"onExit":     func(w *v1alpha1.Workflow) { w.Spec.OnExit = &v1alpha1.ExitStep{Template: "job"} },
	} {
		requireRefused(t, change(edit), workflowsWebhook, `spec.`+field+` of workflow "changes" may not change`)
	}
	require.NoError(t, change(func(w *v1alpha1.Workflow) { w.Spec.Concurrency, w.Spec.Restarts = ptr.To[int32](1), 2 }))
	requireRefused(t, change(func(w *v1alpha1.Workflow) { w.Spec.Restarts = 1 }), workflowsWebhook, "write 3 to run the workflow again")
	requireRefused(t, change(func(w *v1alpha1.Workflow) { w.Spec.Queue = "draining" }), workflowsWebhook, `queue "draining" is draining`)
	forge := func(w *v1alpha1.Workflow) { w.Labels = map[string]string{v1alpha1.WorkflowUIDLabel: "x"} }
	requireRefused(t, change(forge), workflowsWebhook, "label queueyard.io/workflow-uid is written by queueyard-controller alone")
	require.NoError(t, change(func(w *v1alpha1.Workflow) { w.Spec.Approved = ptr.To(true); w.Spec.DesiredState = v1alpha1.Stopped }))
	require.Equal(t, "sandbox-admin", w.Annotations[v1alpha1.ApprovedByAnnotation])

	forged := flow(t, "free", "forged", oneStep)
	forge(forged)
	requireRefused(t, admin.Create(t.Context(), forged), workflowsWebhook, "leave it out, or create a Workflow, whose children get it")
}

// The controller makes what a workflow's operations run as: whoever creates the workflow must be allowed to.
func TestWorkflowsNeedTheUsersOwnPermission(t *testing.T) {
	const spec = "entrypoint: job\ntemplates:\n- name: job\n  operation: {template: {object: {successCondition: 'true', manifest: {apiVersion: v1, kind: ConfigMap}}}}\n"
	user := as(t, "flows-only", rbacv1.PolicyRule{APIGroups: []string{"queueyard.io"}, Resources: []string{"workflows"}, Verbs: []string{"*"}})
	require.Eventually(t, func() bool {
		err := user.Create(t.Context(), flow(t, "free", "config", spec))
		return err != nil && err.Error() == denied(workflowsWebhook, `the operation would create a ConfigMap, and "flows-only" may not create configmaps in namespace "free": ask for a Role that allows it, or run something else`)
	}, time.Minute, pollEvery)
	require.NoError(t, admin.Create(t.Context(), flow(t, "free", "config", spec)))
}
