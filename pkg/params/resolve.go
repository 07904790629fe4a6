package params

import (
	"fmt"
	"maps"
	"slices"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/suggest"
)

// Resolve gives every declared param its value: the one given, else its default. path is where the given
// params stand. Values are decoded JSON of the declared types.
func Resolve(inputs []v1alpha1.Input, given v1alpha1.Values, path string) (map[string]any, ErrorList) {
	var errs ErrorList
	values := make(map[string]any, len(inputs))
	names := make([]string, 0, len(inputs))
	for i := range inputs {
		input := &inputs[i]
		names = append(names, input.Name)
		at := path + "." + input.Name
		d, err := declare(input)
		if err != nil { // which Validate tells where it can be corrected
			errs = append(errs, &Error{at, fmt.Sprintf("param %q is declared wrongly: %s", input.Name, err.Message), err.Remedy})
			continue
		}
		raw, ok := given[input.Name]
		if !ok || isNull(raw.Raw) && d.kind != Any {
			if !d.hasDefault {
				errs = append(errs, &Error{at, fmt.Sprintf("param %q is missing", input.Name), fmt.Sprintf("give it %s", d.accepts())})
				continue
			}
			values[input.Name] = d.fallback
			continue
		}
		value, e := d.read(raw.Raw)
		if e != nil {
			errs = append(errs, &Error{at, fmt.Sprintf("param %q %s", input.Name, e.Message), e.Remedy})
			continue
		}
		values[input.Name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(names, name) {
			remedy := "remove it, or declare it as an input"
			if name == "true" || name == "false" {
				remedy = "YAML reads names such as y, n, yes, no, on and off so: write the name in quotes"
			}
			errs = append(errs, &Error{path + "." + name, fmt.Sprintf("there is no param %q%s", name, suggest.DidYouMean(name, names)), remedy})
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return values, nil
}

// Validate tells what is wrong with declarations by themselves. path is where they stand.
func Validate(inputs []v1alpha1.Input, path string) ErrorList {
	var errs ErrorList
	seen := map[string]bool{}
	for i := range inputs {
		at := fmt.Sprintf("%s[%d]", path, i)
		if seen[inputs[i].Name] {
			errs = append(errs, &Error{at + ".name", fmt.Sprintf("input %q is declared twice", inputs[i].Name), "remove one of them"})
			continue
		}
		seen[inputs[i].Name] = true
		if _, err := declare(&inputs[i]); err != nil {
			errs = append(errs, &Error{at + err.Path, fmt.Sprintf("input %q: %s", inputs[i].Name, err.Message), err.Remedy})
		}
	}
	return errs
}

// TypesOf are the declared types by name, as expressions are checked against.
func TypesOf(inputs []v1alpha1.Input) map[string]Type {
	types := make(map[string]Type, len(inputs))
	for _, input := range inputs {
		types[input.Name] = input.Type
	}
	return types
}

func isNull(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }
