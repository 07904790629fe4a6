package operation

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// environment is what a pod template gets besides what it says, in the form of Kubernetes' own trees.
type environment struct {
	metadata, spec map[string]any
	variables      []any
}

func environmentOf(e *v1alpha1.Environment) (environment, error) {
	if e == nil {
		return environment{}, nil
	}
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(e)
	if err != nil {
		return environment{}, err
	}
	of := environment{metadata: map[string]any{}, spec: map[string]any{}}
	for field, value := range tree {
		switch field {
		case "labels", "annotations":
			of.metadata[field] = value
		case "env":
			of.variables, _ = value.([]any)
		default:
			of.spec[field] = value
		}
	}
	return of, nil
}

// addTo adds it to a pod template, or to a pod. What is of another type than it should be is left for
// whoever decodes the template to say.
func (e environment) addTo(template map[string]any) {
	spec, ok := template["spec"].(map[string]any)
	if !ok {
		return
	}
	if len(e.metadata) > 0 && template["metadata"] == nil {
		template["metadata"] = map[string]any{}
	}
	if metadata, ok := template["metadata"].(map[string]any); ok {
		addFields(metadata, e.metadata)
	}
	addFields(spec, e.spec)
	for _, field := range []string{"initContainers", "containers"} {
		containers, _ := spec[field].([]any)
		for _, c := range containers {
			if container, ok := c.(map[string]any); ok && len(e.variables) > 0 {
				// First, so that what the template says may use them.
				container["env"] = addItems(slices.Clone(e.variables), container["env"], true)
			}
		}
	}
}

// addFields adds fields: of maps the keys, of lists the items that are not there.
func addFields(to, more map[string]any) {
	for field, value := range more {
		switch given := to[field].(type) {
		case nil:
			to[field] = runtime.DeepCopyJSONValue(value)
		case map[string]any:
			extra, _ := value.(map[string]any)
			for key := range extra {
				if _, has := given[key]; !has {
					given[key] = extra[key]
				}
			}
		case []any:
			extra, _ := value.([]any)
			to[field] = addItems(slices.Clone(extra), given, false)
		}
	}
}

// addItems joins a list with what a template gives. What the template has, too, is not taken from the list:
// items of the same name are, and those without a name that are equal.
func addItems(more []any, given any, moreFirst bool) any {
	if given == nil {
		return more
	}
	list, ok := given.([]any)
	if !ok {
		return given
	}
	more = slices.DeleteFunc(more, func(item any) bool {
		return slices.ContainsFunc(list, func(has any) bool { return sameItem(has, item) })
	})
	if moreFirst {
		return append(more, list...)
	}
	return append(slices.Clone(list), more...)
}

func sameItem(a, b any) bool {
	nameOf := func(item any) any {
		fields, _ := item.(map[string]any)
		return fields["name"]
	}
	if name := nameOf(b); name != nil {
		return nameOf(a) == name
	}
	return reflect.DeepEqual(a, b)
}
