package search

import (
	"encoding/json"
	"math/big"
	"strconv"
)

// Resource is what a promoted trial gets more of, such as epochs. It is given to the trial as a parameter.
type Resource struct {
	// Name of the parameter.
	Name string `json:"name"`

	// Type of its values: int (default; shares are rounded down) or float.
	Type string `json:"type,omitempty"`
}

// defaultEta is how many trials one is promoted of.
const defaultEta = 3

// ladder is how much of the resource the rungs give, from the least to all of it: most, most/eta, most/eta²
// and so on, while that is at least least. Powers are integers, as floating logarithms lose a rung where most
// is a power of eta.
func ladder(most, least, eta int64, float bool) []json.RawMessage {
	var rungs []json.RawMessage
	power := int64(1)
	for {
		text := strconv.FormatInt(most/power, 10)
		if float {
			share, _ := big.NewRat(most, power).Float64()
			text = formatFloat(share)
		}
		rungs = append([]json.RawMessage{json.RawMessage(text)}, rungs...)
		if power > most/least/eta {
			return rungs
		}
		power *= eta
	}
}

// checkLadder says what is wrong with the numbers of successive halving, and gives eta its default.
func checkLadder(most int64, eta *int64, r Resource, params map[string]Param, errs *problems) int64 {
	if most < 1 || most > MaxTrials {
		errs.add("maxIterations is %d: write how much of the resource a trial gets at most, 1 to %d", most, MaxTrials)
	}
	by := int64(defaultEta)
	if eta != nil {
		by = *eta
	}
	if by < 2 || by > MaxTrials {
		errs.add("eta is %d: write of how many trials one is promoted, 2 to %d", by, MaxTrials)
	}
	if r.Name == "" {
		errs.add("resource.name is empty: write the parameter that a trial gets its share of the resource by, such as epochs")
	} else if _, taken := params[r.Name]; taken {
		errs.add("resource.name is %q, which is one of params, too: rename one of them", r.Name)
	}
	if r.Type != "" && r.Type != "int" && r.Type != "float" {
		errs.add("resource.type is %q: write int or float", clip(r.Type))
	}
	return by
}
