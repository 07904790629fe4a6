package expression

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/queueyard/queueyard/pkg/params"
)

// Template is a checked tree of JSON with expressions in its strings. It is safe for concurrent use.
type Template struct {
	environment *Environment
	root        node
	references  References
}

// Option changes how a template is checked.
type Option func(*compiler)

// Expect says that the value at a path, written as errors write it, must be of a type.
func Expect(path string, t Type) Option {
	return func(c *compiler) { c.expected[path] = t }
}

// Compile checks a decoded JSON tree. root is the path of the tree itself, for errors. The tree is neither
// changed nor kept.
func Compile(tree any, root string, e *Environment, options ...Option) (*Template, ErrorList) {
	c := &compiler{environment: e, expected: map[string]Type{}}
	for _, option := range options {
		option(c)
	}
	n := c.compile(tree, root, 0)
	if errs := c.errors.list(); len(errs) > 0 {
		return nil, errs
	}
	return &Template{e, n, c.references}, nil
}

// References are the names that the template uses. The caller may keep them.
func (t *Template) References() References { return t.references.clone() }

// Render gives a tree of its own, with every expression in its place evaluated.
func (t *Template) Render(ctx context.Context, values Values) (any, ErrorList) {
	r := &renderer{activation: t.environment.activate(ctx, &values), export: export{left: MaxRenderedBytes}}
	out := t.root.render(r)
	if errs := r.errors.list(); len(errs) > 0 {
		return nil, errs
	}
	return out, nil
}

// maxDepth bounds how deep a tree is. Kubernetes' own objects have a dozen levels.
const maxDepth = 200

type compiler struct {
	environment *Environment
	expected    map[string]Type
	references  References
	errors      errorCollector
	bytes       int
	expressions int
	stopped     bool
}

// fault records what is wrong with a string as a whole.
func (c *compiler) fault(path, message, remedy string) node {
	c.errors.add(&Error{Path: path, Message: message, Remedy: remedy})
	return constant{}
}

// exceeds counts what the template holds, and stops at its bounds.
func (c *compiler) exceeds(path string, text string) bool {
	if c.bytes += len(text); c.bytes > MaxTemplateBytes && !c.stopped {
		c.stopped = true
		c.fault(path, fmt.Sprintf("the template is longer than %d bytes", MaxTemplateBytes), "let the program read what is long from a file or a ConfigMap")
	}
	return c.stopped
}

func (c *compiler) compile(value any, path string, depth int) node {
	if depth > maxDepth {
		return c.fault(path, fmt.Sprintf("the template is deeper than %d levels", maxDepth), "make it flatter")
	}
	if c.stopped {
		return constant{}
	}
	switch v := value.(type) {
	case nil, bool, int64, float64, json.Number:
		return constant{v}
	case int:
		return constant{int64(v)}
	case string:
		return c.text(v, path)
	case []any:
		nodes := make([]node, len(v))
		for i := range v {
			nodes[i] = c.compile(v[i], fmt.Sprintf("%s[%d]", path, i), depth+1)
		}
		return fold(list(nodes))
	case map[string]any:
		return c.object(v, path, depth)
	}
	return c.fault(path, fmt.Sprintf("the template holds a %T, which is no JSON", value), "decode it from JSON")
}

func (c *compiler) object(m map[string]any, path string, depth int) node {
	o := object{keys: slices.Sorted(maps.Keys(m)), nodes: make([]node, len(m))}
	for i, key := range o.keys {
		if c.exceeds(path, key) {
			return constant{}
		}
		at := spell(path, key)
		if path == "" && variableFormat.MatchString(key) {
			at = key
		}
		if strings.Contains(key, opening) {
			c.fault(at, "expressions are rendered in values, not in keys", "write the key itself")
			continue
		}
		o.nodes[i] = c.compile(m[key], at, depth+1)
	}
	return fold(o)
}

func (c *compiler) text(s, path string) node {
	if c.exceeds(path, s) {
		return constant{}
	}
	if !strings.Contains(s, opening) {
		return constant{s}
	}
	pieces, whole, bad := split(s)
	if bad != nil {
		c.errors.add(site{path, bad.line, bad.column}.place(&fault{message: bad.message, remedy: bad.remedy}, ""))
		return constant{s}
	}
	parts := make(text, 0, len(pieces))
	for _, p := range pieces {
		if !p.expression {
			parts = append(parts, part{literal: p.text})
			continue
		}
		if c.expressions++; c.expressions > MaxExpressions {
			if !c.stopped {
				c.stopped = true
				c.fault(path, fmt.Sprintf("the template has more than %d expressions", MaxExpressions), "make it smaller")
			}
			return constant{}
		}
		at := site{path, p.line, p.column}
		compiled, faults := c.environment.compile(p.text)
		for _, f := range faults {
			c.errors.add(at.place(f, p.text))
		}
		if compiled != nil {
			c.references.merge(compiled.references)
			parts = append(parts, part{program: compiled, site: at})
		}
	}
	want, expects := c.expected[path]
	if !whole {
		if expects && want != params.String && want != params.Any {
			c.fault(path, fmt.Sprintf("%s is expected here, and text around an expression makes it a string", params.Describe(want)), "write one expression and nothing else between the quotes")
		}
		return parts
	}
	if len(parts) == 0 {
		return constant{}
	}
	if p := parts[0]; expects && !p.program.accepts(want) {
		c.errors.add(p.site.place(contradiction(want, describe(p.program.result.String())), p.program.source))
	}
	return expression{parts[0]}
}

// node is a part of a compiled tree.
type node interface{ render(r *renderer) any }

type (
	// constant is JSON without expressions.
	constant struct{ value any }
	// expression is a string that is one expression: it keeps its type.
	expression struct{ part }
	// text is a string with expressions in it.
	text   []part
	list   []node
	object struct {
		keys  []string
		nodes []node
	}
)

// part is literal text or an expression.
type part struct {
	literal string
	program *program
	site    site
}

// fold makes one constant of a list or a map that holds nothing else.
func fold(n node) node {
	var nodes []node
	switch n := n.(type) {
	case list:
		nodes = n
	case object:
		nodes = n.nodes
	}
	for _, child := range nodes {
		if _, ok := child.(constant); !ok {
			return n
		}
	}
	return constant{n.render(nil)}
}

// renderer is one rendering.
type renderer struct {
	activation *activation
	export     export
	errors     errorCollector
}

func (c constant) render(*renderer) any { return clone(c.value) }

func (e expression) render(r *renderer) any {
	out, f := e.program.eval(r.activation)
	if f == nil {
		var value any
		if value, f = r.export.value(out); f == nil {
			return value
		}
	}
	r.errors.add(e.site.place(f, e.program.source))
	return nil
}

func (t text) render(r *renderer) any {
	var b strings.Builder
	for _, p := range t {
		if p.program == nil {
			b.WriteString(p.literal)
			continue
		}
		out, f := p.program.eval(r.activation)
		if f == nil {
			var written string
			if written, f = r.export.text(out); f == nil {
				b.WriteString(written)
				continue
			}
		}
		r.errors.add(p.site.place(f, p.program.source))
	}
	return b.String()
}

func (l list) render(r *renderer) any {
	out := make([]any, len(l))
	for i, n := range l {
		out[i] = n.render(r)
	}
	return out
}

func (o object) render(r *renderer) any {
	out := make(map[string]any, len(o.keys))
	for i, key := range o.keys {
		if o.nodes[i] != nil {
			out[key] = o.nodes[i].render(r)
		}
	}
	return out
}

func clone(value any) any {
	switch v := value.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = clone(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = clone(v[key])
		}
		return out
	}
	return value
}
