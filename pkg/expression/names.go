package expression

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"

	"github.com/queueyard/queueyard/pkg/suggest"
)

// References are the names that expressions use.
type References struct {
	Params, Globals, Variables []string
	// Operations are the other operations whose results are used.
	Operations map[string]OperationUse
}

// OperationUse says what of an operation is used.
type OperationUse struct{ Outputs, Params, Status, Results bool }

func (r *References) merge(other References) {
	r.Params = union(r.Params, other.Params...)
	r.Globals = union(r.Globals, other.Globals...)
	r.Variables = union(r.Variables, other.Variables...)
	for name, use := range other.Operations {
		r.use(name, use)
	}
}

func (r *References) use(name string, use OperationUse) {
	if r.Operations == nil {
		r.Operations = map[string]OperationUse{}
	}
	before := r.Operations[name]
	r.Operations[name] = OperationUse{before.Outputs || use.Outputs, before.Params || use.Params, before.Status || use.Status, before.Results || use.Results}
}

func (r *References) clone() References {
	return References{slices.Clone(r.Params), slices.Clone(r.Globals), slices.Clone(r.Variables), maps.Clone(r.Operations)}
}

// union keeps the names sorted.
func union(names []string, more ...string) []string {
	for _, name := range more {
		if i, found := slices.BinarySearch(names, name); !found {
			names = slices.Insert(names, i, name)
		}
	}
	return names
}

// access is a chain of literal names after a root: ops.A.outputs.acc.
type access struct {
	root  string
	names []string
}

func (a access) String() string {
	text := a.root
	for _, name := range a.names {
		text = spell(text, name)
	}
	return text
}

// namer finds the names in a parsed expression, checks those after a root, which CEL's checker would take
// for keys of a map, and writes params["lr"] as params.lr so that it has its type too.
type namer struct {
	declared   *Declarations
	info       *ast.SourceInfo
	references References
	accesses   []access
	faults     []*fault
	local      map[string]int // loop variables in scope
	nodes      int
	nesting    int // of what makes a type of another type
}

func (n *namer) walk(e ast.Expr) {
	n.nodes++
	if nests(e) {
		if n.nesting == maxNesting {
			n.fault(e, fmt.Sprintf("the expression has lists, maps, loops or optional values nested more than %d deep", maxNesting), "make it simpler, or let the program compute it")
			return
		}
		n.nesting++
		defer func() { n.nesting-- }()
	}
	if chain, ok := n.chain(e); ok {
		n.access(chain)
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		n.walk(e.AsSelect().Operand())
	case ast.CallKind:
		if call := e.AsCall(); call.IsMemberFunction() {
			n.walk(call.Target())
		}
		for _, arg := range e.AsCall().Args() {
			n.walk(arg)
		}
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			n.walk(element)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			n.walk(entry.AsMapEntry().Key())
			n.walk(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			n.walk(field.AsStructField().Value())
		}
	case ast.ComprehensionKind:
		n.comprehension(e.AsComprehension())
	}
}

// nests says whether the type of an expression is made of that of another, such as a list of a list.
func nests(e ast.Expr) bool {
	switch e.Kind() {
	case ast.ListKind, ast.MapKind, ast.ComprehensionKind:
		return true
	case ast.CallKind:
		switch e.AsCall().FunctionName() {
		case "of", "ofNonZeroValue", "type": // of optional
			return true
		}
	}
	return false
}

func (n *namer) comprehension(c ast.ComprehensionExpr) {
	n.walk(c.IterRange())
	n.walk(c.AccuInit())
	scope := []string{c.IterVar(), c.IterVar2(), c.AccuVar()}
	for _, name := range scope {
		if isRoot(name) {
			n.fault(c.IterRange(), fmt.Sprintf("%s may not be the variable of a loop", name), "use another name for it")
			return
		}
		n.local[name]++
	}
	n.walk(c.LoopCondition())
	n.walk(c.LoopStep())
	n.walk(c.Result())
	for _, name := range scope {
		n.local[name]--
	}
}

// step is one access of a chain: a name after a dot or between brackets.
type step struct {
	expr     ast.Expr
	name     string
	optional bool
}

type chain struct {
	root  ast.Expr
	steps []step
}

// chain is e as a chain of literal names after a root or a variable.
func (n *namer) chain(e ast.Expr) (chain, bool) {
	var steps []step
	for {
		if e.Kind() == ast.IdentKind {
			slices.Reverse(steps)
			_, variable := n.declared.Variables[e.AsIdent()]
			return chain{e, steps}, isRoot(e.AsIdent()) || variable && n.local[e.AsIdent()] == 0
		}
		operand, s, ok := accessed(e)
		if !ok {
			return chain{}, false
		}
		e, steps = operand, append(steps, s)
	}
}

func accessed(e ast.Expr) (operand ast.Expr, s step, ok bool) {
	switch e.Kind() {
	case ast.SelectKind:
		return e.AsSelect().Operand(), step{expr: e, name: e.AsSelect().FieldName()}, true
	case ast.CallKind:
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Index, operators.OptIndex, operators.OptSelect:
			if key := call.Args()[1]; key.Kind() == ast.LiteralKind {
				if name, ok := key.AsLiteral().(types.String); ok {
					return call.Args()[0], step{e, string(name), call.FunctionName() != operators.Index}, true
				}
			}
		}
	}
	return nil, step{}, false
}

func (n *namer) access(c chain) {
	root := c.root.AsIdent()
	a := access{root: root}
	for _, s := range c.steps {
		a.names = append(a.names, s.name)
	}
	n.accesses = append(n.accesses, a)
	if root == opsRoot {
		n.operation(c, a.names)
		return
	}
	if !isRoot(root) {
		n.references.Variables = union(n.references.Variables, root)
		return
	}
	declared, used := n.declared.Params, &n.references.Params
	if root == globalsRoot {
		declared, used = n.declared.Globals, &n.references.Globals
	}
	known := slices.Sorted(maps.Keys(declared))
	if len(c.steps) == 0 { // all of them
		*used = union(*used, known...)
		return
	}
	if _, ok := declared[a.names[0]]; !ok {
		n.unknown(c.root, root, a.names[0], known)
		return
	}
	*used = union(*used, a.names[0])
	dot(c.steps[0])
}

func (n *namer) operation(c chain, names []string) {
	if len(names) == 0 || c.steps[0].optional {
		n.fault(c.root, "ops is no value of its own", "write ops.NAME.outputs, .params, .status or .results of one of: "+listed(n.declared.Operations))
		return
	}
	if !slices.Contains(n.declared.Operations, names[0]) {
		n.unknown(c.root, opsRoot, names[0], n.declared.Operations)
		return
	}
	dot(c.steps[0])
	use := OperationUse{Outputs: true, Params: true, Status: true}
	if len(names) > 1 {
		use = OperationUse{names[1] == outputsField, names[1] == paramsField, names[1] == statusField, names[1] == resultsField}
		if use == (OperationUse{}) {
			n.unknown(c.root, spell(opsRoot, names[0]), names[1], operationFields)
			return
		}
		dot(c.steps[1])
	}
	n.references.use(names[0], use)
}

// dot writes operand["name"] as operand.name.
func dot(s step) {
	if s.expr.Kind() == ast.CallKind && !s.optional {
		s.expr.SetKindCase(ast.NewExprFactory().NewSelect(s.expr.ID(), s.expr.AsCall().Args()[0], s.name))
	}
}

func (n *namer) unknown(at ast.Expr, operand, name string, known []string) {
	message := spell(operand, name) + " does not exist"
	if nearest, ok := suggest.Nearest(name, known); ok {
		message += fmt.Sprintf(" (did you mean %s?)", spell(operand, nearest))
	}
	for _, candidate := range known { // train-model is read as train minus model
		if strings.HasPrefix(candidate, name+"-") {
			n.fault(at, message, "a name with a hyphen stands between brackets: "+spell(operand, candidate))
			return
		}
	}
	remedy := "declare it, or use one of: " + listed(known)
	switch {
	case operand != opsRoot && operand != paramsRoot && len(known) > 0:
		remedy = "use one of: " + listed(known)
	case operand == opsRoot && len(known) > 0:
		remedy = "name an operation of this workflow: " + listed(known)
	case operand == opsRoot:
		remedy = "only operations of a workflow have others to refer to"
	case len(known) == 0:
		remedy = "nothing is declared in " + operand
	}
	if operand == paramsRoot && (slices.Contains(known, "true") || slices.Contains(known, "false")) {
		remedy += "; YAML reads names such as y, n, yes, no, on and off as true or false: write the name in quotes where it is given"
	}
	n.fault(at, message, remedy)
}

func (n *namer) fault(at ast.Expr, message, remedy string) {
	location := n.info.GetStartLocation(at.ID())
	n.faults = append(n.faults, &fault{max(0, location.Line()-1), max(0, location.Column()), message, remedy})
}

// unknownIdentifier says of a name without a root, or of a function, what was probably meant.
func (e *Environment) unknownIdentifier(tree *ast.AST, id int64, name string) fault {
	if node, ok := find(tree, id); ok && node.Kind() == ast.CallKind {
		functions := slices.Collect(maps.Keys(e.env.Functions()))
		functions = slices.DeleteFunc(functions, func(f string) bool { return strings.ContainsAny(f, "@_") })
		return fault{message: fmt.Sprintf("there is no function %s%s", name, suggest.DidYouMean(name, functions)), remedy: "docs/expressions.md lists those that there are"}
	}
	if _, ok := e.declared.Params[name]; ok {
		return fault{message: name + " is not known by itself", remedy: "write " + spell(paramsRoot, name)}
	}
	if _, ok := e.declared.Globals[name]; ok {
		return fault{message: name + " is not known by itself", remedy: "write " + spell(globalsRoot, name)}
	}
	if slices.Contains(e.declared.Operations, name) {
		return fault{message: name + " is not known by itself", remedy: "write " + spell(opsRoot, name) + ".outputs"}
	}
	known := append([]string{paramsRoot, globalsRoot, opsRoot}, slices.Sorted(maps.Keys(e.declared.Variables))...)
	return fault{message: name + " is not known" + suggest.DidYouMean(name, known), remedy: "use one of: " + listed(known) + "; a text stands in quotes"}
}

func find(tree *ast.AST, id int64) (ast.Expr, bool) {
	var found ast.Expr
	if tree != nil {
		ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
			if e.ID() == id {
				found = e
			}
		}))
	}
	return found, found != nil
}
