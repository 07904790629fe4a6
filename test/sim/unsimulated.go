package sim

import (
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/yaml"
)

// simulated is the fields of each kind's spec that a simulation obeys, or that cannot change it.
var simulated = map[string][]string{
	"Agent":        {"concurrency"},
	"Queue":        {"agent", "priority", "concurrency", "guaranteed", "quota.resources", "strategy", "state"},
	"Project":      {"organization", "defaultQueue", "allowedQueues", "namespaces", "concurrency", "quota.resources"},
	"Organization": {"defaultQueue", "concurrency", "quota.resources"},
}

// noteUnsimulated notes the fields of an object that a simulation does not obey: whoever reads its
// report must know that they were set.
func (p *Plan) noteUnsimulated(document []byte) error {
	var object struct {
		Kind     string
		Metadata struct{ Name string }
		Spec     map[string]any
	}
	if err := yaml.Unmarshal(document, &object); err != nil {
		return err
	}
	set := maps.Clone(object.Spec)
	if quota, ok := set["quota"].(map[string]any); ok {
		delete(set, "quota")
		for field, value := range quota {
			set["quota."+field] = value
		}
	}
	for _, field := range slices.Sorted(maps.Keys(set)) {
		if set[field] != nil && !slices.Contains(simulated[object.Kind], field) {
			p.Unsimulated = append(p.Unsimulated, fmt.Sprintf("%s %s: spec.%s", object.Kind, object.Metadata.Name, field))
		}
	}
	return nil
}
