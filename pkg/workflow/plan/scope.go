package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/expression"
	"github.com/queueyard/queueyard/pkg/params"
)

// Globals are what expressions of a workflow see as globals.NAME. Those of its operations see others, of the operation.
var globals = map[string]expression.Type{
	"name": params.String, "namespace": params.String, "uid": params.String, "queue": params.String, "project": params.String,
}

// exitGlobals are what onExit sees besides.
var exitGlobals = map[string]expression.Type{"status": params.String, "message": params.String}

// types are the params that are seen at some place, by name.
type types map[string]expression.Type

// with adds params whose types nobody declared.
func (t types) with(names ...string) types {
	out := maps.Clone(t)
	if out == nil {
		out = types{}
	}
	for _, name := range names {
		out[name] = params.Any
	}
	return out
}

// declared gives what is seen inside a template: also its inputs, by their types. missing are inputs that nothing gives.
func (t types) declared(inputs []v1alpha1.Input) (inside types, missing []string) {
	inside = t.with()
	for _, input := range inputs {
		if _, given := t[input.Name]; !given && input.Default == nil {
			missing = append(missing, input.Name)
		}
		inside[input.Name] = input.Type
	}
	return inside, missing
}

func (t types) names() []string { return slices.Sorted(maps.Keys(t)) }

// scope is the params that are seen at some place, as decoded JSON.
type scope map[string]any

// scopeOf is what a workflow was given.
func scopeOf(w *v1alpha1.Workflow) (scope, error) {
	if len(w.Spec.Inputs) > 0 {
		values, errs := params.Resolve(w.Spec.Inputs, w.Spec.Params, "spec.params")
		return values, errs.Err()
	}
	return decode(w.Spec.Params, "spec.params")
}

func decode(values v1alpha1.Values, path string) (map[string]any, error) {
	out := make(map[string]any, len(values))
	for name, raw := range values {
		value, err := params.Decode(raw.Raw)
		if err != nil {
			return nil, fmt.Errorf("%s.%s %w", path, name, err)
		}
		out[name] = value
	}
	return out, nil
}

// inside is what is seen in a template: its inputs have their declared types and defaults.
func (s scope) inside(inputs []v1alpha1.Input, path string) (scope, error) {
	if len(inputs) == 0 {
		return s, nil
	}
	given, known := v1alpha1.Values{}, make([]v1alpha1.Input, 0, len(inputs))
	for _, input := range inputs {
		value, ok := s[input.Name]
		if _, is := value.(open); is {
			continue
		}
		known = append(known, input)
		if ok {
			raw, err := encode(value)
			if err != nil {
				return nil, err
			}
			given[input.Name] = raw
		}
	}
	resolved, errs := params.Resolve(known, given, path)
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return s.with(resolved), nil
}

func (s scope) with(values map[string]any) scope {
	out := make(scope, len(s)+len(values))
	maps.Copy(out, s)
	maps.Copy(out, values)
	return out
}

// open is the value of a param that depends on what comes of others: the expression that will give it.
type open string

// open are the named ones that are not known yet.
func (s scope) open(names []string) map[string]string {
	var out map[string]string
	for _, name := range names {
		if value, is := s[name].(open); is {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = string(value)
		}
	}
	return out
}

// only are the named ones of those that there are and that are known.
func (s scope) only(names []string) (v1alpha1.Values, error) {
	out := v1alpha1.Values{}
	for _, name := range names {
		value, ok := s[name]
		if _, is := value.(open); ok && !is {
			raw, err := encode(value)
			if err != nil {
				return nil, err
			}
			out[name] = raw
		}
	}
	return out, nil
}

func encode(value any) (apiextensionsv1.JSON, error) {
	raw, err := json.Marshal(value)
	return apiextensionsv1.JSON{Raw: raw}, err
}

// tree is values as the decoded JSON object that expressions are compiled in.
func tree(values v1alpha1.Values, path string) (map[string]any, error) { return decode(values, path) }
