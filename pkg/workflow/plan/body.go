package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/expression"
	"github.com/queueyard/queueyard/pkg/params"
	"github.com/queueyard/queueyard/pkg/search"
	"github.com/queueyard/queueyard/pkg/suggest"
	"github.com/queueyard/queueyard/pkg/workflow"
)

// body is what a template runs, its expressions checked against the params that are seen in it. An operation
// by itself is a dag of one step.
type body struct {
	path   string
	graph  *workflow.Graph // nil: a matrix
	steps  []step
	output *expression.Template // of a dag that has outputs
	trials *trials              // of a matrix
}

// step is a use of a template.
type step struct {
	v1alpha1.Step
	path   string
	params *expression.Template // nil: none
	when   *expression.Condition
	uses   map[string]expression.OperationUse
}

// trials are the uses of a template by a matrix.
type trials struct {
	step   step
	matrix *v1alpha1.Matrix
	metric *v1alpha1.Metric
	space  *expression.Template // the search, with its expressions
	// policies that stop trials while they run.
	policies []workflow.StoppingPolicy
	// suggest is what is asked for trials; nil: nothing.
	suggest *step
	// names of the params that every trial gets; known is false where an expression decides.
	names []string
	known bool
	// total trials, where known.
	total int64
}

// compiler checks a workflow.
type compiler struct {
	spec     *v1alpha1.WorkflowSpec
	index    map[string]int
	problems problems
}

func newCompiler(spec *v1alpha1.WorkflowSpec) *compiler {
	c := &compiler{spec: spec, index: make(map[string]int, len(spec.Templates))}
	for i := range spec.Templates {
		c.index[spec.Templates[i].Name] = i
	}
	return c
}

// template is the one of a name, and where it stands.
func (c *compiler) template(name string) (*v1alpha1.WorkflowTemplate, string) {
	i, ok := c.index[name]
	if !ok {
		return nil, ""
	}
	return &c.spec.Templates[i], fmt.Sprintf("spec.templates[%d]", i)
}

// nested says whether a template becomes a workflow of its own.
func nested(t *v1alpha1.WorkflowTemplate) bool { return t != nil && t.Operation == nil }

// body compiles what a template runs. What is wrong is among the problems.
func (c *compiler) body(t *v1alpha1.WorkflowTemplate, path string, seen types) body {
	switch {
	case t.DAG != nil:
		return c.dag(t.DAG, path+".dag", seen)
	case t.Matrix != nil:
		return c.matrix(t.Matrix, path+".matrix", seen)
	}
	only := step{Step: v1alpha1.Step{Name: t.Name, Template: t.Name}, path: path}
	graph, err := workflow.NewGraph([]workflow.Node{{Name: t.Name}})
	c.problems.add(path, err)
	return body{path: path, graph: graph, steps: []step{only}}
}

func (c *compiler) dag(d *v1alpha1.DAG, path string, seen types) body {
	b := body{path: path}
	names := make([]string, len(d.Operations))
	for i := range d.Operations {
		names[i] = d.Operations[i].Name
	}
	// One for all of them: to declare a thousand steps a thousand times takes seconds.
	env := c.environment(path, expression.Declarations{Params: seen, Globals: globals, Operations: names})
	nodes := make([]workflow.Node, len(d.Operations))
	for i := range d.Operations {
		at := fmt.Sprintf("%s.operations[%d]", path, i)
		s := c.step(&d.Operations[i], at, env)
		c.results(d, s.uses, at)
		nodes[i] = workflow.Node{
			Name: s.Name, Trigger: s.Trigger, SkipOnUpstreamSkip: s.SkipOnUpstreamSkip,
			DependsOn: append(slices.Clone(s.DependsOn), slices.Sorted(maps.Keys(s.uses))...),
		}
		b.steps = append(b.steps, s)
	}
	var err error
	b.graph, err = workflow.NewGraph(nodes)
	c.problems.add(path+".operations", err)
	if len(d.Outputs) > 0 {
		b.output = c.values(d.Outputs, path+".outputs", env)
		if b.output != nil {
			c.results(d, b.output.References().Operations, path+".outputs")
		}
	}
	return b
}

// results refuses the results of steps that are single operations.
func (c *compiler) results(d *v1alpha1.DAG, uses map[string]expression.OperationUse, path string) {
	if !slices.ContainsFunc(slices.Collect(maps.Values(uses)), func(use expression.OperationUse) bool { return use.Results }) {
		return
	}
	for _, of := range d.Operations {
		if !uses[of.Name].Results {
			continue
		}
		if t, _ := c.template(of.Template); !nested(t) {
			c.problems.addf(path, "ops.%s.results: %q is a single operation and has no children: use its outputs", of.Name, of.Name)
		}
	}
}

// environment is what expressions at a path see; nil: it is among the problems why there is none.
func (c *compiler) environment(path string, declared expression.Declarations) *expression.Environment {
	env, err := expression.NewEnvironment(declared)
	c.problems.add(path, err)
	return env
}

func (c *compiler) step(s *v1alpha1.Step, path string, env *expression.Environment) step {
	out := step{Step: *s, path: path, uses: map[string]expression.OperationUse{}}
	if len(s.Params) > 0 {
		out.params = c.values(s.Params, path+".params", env)
		if out.params != nil {
			maps.Copy(out.uses, out.params.References().Operations)
		}
	}
	if s.When != "" && env != nil {
		condition, errs := expression.CompileCondition(s.When, path+".when", env)
		c.problems.all(errs)
		if out.when = condition; condition != nil {
			for name, use := range condition.References().Operations {
				before := out.uses[name]
				use.Results = use.Results || before.Results
				out.uses[name] = use
			}
		}
	}
	if _, itself := out.uses[s.Name]; itself {
		c.problems.addf(path, "ops.%s is the step itself, which has come to nothing when it starts: use another step", s.Name)
		delete(out.uses, s.Name)
	}
	if t, _ := c.template(s.Template); s.Template != "" && t == nil {
		c.problems.addf(path+".template", "template %q does not exist%s: correct the name, or add that template", s.Template, suggest.DidYouMean(s.Template, slices.Collect(maps.Keys(c.index))))
	}
	return out
}

// values compiles named values with expressions.
func (c *compiler) values(v v1alpha1.Values, path string, env *expression.Environment) *expression.Template {
	decoded, err := decode(v, path)
	if err != nil {
		c.problems.add("", err)
		return nil
	}
	return c.compile(decoded, path, env)
}

func (c *compiler) compile(decoded any, path string, env *expression.Environment) *expression.Template {
	if env == nil {
		return nil
	}
	compiled, errs := expression.Compile(decoded, path, env)
	c.problems.all(errs)
	return compiled
}

func (c *compiler) matrix(m *v1alpha1.Matrix, path string, seen types) body {
	t := &trials{matrix: m, known: true, total: -1}
	env := c.environment(path, expression.Declarations{Params: seen, Globals: globals})
	t.step = c.step(&v1alpha1.Step{Name: "trial", Template: m.Template, Component: m.Component, Params: m.Params, Preferences: m.Preferences}, path, env)
	if m.Iterative != nil && m.Iterative.Suggest != nil {
		suggest := c.suggest(m.Iterative.Suggest, path+".iterative.suggest", env)
		t.suggest = &suggest
	}
	raw, err := json.Marshal(searchOf(m))
	if err != nil {
		c.problems.add(path, err)
		return body{}
	}
	decoded, err := params.Decode(raw)
	if err != nil {
		c.problems.add(path, err)
		return body{}
	}
	// The path of the search's fields is that of the matrix.
	t.space = c.compile(decoded, path, env)
	if t.space == nil {
		return body{path: path, trials: t}
	}
	t.names, t.known = TrialParams(m)
	if t.metric = MetricOf(m); m.Metric != nil && t.metric != m.Metric {
		c.problems.addf(path+".metric", "the search has a metric of its own: leave this one out")
	}
	t.policies = c.policies(m.EarlyStopping, m, path)
	if refs := t.space.References(); len(refs.Params)+len(refs.Globals) > 0 {
		return body{path: path, trials: t} // what it is shows when it runs
	}
	spec, err := search.Parse(raw)
	if err == nil {
		var algorithm search.Algorithm
		if algorithm, err = search.New(spec, 0); err == nil {
			if t.total = algorithm.Total(); t.total == 0 {
				err = fmt.Errorf("it is over nothing: give it at least one trial")
			}
		}
	}
	c.problems.add(path, err)
	return body{path: path, trials: t}
}

// KindNames are the kinds of search, in the order of Kinds.
var KindNames = []string{"mapping", "grid", "random", "hyperband", "asha", "bayes", "tpe", "hyperopt", "iterative"}

// Kinds says of each kind of search whether a matrix has it.
func Kinds(m *v1alpha1.Matrix) []bool {
	return []bool{m.Mapping != nil, m.Grid != nil, m.Random != nil, m.Hyperband != nil, m.ASHA != nil, m.Bayes != nil, m.TPE != nil, m.Hyperopt != nil, m.Iterative != nil}
}

// searchOf is a matrix without what is not its search.
func searchOf(m *v1alpha1.Matrix) v1alpha1.Matrix {
	return v1alpha1.Matrix{
		Mapping: m.Mapping, Grid: m.Grid, Random: m.Random, Hyperband: m.Hyperband, ASHA: m.ASHA, Bayes: m.Bayes, TPE: m.TPE, Hyperopt: m.Hyperopt,
		Iterative: told(m),
	}
}

// MetricOf is what trials are compared by: that of a search that learns, else that of the matrix.
func MetricOf(m *v1alpha1.Matrix) *v1alpha1.Metric {
	switch {
	case m.Hyperband != nil:
		return &m.Hyperband.Metric
	case m.ASHA != nil:
		return &m.ASHA.Metric
	case m.Bayes != nil:
		return &m.Bayes.Metric
	case m.TPE != nil:
		return &m.TPE.Metric
	case m.Hyperopt != nil && m.Hyperopt.Metric != nil:
		return m.Hyperopt.Metric
	case m.Iterative != nil && m.Iterative.Metric != nil:
		return m.Iterative.Metric
	}
	return m.Metric
}

// TrialParams are the params that every trial of a matrix gets, where its search is written out.
func TrialParams(m *v1alpha1.Matrix) (names []string, known bool) {
	sorted := func(params map[string]v1alpha1.Distribution, more ...string) ([]string, bool) {
		return slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(params)), more...))), true
	}
	switch {
	case m.Grid != nil:
		return sorted(m.Grid.Params)
	case m.Random != nil:
		return sorted(m.Random.Params)
	case m.Hyperband != nil:
		return sorted(m.Hyperband.Params, m.Hyperband.Resource.Name)
	case m.ASHA != nil:
		return sorted(m.ASHA.Params, m.ASHA.Resource.Name)
	case m.Bayes != nil:
		return sorted(m.Bayes.Params)
	case m.TPE != nil:
		return sorted(m.TPE.Params)
	case m.Hyperopt != nil:
		return sorted(m.Hyperopt.Params)
	case m.Iterative != nil:
		names, _ := sorted(m.Iterative.Params)
		return names, len(names) > 0
	}
	var trials []map[string]json.RawMessage
	if json.Unmarshal(m.Mapping.Values.Raw, &trials) != nil || len(trials) == 0 {
		return nil, false
	}
	for name := range trials[0] {
		if !slices.ContainsFunc(trials, func(t map[string]json.RawMessage) bool { _, given := t[name]; return !given }) {
			names = append(names, name)
		}
	}
	return slices.Sorted(slices.Values(names)), true
}
