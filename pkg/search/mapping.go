package search

import (
	"encoding/json"
	"maps"
)

func newMapping(m *Mapping) (Algorithm, error) {
	errs := problems{prefix: "mapping."}
	values := make([]map[string]json.RawMessage, len(m.Values))
	for i, raw := range m.Values {
		if err := json.Unmarshal(raw, &values[i]); err != nil || values[i] == nil {
			errs.add(`values[%d] is %s: write an object such as {"lr": 0.1}`, i, clip(string(raw)))
		}
	}
	if len(values) > MaxTrials {
		errs.add("values has %d trials: a search has %d at most", len(values), MaxTrials)
	}
	if err := errs.err(); err != nil {
		return nil, err
	}
	return &fixed{
		total: int64(len(values)),
		trial: func(i int64) (map[string]json.RawMessage, bool) { return maps.Clone(values[i]), true },
		whole: "mapping",
	}, nil
}
