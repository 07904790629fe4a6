package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/workflow"
)

const (
	someGrid   = "grid: {params: {left: {kind: range, value: [0, 4, 1]}}}\n    "
	someMetric = "metric: {name: loss, optimization: minimize}\n    "
)

func TestPoliciesRefused(t *testing.T) {
	at := "spec.templates[1].matrix.earlyStopping.policies"
	for name, c := range map[string]struct{ spec, says string }{
		"no metric anywhere": {matrix(someGrid + "earlyStopping: {policies: [{kind: median}]}"), at + "[0]: it has no metric and its matrix has none: write metric and optimization of one of them"},
		"another metric without a direction": {matrix(someGrid + someMetric + "earlyStopping: {policies: [{kind: median}, {kind: median, metric: los}]}"),
			at + `[1].optimization: metric "los" is not that of the matrix, which would say whether less or more is better: write minimize or maximize`},
		"both directions": {matrix(someGrid + someMetric + "earlyStopping: {policies: [{kind: median, metric: loss, optimization: maximize}]}"),
			at + `[0].optimization: it is to maximize what the matrix is to minimize (loss): leave it out`},
		"nothing to be among the worst of": {matrix(someGrid + someMetric + "earlyStopping: {policies: [{kind: truncation}]}"), at + "[0]: percent is 0: write 1 to 99"},
		"of a dag": {"earlyStopping: {policies: [{kind: median, metric: loss, optimization: minimize}]}\n" + dag(`{name: a, template: add, params: {left: 1}}`),
			"spec.earlyStopping.policies: they stop trials of a matrix, and the entrypoint is none: write them into the matrix that is meant"},
		"of an operation":                 {"earlyStopping: {policies: [{kind: median, metric: loss, optimization: minimize}]}\nentrypoint: add\nparams: {left: 1}\ntemplates:" + add, "spec.earlyStopping.policies: they stop trials of a matrix"},
		"of the workflow, for its matrix": {matrix(someGrid, "earlyStopping: {policies: [{kind: median}]}"), "spec.earlyStopping.policies[0]: it has no metric and its matrix has none"},
		"trials that are dags": {"entrypoint: main\ntemplates:" + add + "- name: trial\n  dag: {operations: [{name: a, template: add}]}\n- name: main\n  matrix:\n    template: trial\n    " + someGrid + someMetric + "earlyStopping: {policies: [{kind: median}]}\n",
			`spec.templates[2].matrix.earlyStopping.policies: they judge a trial by what its main container prints, and template "trial" is no single operation: put them into a matrix over an operation, or leave them out`},
		"trials that are objects": {"entrypoint: main\ntemplates:\n- name: trial\n  operation: {template: {object: {successCondition: 'true', manifest: {apiVersion: example.com/v1, kind: Ship}}}}\n- name: main\n  matrix:\n    template: trial\n    " + someGrid + someMetric + "earlyStopping: {policies: [{kind: median}]}\n",
			`template "trial" runs neither as a pod nor as a Job: leave them out`},
	} {
		_, err := Check(parse(t, c.spec), find)
		require.ErrorContains(t, err, c.says, name)
	}
}

// Policies take the metric of their matrix. Those of the workflow are in place of the matrix's.
func TestPoliciesOfAPlan(t *testing.T) {
	search := someGrid + someMetric + "earlyStopping: {policies: [{kind: median}, {kind: diff, percent: 5, metric: accuracy, optimization: maximize}]}"
	for _, spec := range []string{matrix(search), matrix(search, "earlyStopping: {failure: {percent: 5}}"), matrix(search, "earlyStopping: {policies: [{kind: median, minSamples: 7}]}")} {
		_, err := Check(parse(t, spec), find)
		require.NoError(t, err)
	}
	p, err := Compile(t.Context(), parse(t, matrix(search)))
	require.NoError(t, err)
	require.Equal(t, []workflow.StoppingPolicy{
		{Kind: v1alpha1.Median, Metric: "loss", Optimization: v1alpha1.Minimize},
		{Kind: v1alpha1.Diff, Metric: "accuracy", Optimization: v1alpha1.Maximize, Percent: 5},
	}, p.Policies)
	w := parse(t, matrix(search, "earlyStopping: {policies: [{kind: median, minSamples: 7}]}"))
	p, err = Compile(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, []workflow.StoppingPolicy{{Kind: v1alpha1.Median, Metric: "loss", Optimization: v1alpha1.Minimize, MinSamples: 7}}, p.Policies)

	require.NoError(t, CheckPolicies(w))
	w.Spec.EarlyStopping.Policies[0].Metric = "other"
	require.ErrorContains(t, CheckPolicies(w), `spec.earlyStopping.policies[0].optimization: metric "other" is not that of the matrix`)
}
