package expression

import (
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"
)

// base is the language before any name is declared: CEL with its libraries, and arithmetic that mixes
// ints and floats, because a JSON number does not say which it is (1.0 comes back as 1).
type base struct {
	env *cel.Env
	// implementations are the functions by their overload's and by their own name.
	implementations map[string]*functions.Overload
}

var baseEnv = sync.OnceValues(func() (*base, error) {
	options := []cel.EnvOption{
		cel.OptionalTypes(),
		ext.Strings(ext.StringsVersion(4)),
		ext.Math(ext.MathVersion(2)),
		ext.Lists(ext.ListsVersion(3)),
		ext.Encoders(),
		ext.Sets(),
		ext.TwoVarComprehensions(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.CustomTypeAdapter(adapter{}),
	}
	for operator, name := range map[string]string{operators.Add: "add", operators.Subtract: "subtract", operators.Multiply: "multiply", operators.Divide: "divide"} {
		options = append(options, cel.Function(operator,
			cel.Overload(name+"_int64_double", []*cel.Type{types.IntType, types.DoubleType}, types.DoubleType),
			cel.Overload(name+"_double_int64", []*cel.Type{types.DoubleType, types.IntType}, types.DoubleType),
		))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	b := &base{env: env, implementations: map[string]*functions.Overload{}}
	for _, function := range env.Functions() {
		bindings, err := function.Bindings()
		if err != nil {
			return nil, err
		}
		for _, binding := range bindings {
			b.implementations[binding.Operator] = binding
		}
	}
	return b, nil
})
