package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/params"
	"github.com/queueyard/queueyard/pkg/suggest"
	"github.com/queueyard/queueyard/pkg/workflow"
)

const (
	// MaxDepth bounds nesting: each level is a workflow object and a limit of every operation below.
	MaxDepth = 8
	// MaxOperations bounds what a workflow becomes, as far as that is known when it is created.
	MaxOperations = 1_000_000
	// MaxSteps bounds the steps that all templates write out: whoever creates a workflow waits until each was looked at.
	MaxSteps = 5_000
)

// Components finds a component by its name. A nil one does not exist; names are those that do.
type Components func(name string) (component *v1alpha1.Component, names []string, err error)

// Check says all that is wrong with a workflow, with the paths of the fields, and how much it will be. It follows every use of
// a template with the params that are seen there. Templates that nothing uses are checked for their form only.
func Check(w *v1alpha1.Workflow, components Components) (workflow.Size, error) {
	c := &checker{compiler: newCompiler(&w.Spec), components: components, done: map[string]bool{}, mentions: map[string]map[string]bool{}, sizes: map[string]int{}}
	if errs := params.Validate(w.Spec.Inputs, "spec.inputs"); len(errs) > 0 {
		return workflow.Size{}, errs
	}
	if n := steps(w); n > MaxSteps {
		return workflow.Size{}, fmt.Errorf("spec.templates: they have %d steps together, and %d is the most: write what repeats as a matrix, or as one template that several steps use", n, MaxSteps)
	}
	given, err := scopeOf(w)
	if err != nil {
		return workflow.Size{}, err
	}
	size, err := workflow.CheckTemplates(w.Spec.Entrypoint, c.uses())
	if err != nil {
		return size, fmt.Errorf("spec.templates: %w", err)
	}
	if size.Depth > MaxDepth {
		c.problems.addf("spec.templates", "templates are nested %d deep: %d is the most", size.Depth, MaxDepth)
	}
	if size.Operations > MaxOperations {
		c.problems.addf("spec.templates", "the workflow would become more than %d operations: make a matrix smaller", MaxOperations)
	}
	for i := range w.Spec.Templates {
		t := &w.Spec.Templates[i]
		if errs := params.Validate(t.Inputs, fmt.Sprintf("spec.templates[%d].inputs", i)); len(errs) > 0 {
			c.problems.add("", errs)
		}
	}
	seen := types(params.TypesOf(w.Spec.Inputs)).with()
	for name := range given {
		if _, declared := seen[name]; !declared {
			seen[name] = params.Any
		}
	}
	if err := c.problems.err(); err != nil {
		return size, err // what follows would only repeat it
	}
	if t, _ := c.template(w.Spec.Entrypoint); t != nil {
		c.policies(w.Spec.EarlyStopping, t.Matrix, "spec")
	}
	c.use(w.Spec.Entrypoint, seen, "spec.entrypoint")
	if exit := exitStep(&w.Spec); exit != nil {
		c.exit(exit, seen)
	}
	if c.err != nil {
		return size, c.err
	}
	return size, c.problems.err()
}

// steps is how many steps the templates of a workflow have together.
func steps(w *v1alpha1.Workflow) (n int) {
	for i := range w.Spec.Templates {
		if d := w.Spec.Templates[i].DAG; d != nil {
			n += len(d.Operations)
		}
	}
	return n
}

// ErrNotKnown says that nobody can tell whether there is a component: what it needs is not checked.
var ErrNotKnown = errors.New("whether the component exists is not known here")

// ErrUnread says that something could not be read, which is no fault of the workflow.
type ErrUnread struct{ error }

// Unwrap implements errors.Unwrap.
func (e ErrUnread) Unwrap() error { return e.error }

// maxWork bounds what one check may take, in steps of about ten microseconds: each template is checked with every set of params
// that may be seen in it.
const maxWork = 200_000

type checker struct {
	*compiler
	components Components
	// done are uses that were checked: a template, and the params that are seen there and matter.
	done map[string]bool
	// mentions are the names that matter to templates, by template.
	mentions map[string]map[string]bool
	// sizes of templates: the work of checking each once.
	sizes map[string]int
	// work is what was done, of maxWork.
	work int
	// err is the first thing that could not be read.
	err error
}

// uses is what templates use of each other.
func (c *checker) uses() []workflow.Template {
	out := make([]workflow.Template, len(c.spec.Templates))
	for i := range c.spec.Templates {
		t := &c.spec.Templates[i]
		out[i].Name = t.Name
		switch {
		case t.DAG != nil:
			for _, s := range t.DAG.Operations {
				if s.Template != "" {
					out[i].Uses = append(out[i].Uses, workflow.Use{Template: s.Template})
				}
			}
		case t.Matrix != nil:
			out[i].Uses = c.usesOf(t.Matrix)
		}
	}
	return out
}

// usesOf is what a matrix uses.
func (c *checker) usesOf(m *v1alpha1.Matrix) (uses []workflow.Use) {
	if m.Template != "" {
		times := int64(1)
		if b := (&compiler{spec: c.spec, index: c.index}).matrix(m, "", nil); b.trials != nil {
			times = b.trials.total
		}
		uses = append(uses, workflow.Use{Template: m.Template, Times: times})
	}
	if i := m.Iterative; i != nil && i.Suggest != nil && i.Suggest.Template != "" {
		uses = append(uses, workflow.Use{Template: i.Suggest.Template, Times: i.MaxIterations})
	}
	return uses
}

// use checks a template with the params that are seen where it is used.
func (c *checker) use(name string, seen types, path string) {
	t, at := c.template(name)
	if t == nil {
		return // is told where it is used
	}
	inside, missing := seen.declared(t.Inputs)
	if len(missing) > 0 {
		c.problems.addf(path, "template %q needs %s, which nothing gives here: add it to params, or give the input a default", name, listedParams(missing))
		return
	}
	if !c.spend(1 + len(inside)/10) {
		return
	}
	key := fmt.Sprint(name, c.mattering(name, inside))
	if c.done[key] || !c.spend(10+len(inside)+c.sizes[name]) {
		return
	}
	c.done[key] = true
	if t.Operation != nil {
		c.operation(t.Operation, at+".operation", inside, path)
		return
	}
	b := c.body(t, at, inside)
	for i := range b.steps {
		s := &b.steps[i]
		c.child(s, inside.with(slices.Collect(maps.Keys(s.Params))...))
	}
	if b.trials != nil {
		c.mapped(b.trials, inside)
		c.suggests(b.trials.suggest, inside)
	}
}

// ComponentsOf are the components that a workflow names, whether it runs them or not.
func ComponentsOf(spec *v1alpha1.WorkflowSpec) []string {
	var names []string
	for i := range spec.Templates {
		for _, used := range usedBy(&spec.Templates[i]) {
			names = append(names, used.Component)
		}
	}
	if spec.OnExit != nil {
		names = append(names, spec.OnExit.Component)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

// spend counts work, and says whether it may be done.
func (c *checker) spend(n int) bool {
	if before := c.work; before <= maxWork {
		if c.work += n; c.work > maxWork {
			c.problems.addf("spec.templates", "they are used with too many different sets of params to be checked: give steps that use the same template params of the same names, or write what is large as components")
		}
	}
	return c.work <= maxWork
}

// mattering are those params that make a difference to a template and to what it uses.
func (c *checker) mattering(name string, seen types) types {
	words := c.words(name)
	out := types{}
	for param, t := range seen {
		if words[param] {
			out[param] = t
		}
	}
	return out
}

// words are all names of params that a template, or one that it uses, may speak of.
func (c *checker) words(name string) map[string]bool {
	if words, known := c.mentions[name]; known {
		return words
	}
	words := map[string]bool{}
	c.mentions[name] = words
	t, _ := c.template(name)
	if t == nil {
		return words
	}
	if raw, err := json.Marshal(t); err == nil {
		c.sizes[name] = sizeOf(t, string(raw))
		for _, word := range word.FindAllString(escapes.Replace(string(raw)), -1) {
			words[word] = true
		}
	}
	copied := map[string]bool{}
	for _, used := range usedBy(t) {
		if used.Component != "" {
			if component, _, err := c.components(used.Component); err == nil && component != nil {
				for _, input := range component.Spec.Inputs {
					words[input.Name] = true
				}
			}
			continue
		}
		if more := c.words(used.Template); !copied[used.Template] && c.spend(len(more)/10) {
			copied[used.Template] = true
			maps.Copy(words, more)
		}
	}
	return words
}

// sizeOf is the work of checking a template: that of its expressions, mostly.
func sizeOf(t *v1alpha1.WorkflowTemplate, raw string) int {
	const bytesOfExpressions, bytesOfText, each = 7, 50, 5
	expressions := 0
	if t.DAG != nil {
		expressions += len(t.DAG.Operations) * each * bytesOfExpressions
		for i := range t.DAG.Operations {
			expressions += len(t.DAG.Operations[i].When)
		}
	}
	for _, part := range strings.Split(raw, "{{")[1:] {
		text, _, _ := strings.Cut(part, "}}")
		expressions += len(text)
	}
	return expressions/bytesOfExpressions + len(raw)/bytesOfText
}

// word is what a param may be named, escapes are what JSON writes before one.
var (
	word    = regexp.MustCompile(`[A-Za-z0-9_-]+`)
	escapes = strings.NewReplacer(`\n`, " ", `\r`, " ", `\t`, " ", `\u003c`, " ", `\u003e`, " ", `\u0026`, " ")
)

// usedBy are the templates and components that a template uses.
func usedBy(t *v1alpha1.WorkflowTemplate) (uses []v1alpha1.ExitStep) {
	switch {
	case t.Operation != nil:
		return []v1alpha1.ExitStep{{Component: t.Operation.Component}}
	case t.DAG != nil:
		for i := range t.DAG.Operations {
			s := &t.DAG.Operations[i]
			uses = append(uses, v1alpha1.ExitStep{Template: s.Template, Component: s.Component})
		}
	case t.Matrix != nil:
		uses = append(uses, v1alpha1.ExitStep{Template: t.Matrix.Template, Component: t.Matrix.Component})
		if i := t.Matrix.Iterative; i != nil && i.Suggest != nil {
			uses = append(uses, v1alpha1.ExitStep{Template: i.Suggest.Template, Component: i.Suggest.Component})
		}
	}
	return uses
}

// child checks what a step uses.
func (c *checker) child(s *step, seen types) {
	if s.Component != "" {
		c.component(s.Component, seen, slices.Collect(maps.Keys(s.Params)), s.path)
		return
	}
	c.use(s.Template, seen, s.path)
}

// mapped checks what a matrix uses. Where an expression decides about its trials, they give what the
// template declares as its inputs.
func (c *checker) mapped(t *trials, seen types) {
	given := append(slices.Collect(maps.Keys(t.matrix.Params)), t.names...)
	if !t.known {
		if used, _ := c.template(t.matrix.Template); used != nil {
			for _, input := range used.Inputs {
				given = append(given, input.Name)
			}
		} else if component := c.find(t.matrix.Component, t.step.path); component != nil {
			for _, input := range component.Spec.Inputs {
				given = append(given, input.Name)
			}
		}
	}
	inside := seen.with(append(given, trialParam)...)
	if t.matrix.Component != "" {
		c.component(t.matrix.Component, inside, given, t.step.path)
		return
	}
	c.use(t.matrix.Template, inside, t.step.path)
}

// operation checks what an operation runs with the params that are seen there.
func (c *checker) operation(o *v1alpha1.OperationTemplate, at string, seen types, path string) {
	if o.Component != "" {
		c.component(o.Component, seen, nil, at)
		return
	}
	if o.Template == nil {
		return // the schema refuses it
	}
	if err := operation.CheckTemplate(o.Template, at+".template", seen); err != nil {
		// What is not there may be missing where the template is used.
		c.problems.add("", fmt.Errorf("%w (as used in %s)", err, path))
	}
}

// find is a component, or nil.
func (c *checker) find(name, path string) *v1alpha1.Component {
	if name == "" || c.err != nil {
		return nil
	}
	component, names, err := c.components(name)
	if errors.Is(err, ErrNotKnown) {
		return nil
	}
	if err != nil {
		c.err = ErrUnread{err}
		return nil
	}
	if component == nil {
		c.problems.addf(path+".component", "component %q does not exist%s: create it first, or name another", name, suggest.DidYouMean(name, names))
	}
	return component
}

// component checks that a component gets the params that it needs, and none that are meant for it and unknown to it.
func (c *checker) component(name string, seen types, meant []string, path string) {
	component := c.find(name, path)
	if component == nil {
		return
	}
	_, missing := seen.declared(component.Spec.Inputs)
	if len(missing) > 0 {
		c.problems.addf(path, "component %q needs %s, which nothing gives here: add it to params", name, listedParams(missing))
	}
	known := types(params.TypesOf(component.Spec.Inputs)).names()
	for _, given := range meant {
		if !slices.Contains(known, given) {
			c.problems.addf(path+".params."+given, "component %q has no input %q%s: remove it, or correct its name", name, given, suggest.DidYouMean(given, known))
		}
	}
}

// exit checks what runs at the end, which must be an operation.
func (c *checker) exit(exit *v1alpha1.Step, seen types) {
	s := c.exitStep(exit, seen)
	if t, _ := c.template(exit.Template); nested(t) {
		c.problems.addf("spec.onExit.template", "template %q is no operation: what runs at the end is a single one", exit.Template)
		return
	}
	c.child(&s, seen.with(slices.Collect(maps.Keys(s.Params))...))
}

func listedParams(names []string) string {
	if len(names) == 1 {
		return fmt.Sprintf("param %q", names[0])
	}
	return fmt.Sprintf("params %q", strings.Join(names, `", "`))
}
