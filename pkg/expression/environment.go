package expression

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"k8s.io/utils/lru"

	"github.com/queueyard/queueyard/pkg/params"
)

// Type is the declared type of a name.
type Type = params.Type

// The roots of the names that expressions know. Other variables are declared by the caller.
const (
	paramsRoot  = "params"
	globalsRoot = "globals"
	opsRoot     = "ops"
)

// What can be asked of another operation: ops.NAME.outputs and so on.
const (
	outputsField = "outputs"
	statusField  = "status"
	paramsField  = "params"
	resultsField = "results"
)

// operationTypes are their types.
var operationTypes = map[string]Type{outputsField: params.Map, paramsField: params.Map, statusField: params.String, resultsField: params.List}

var operationFields = slices.Sorted(maps.Keys(operationTypes))

// Declarations are the names that expressions may use.
type Declarations struct {
	// Params are params.NAME.
	Params map[string]Type `json:"params,omitempty"`
	// Globals are globals.NAME.
	Globals map[string]Type `json:"globals,omitempty"`
	// Operations are ops.NAME, each with outputs (a map), params (a map), status (a string) and results (a list: those
	// of its children).
	Operations []string `json:"operations,omitempty"`
	// Variables stand for themselves, such as object in the conditions of a manifest.
	Variables map[string]Type `json:"variables,omitempty"`
}

// Environment checks expressions against declarations. It is safe for concurrent use.
type Environment struct {
	declared Declarations
	env      *cel.Env
	bindings map[string]binding
	programs *lru.Cache // source to *program
}

// binding says which value a variable of CEL has.
type binding struct {
	root, name, field string
	declared          Type
}

// environments are kept because thousands of children of one workflow, and admission as well as the
// controllers, use the same one.
var environments = lru.New(cachedEnvironments)

var (
	nameFormat     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*$`)
	variableFormat = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// NewEnvironment makes an environment, or returns an earlier one with the same declarations.
func NewEnvironment(declared Declarations) (*Environment, error) {
	declared.Operations = slices.Sorted(slices.Values(declared.Operations))
	key, err := json.Marshal(declared)
	if err != nil {
		return nil, err
	}
	if found, ok := environments.Get(string(key)); ok {
		return found.(*Environment), nil
	}
	e := &Environment{
		declared: Declarations{
			Params:     maps.Clone(declared.Params),
			Globals:    maps.Clone(declared.Globals),
			Operations: slices.Compact(declared.Operations),
			Variables:  maps.Clone(declared.Variables),
		},
		bindings: map[string]binding{},
		programs: lru.New(cachedPrograms),
	}
	if err := e.bind(); err != nil {
		return nil, err
	}
	options := make([]cel.EnvOption, 0, len(e.bindings))
	for _, name := range slices.Sorted(maps.Keys(e.bindings)) {
		options = append(options, cel.Variable(name, celType(e.bindings[name].declared)))
	}
	base, err := baseEnv()
	if err != nil {
		return nil, err
	}
	if e.env, err = base.env.Extend(options...); err != nil {
		return nil, fmt.Errorf("declaring the names of expressions: %w", err)
	}
	environments.Add(string(key), e)
	return e, nil
}

// bind declares every name twice over: params as a map, which has() and loops need, and params.NAME with
// its type, which the checker prefers.
func (e *Environment) bind() error {
	for root, names := range map[string]map[string]Type{paramsRoot: e.declared.Params, globalsRoot: e.declared.Globals} {
		e.bindings[root] = binding{root: root, declared: params.Map}
		for name, t := range names {
			if !nameFormat.MatchString(name) {
				return fmt.Errorf("%s may not be named %q: use letters, digits, - and _", root, name)
			}
			if !slices.Contains(params.Types, t) && t != "" {
				return fmt.Errorf("%s.%s has the unknown type %q: use one of %v", root, name, t, params.Types)
			}
			e.bindings[root+"."+name] = binding{root: root, name: name, declared: t}
		}
	}
	for _, name := range e.declared.Operations {
		if !nameFormat.MatchString(name) {
			return fmt.Errorf("an operation may not be named %q: use letters, digits, - and _", name)
		}
		e.bindings[opsRoot+"."+name] = binding{root: opsRoot, name: name, declared: params.Map}
		for field, t := range operationTypes {
			e.bindings[opsRoot+"."+name+"."+field] = binding{root: opsRoot, name: name, field: field, declared: t}
		}
	}
	for name, t := range e.declared.Variables {
		if !variableFormat.MatchString(name) || isRoot(name) {
			return fmt.Errorf("a variable may not be named %q: use letters, digits and _, and none of params, globals, ops", name)
		}
		e.bindings[name] = binding{name: name, declared: t}
	}
	return nil
}

func isRoot(name string) bool { return name == paramsRoot || name == globalsRoot || name == opsRoot }

func celType(t Type) *cel.Type {
	switch t {
	case params.String:
		return cel.StringType
	case params.Int:
		return cel.IntType
	case params.Float:
		return cel.DoubleType
	case params.Bool:
		return cel.BoolType
	case params.List:
		return cel.ListType(cel.DynType)
	case params.Map:
		return cel.MapType(cel.StringType, cel.DynType)
	}
	return cel.DynType
}

// spell writes an access as an expression would: params.lr, ops["train-model"].
func spell(operand, name string) string {
	if variableFormat.MatchString(name) {
		return operand + "." + name
	}
	return fmt.Sprintf("%s[%q]", operand, name)
}

func listed(names []string) string {
	const most = 8
	if len(names) == 0 {
		return "none"
	}
	text := strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}
