package expression

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"

	"github.com/queueyard/queueyard/pkg/params"
)

// Values are what the declared names stand for, as decoded JSON. They are read only.
type Values struct {
	Params     map[string]any
	Globals    map[string]any
	Operations map[string]OperationValues
	Variables  map[string]any
}

// OperationValues are the results of an operation so far.
type OperationValues struct {
	Status  string
	Outputs map[string]any
	Params  map[string]any
	// Results are those of its children, each a map.
	Results []any
}

// activation is what one rendering looks up, and what it has taken so far.
type activation struct {
	bindings map[string]binding
	values   *Values
	budget   budget
	ctx      context.Context
	// weight is the size of the expression that is evaluated, steps count those of its loops.
	weight, steps int
}

func (e *Environment) activate(ctx context.Context, values *Values) *activation {
	return &activation{bindings: e.bindings, values: values, budget: budget{maxCost}, ctx: ctx}
}

// These names no expression can write. CEL asks for the first after every step of a loop.
const (
	interruptedName = "#interrupted"
	selfName        = "#activation"
)

// Parent is none.
func (a *activation) Parent() interpreter.Activation { return nil }

// ResolveName is the value of a declared name, or an error that says which value is missing.
func (a *activation) ResolveName(name string) (any, bool) {
	b, ok := a.bindings[name]
	if !ok {
		switch name {
		case interruptedName:
			return a.step(), true
		case selfName:
			return a, true
		}
		return nil, false
	}
	value, f := a.resolve(b)
	if f != nil {
		return types.WrapErr(f), true
	}
	return value, true
}

// step tells whether a loop must stop.
func (a *activation) step() bool {
	a.steps++
	return a.budget.charge(a.weight) != nil || a.steps%lookEvery == 0 && a.ctx.Err() != nil
}

func budgetOf(vars interpreter.Activation) *budget {
	a, ok := vars.(*activation)
	if !ok {
		found, _ := vars.ResolveName(selfName)
		a = found.(*activation)
	}
	return &a.budget
}

func (a *activation) resolve(b binding) (any, *fault) {
	switch b.root {
	case paramsRoot:
		return a.member(b, a.values.Params)
	case globalsRoot:
		return a.member(b, a.values.Globals)
	case opsRoot:
		return a.operation(b)
	}
	value, ok := a.values.Variables[b.name]
	if !ok {
		return nil, missing(b.name)
	}
	return typed(b.name, value, b.declared)
}

func (a *activation) member(b binding, values map[string]any) (any, *fault) {
	if b.name != "" {
		value, ok := values[b.name]
		if !ok || value == nil && b.declared != params.Any && b.declared != "" {
			return nil, missing(spell(b.root, b.name))
		}
		if plain(value, b.declared) {
			return value, nil
		}
		return typed(spell(b.root, b.name), value, b.declared)
	}
	all := make(map[string]any, len(values))
	for name, value := range values {
		declared, ok := a.bindings[b.root+"."+name]
		if !ok || value == nil && declared.declared != params.Any && declared.declared != "" {
			continue
		}
		value, f := typed(spell(b.root, name), value, declared.declared)
		if f != nil {
			return nil, f
		}
		all[name] = value
	}
	return all, nil
}

func (a *activation) operation(b binding) (any, *fault) {
	operation, ok := a.values.Operations[b.name]
	if !ok {
		return nil, &fault{message: spell(opsRoot, b.name) + " has no results yet", remedy: fmt.Sprintf("let this operation depend on %s", b.name)}
	}
	switch b.field {
	case outputsField:
		return some(operation.Outputs), nil
	case paramsField:
		return some(operation.Params), nil
	case statusField:
		return operation.Status, nil
	case resultsField:
		if operation.Results == nil {
			return []any{}, nil
		}
		return operation.Results, nil
	}
	return map[string]any{outputsField: some(operation.Outputs), paramsField: some(operation.Params), statusField: operation.Status}, nil
}

func some(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

func missing(name string) *fault {
	return &fault{message: name + " has no value", remedy: "give it one, or a default"}
}

// plain tells whether a value is of the declared type without a look inside.
func plain(value any, t Type) bool {
	switch value.(type) {
	case string:
		return t == params.String
	case bool:
		return t == params.Bool
	case int64:
		return t == params.Int
	case float64:
		return t == params.Float
	}
	return false
}

// typed is the value as its declared type: the checker relied on it.
func typed(name string, value any, t Type) (any, *fault) {
	native := value
	if number, ok := value.(json.Number); ok && t == params.Float {
		if f, err := params.FloatOf(number); err == nil {
			return f, nil
		}
	}
	if v := (adapter{}).NativeToValue(value); types.IsError(v) {
		f := asFault(v.(*types.Err))
		return nil, &fault{message: name + ": " + f.message, remedy: f.remedy}
	} else if i, ok := v.(types.Int); ok {
		native = int64(i)
	} else if d, ok := v.(types.Double); ok {
		native = float64(d)
	}
	converted, ok := params.As(native, t)
	if !ok {
		return nil, &fault{message: fmt.Sprintf("%s is declared as %s and has the value %s", name, params.Describe(t), params.Quote(value)), remedy: fmt.Sprintf("give it %s", params.Describe(t))}
	}
	return converted, nil
}

// absent finds, along a chain of names, the first that has no value, and tells what there is in its place.
func (a *activation) absent(along access) (name access, present []string, ok bool) {
	var in any
	first := 0
	switch along.root {
	case paramsRoot:
		in = a.values.Params
	case globalsRoot:
		in = a.values.Globals
	case opsRoot:
		if in, _ = a.operation(binding{name: along.names[0]}); in == nil {
			return access{}, nil, false
		}
		first = 1
	default:
		in = a.values.Variables[along.root]
	}
	for i := first; i < len(along.names); i++ {
		m, isMap := in.(map[string]any)
		if !isMap {
			return access{}, nil, false
		}
		if in, ok = m[along.names[i]]; !ok {
			return access{along.root, along.names[:i+1]}, slices.Sorted(maps.Keys(m)), true
		}
	}
	return access{}, nil, false
}
