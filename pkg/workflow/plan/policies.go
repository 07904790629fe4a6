package plan

import (
	"fmt"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/workflow"
)

// CheckPolicies says what is wrong with the stopping policies of a workflow that was found sound before they were changed.
func CheckPolicies(w *v1alpha1.Workflow) error {
	c := newCompiler(&w.Spec)
	if t, _ := c.template(w.Spec.Entrypoint); t != nil {
		c.policies(w.Spec.EarlyStopping, t.Matrix, "spec")
	}
	return c.problems.err()
}

// policies are those that stop trials of a matrix while they run, each with its metric. They stand at path.
func (c *compiler) policies(e *v1alpha1.EarlyStopping, m *v1alpha1.Matrix, path string) (out []workflow.StoppingPolicy) {
	if e == nil || len(e.Policies) == 0 {
		return nil
	}
	path += ".earlyStopping.policies"
	if m == nil {
		c.problems.addf(path, "they stop trials of a matrix, and the entrypoint is none: write them into the matrix that is meant")
		return nil
	}
	c.prints(m, path)
	of := MetricOf(m)
	for i := range e.Policies {
		at := fmt.Sprintf("%s[%d]", path, i)
		p := workflow.StoppingPolicy(e.Policies[i])
		switch {
		case p.Metric == "" && of == nil:
			c.problems.addf(at, "it has no metric and its matrix has none: write metric and optimization of one of them")
			continue
		case p.Metric == "":
			p.Metric, p.Optimization = of.Name, of.Optimization
		case p.Optimization == "" && (of == nil || of.Name != p.Metric):
			c.problems.addf(at+".optimization", "metric %q is not that of the matrix, which would say whether less or more is better: write %s or %s", p.Metric, v1alpha1.Minimize, v1alpha1.Maximize)
			continue
		case p.Optimization == "":
			p.Optimization = of.Optimization
		case of != nil && of.Name == p.Metric && of.Optimization != p.Optimization:
			c.problems.addf(at+".optimization", "it is to %s what the matrix is to %s (%s): leave it out", p.Optimization, of.Optimization, p.Metric)
			continue
		}
		if err := p.Validate(); err != nil {
			c.problems.add(at, err)
			continue
		}
		out = append(out, p)
	}
	return out
}

// prints refuses policies over what has no log of its own.
func (c *compiler) prints(m *v1alpha1.Matrix, path string) {
	t, _ := c.template(m.Template)
	switch {
	case nested(t):
		c.problems.addf(path, "they judge a trial by what its main container prints, and template %q is no single operation: put them into a matrix over an operation, or leave them out", m.Template)
	case t != nil && t.Operation.Template != nil && t.Operation.Template.Object != nil:
		c.problems.addf(path, "they judge a trial by what its main container prints, and template %q runs neither as a pod nor as a Job: leave them out", m.Template)
	}
}
