package expression

import (
	"context"
	"fmt"

	"github.com/google/cel-go/common/types"

	"github.com/queueyard/queueyard/pkg/params"
)

// Condition is a checked expression that is true or false.
type Condition struct {
	environment *Environment
	program     *program
	site        site
}

// CompileCondition checks a condition. It may stand between {{ }}, as templates write expressions, or alone.
func CompileCondition(source, path string, e *Environment) (*Condition, ErrorList) {
	p, at, errs := compileAlone(source, path, e)
	if len(errs) > 0 {
		return nil, errs
	}
	if !p.accepts(params.Bool) || optional(p.result) {
		f := &fault{message: fmt.Sprintf("a condition is true or false, and this is %s", describe(p.result.String())), remedy: "compare it with something: x > 0"}
		return nil, ErrorList{at.place(f, p.source)}
	}
	return &Condition{e, p, at}, nil
}

// References are the names that it uses. The caller may keep them.
func (c *Condition) References() References { return c.program.references.clone() }

// Evaluate tells whether the condition holds.
func (c *Condition) Evaluate(ctx context.Context, values Values) (bool, error) {
	out, f := c.program.eval(c.environment.activate(ctx, &values))
	if f == nil {
		if holds, ok := out.(types.Bool); ok {
			return bool(holds), nil
		}
		f = &fault{message: fmt.Sprintf("a condition is true or false, and this is %s", describe(out.Type().TypeName())), remedy: "compare it with something: x > 0"}
	}
	return false, c.site.place(f, c.program.source)
}

// Expression is a checked expression by itself, such as the list that a map of a workflow runs over.
type Expression struct {
	environment *Environment
	program     *program
	site        site
	want        Type
}

// CompileExpression checks an expression that must give a value of a type. It may stand between {{ }} or alone.
func CompileExpression(source, path string, e *Environment, want Type) (*Expression, ErrorList) {
	p, at, errs := compileAlone(source, path, e)
	if len(errs) > 0 {
		return nil, errs
	}
	if !p.accepts(want) {
		return nil, ErrorList{at.place(contradiction(want, describe(p.result.String())), p.source)}
	}
	return &Expression{e, p, at, want}, nil
}

// References are the names that it uses. The caller may keep them.
func (x *Expression) References() References { return x.program.references.clone() }

// Evaluate gives the value as decoded JSON.
func (x *Expression) Evaluate(ctx context.Context, values Values) (any, error) {
	out, f := x.program.eval(x.environment.activate(ctx, &values))
	if f == nil {
		var value any
		if value, f = (&export{left: MaxRenderedBytes}).value(out); f == nil {
			if typed, ok := params.As(value, x.want); ok {
				return typed, nil
			}
			f = contradiction(x.want, params.Quote(value))
		}
	}
	return nil, x.site.place(f, x.program.source)
}

func contradiction(want Type, got string) *fault {
	return &fault{message: fmt.Sprintf("%s is expected here, and this is %s", params.Describe(want), got), remedy: "convert it, or correct the expression"}
}

func compileAlone(source, path string, e *Environment) (*program, site, ErrorList) {
	at := site{path: path}
	pieces, whole, bad := split(source)
	if bad == nil && whole {
		source, at = pieces[0].text, site{path, pieces[0].line, pieces[0].column}
	}
	p, faults := e.compile(source)
	var errs errorCollector
	for _, f := range faults {
		errs.add(at.place(f, source))
	}
	return p, at, errs.list()
}
