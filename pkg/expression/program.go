package expression

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/queueyard/queueyard/pkg/params"
)

// program is one checked expression.
type program struct {
	source     string
	result     *cel.Type
	run        cel.Program
	references References
	accesses   []access
	info       *ast.SourceInfo
	weight     int // how many nodes it has
}

// compile checks an expression, unless it did so before.
func (e *Environment) compile(source string) (*program, []*fault) {
	if found, ok := e.programs.Get(source); ok {
		return found.(*program), nil
	}
	if strings.TrimSpace(source) == "" {
		return nil, []*fault{{message: "the expression is empty", remedy: `write one, or {{ "{{" }} for the braces themselves`}}
	}
	if len(source) > MaxExpressionBytes {
		return nil, []*fault{{message: fmt.Sprintf("the expression is longer than %d bytes", MaxExpressionBytes), remedy: "make it shorter, or let the program compute it"}}
	}
	p, faults := e.check(source)
	if len(faults) == 0 {
		e.programs.Add(source, p)
	}
	return p, faults
}

func (e *Environment) check(source string) (*program, []*fault) {
	parsed, issues := e.env.Parse(source)
	if issues.Err() != nil {
		return nil, e.translate(nil, issues)[:1] // what follows a syntax error follows from it
	}
	tree := parsed.NativeRep()
	names := &namer{declared: &e.declared, info: tree.SourceInfo(), local: map[string]int{}}
	names.walk(tree.Expr())
	if len(names.faults) > 0 {
		return nil, names.faults
	}
	checked, issues := e.env.Check(parsed)
	if issues.Err() != nil {
		return nil, e.translate(tree, issues)
	}
	base, err := baseEnv()
	if err != nil {
		return nil, []*fault{{message: err.Error(), remedy: "report this"}}
	}
	run, err := e.env.Program(checked, cel.CustomDecorator(base.decorate), cel.InterruptCheckFrequency(1))
	if err != nil {
		return nil, []*fault{{message: err.Error(), remedy: "correct the expression"}}
	}
	return &program{source, checked.OutputType(), run, names.references, names.accesses, checked.NativeRep().SourceInfo(), names.nodes}, nil
}

// accepts tells whether the expression may give a value of the type. What is known only when it runs may.
func (p *program) accepts(t Type) bool {
	want := celType(t)
	if want.Kind() == types.DoubleKind && p.result.Kind() == types.IntKind {
		return true
	}
	result := p.result
	if optional(result) {
		result = result.Parameters()[0]
	}
	switch want.Kind() {
	case types.ListKind, types.MapKind: // whatever they hold
		return result.Kind() == want.Kind() || result.Kind() == types.DynKind || result.Kind() == types.AnyKind
	}
	return want.IsAssignableType(result) || result.IsAssignableType(want)
}

func optional(t *cel.Type) bool { return t.TypeName() == "optional_type" && len(t.Parameters()) == 1 }

func (p *program) eval(a *activation) (ref.Val, *fault) {
	a.weight = p.weight
	out, _, err := p.run.Eval(a)
	switch {
	case a.ctx.Err() != nil:
		return nil, &fault{message: "the evaluation was interrupted (" + a.ctx.Err().Error() + ")", remedy: "it is tried again"}
	case a.budget.left < 0: // whatever || and && made of it
		return nil, tooCostly()
	case err != nil:
		return nil, p.explain(a, err)
	}
	return out, nil
}

// explain says of an evaluation's error what was wrong, and where.
func (p *program) explain(a *activation, err error) *fault {
	f := p.sentence(a, err)
	var at *types.Err
	if errors.As(err, &at) && at.NodeID() != 0 {
		location := p.info.GetStartLocation(at.NodeID())
		f.line, f.column = max(0, location.Line()-1), max(0, location.Column())
	}
	return &f
}

func (p *program) sentence(a *activation, err error) fault {
	var own *fault
	if errors.As(err, &own) {
		return *own
	}
	text := err.Error()
	if key, ok := strings.CutPrefix(text, "no such key: "); ok {
		for _, along := range p.accesses {
			if name, present, ok := a.absent(along); ok && name.names[len(name.names)-1] == key {
				return fault{
					message: fmt.Sprintf("%s has no value (there is: %s)", name, listed(present)),
					remedy:  fmt.Sprintf("give it one, or say what holds without it: %s.orValue(...)", name.optional()),
				}
			}
		}
		return fault{message: fmt.Sprintf("there is no key %q", key), remedy: fmt.Sprintf("correct it, or say what holds without it: x[?%q].orValue(...)", key)}
	}
	if index, ok := strings.CutPrefix(text, "index out of bounds: "); ok {
		return fault{message: "the list has no element " + index, remedy: fmt.Sprintf("elements count from 0; say what holds without it: x[?%s].orValue(...)", index)}
	}
	if function, ok := strings.CutPrefix(text, "no such overload: "); ok {
		return fault{message: fmt.Sprintf("the values are of types that %s does not take", readable(function)), remedy: "convert them: int(x), double(x), string(x)"}
	}
	switch text {
	case "division by zero", "divide by zero", "modulus by zero":
		return fault{message: text, remedy: "write what holds then: (x == 0 ? 0 : y / x)"}
	}
	return fault{message: text, remedy: "correct the values or the expression"}
}

// optional is the access with a question mark before its last name.
func (a access) optional() string {
	last := len(a.names) - 1
	operand := access{a.root, a.names[:last]}.String()
	if variableFormat.MatchString(a.names[last]) {
		return operand + ".?" + a.names[last]
	}
	return fmt.Sprintf("%s[?%q]", operand, a.names[last])
}

var (
	undeclared = regexp.MustCompile(`^undeclared reference to '(.*)' \(in container`)
	noOverload = regexp.MustCompile(`^found no matching overload for '(.*)' applied to '(.*)'$`)
	noFields   = regexp.MustCompile(`^type '(.*)' does not support field selection$`)
	expecting  = regexp.MustCompile(`,? expecting (\{.*|'.*'|IDENTIFIER|<EOF>)$`)
)

// translate makes sentences of the parser's and the checker's issues.
func (e *Environment) translate(tree *ast.AST, issues *cel.Issues) []*fault {
	var out []*fault
	for _, issue := range issues.Errors() {
		f := e.translateOne(tree, issue)
		f.line, f.column = max(0, issue.Location.Line()-1), max(0, issue.Location.Column())
		out = append(out, &f)
	}
	return out
}

func (e *Environment) translateOne(tree *ast.AST, issue *common.Error) fault {
	message := issue.Message
	if m := undeclared.FindStringSubmatch(message); m != nil {
		return e.unknownIdentifier(tree, issue.ExprID, strings.TrimPrefix(m[1], "."))
	}
	if m := noOverload.FindStringSubmatch(message); m != nil {
		return mismatch(m[1], m[2])
	}
	if m := noFields.FindStringSubmatch(message); m != nil {
		return fault{message: fmt.Sprintf("%s has no fields", describe(m[1])), remedy: "only maps have fields"}
	}
	if text, ok := strings.CutPrefix(message, "Syntax error: "); ok {
		text = expecting.ReplaceAllString(text, "")
		text = strings.ReplaceAll(text, "'<EOF>'", "the end")
		return fault{message: "this is no CEL expression (" + text + ")", remedy: "texts stand in quotes, names have a root: params.NAME; see https://cel.dev"}
	}
	if strings.HasPrefix(message, "expression recursion limit exceeded") {
		return fault{message: "the expression is nested too deeply", remedy: "make it simpler"}
	}
	if name, ok := strings.CutPrefix(message, "reserved identifier: "); ok {
		return fault{message: name + " is a reserved word", remedy: "use another name"}
	}
	return fault{message: message, remedy: "correct the expression"}
}

// mismatch says that types do not fit a function, and what most likely helps.
func mismatch(function, signature string) fault {
	name := readable(function)
	signature = clip(readableTypes(signature))
	message := fmt.Sprintf("%s does not take %s", name, signature)
	remedy := "convert the values: int(x), double(x), string(x)"
	has := func(t string) bool { return regexp.MustCompile(`\b` + t + `\b`).MatchString(signature) }
	switch {
	case function == "_[_]":
		remedy = "lists take an index, maps a key"
	case has("int") && has("float") && !has("string"):
		remedy = "write the whole number as a float: 2.0, or double(x)"
	case function == "_+_" && has("string"):
		remedy = "make all of it text: string(x)"
	case function == "_?_:_":
		remedy = "both results must be of one type, and the condition a bool"
	case function == "_&&_", function == "_||_", function == "!_":
		remedy = "compare first: x > 0"
	}
	return fault{message: message, remedy: remedy}
}

var typeNames = strings.NewReplacer("double", "float", "map(string, dyn)", "map", "list(dyn)", "list", "dyn", "any", "null_type", "null", "optional_type", "optional", "google.protobuf.Timestamp", "timestamp", "google.protobuf.Duration", "duration")

func readableTypes(signature string) string { return typeNames.Replace(signature) }

func describe(celName string) string { return params.Describe(Type(readableTypes(celName))) }

// readable is a function as one writes it: + for _+_.
func readable(function string) string {
	switch function {
	case "_[_]":
		return "[]"
	case "_?_:_":
		return "?:"
	}
	name := strings.Trim(function, "_@")
	if name == "" {
		return function
	}
	return name
}
