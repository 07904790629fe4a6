package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/queueyard/queueyard/pkg/suggest"
)

// Param is a parameter of a search and the values it can have.
type Param struct {
	// Kind of its distribution, such as choice or uniform.
	Kind string `json:"kind"`

	// Value has the distribution's numbers as a list, an object, or one string "a:b:c"; of choice and
	// pchoice the list of values.
	Value json.RawMessage `json:"value"`
}

// distribution is what a parameter can be. Values are JSON.
type distribution interface {
	// draw takes a value at random.
	draw(s *stream) string
	// shape says how its values lie.
	shape() shape
	// size is how many different values there are, or 0 where they have no end.
	size() int64
	// at is the i-th of its values, where they have an end.
	at(i int64) string
	// axis is how models see it.
	axis() axis
}

type shape int

const (
	// even: single values, all equally likely. They can make a grid.
	even shape = iota
	// uneven: single values, some likelier than others.
	uneven
	// continuous: no value comes twice.
	continuous
)

// kinds make distributions of what users write.
var kinds = map[string]func(json.RawMessage) (distribution, error){
	"choice":      newChoice,
	"pchoice":     newWeighted,
	"range":       newRange,
	"linspace":    newLinspace,
	"logspace":    newLogspace,
	"geomspace":   newGeomspace,
	"uniform":     newUniform,
	"quniform":    newQUniform,
	"loguniform":  newLogUniform,
	"qloguniform": newQLogUniform,
	"normal":      newNormal,
	"qnormal":     newQNormal,
	"lognormal":   newLogNormal,
	"qlognormal":  newQLogNormal,
}

// gridKinds are those that a grid takes.
const gridKinds = "choice, range, linspace, logspace or geomspace"

// param is a parameter that was found sound.
type param struct {
	name string
	kind string
	distribution
}

// newParams reads parameters, sorted by name, or says all that is wrong with them.
func newParams(params map[string]Param, errs *problems) []param {
	if len(params) == 0 {
		errs.add("params is empty: name at least one parameter")
	}
	var out []param
	for _, name := range slices.Sorted(maps.Keys(params)) {
		p := params[name]
		if name == "" {
			errs.add("params has one without a name: give it one")
			continue
		}
		construct, known := kinds[p.Kind]
		if !known {
			all := slices.Sorted(maps.Keys(kinds))
			errs.add("params.%s.kind is %q%s: write one of %s", name, clip(p.Kind), suggest.DidYouMean(p.Kind, all), strings.Join(all, ", "))
			continue
		}
		d, err := construct(p.Value)
		if err != nil {
			errs.add("params.%s (%s): %w", name, p.Kind, err)
			continue
		}
		out = append(out, param{name, p.Kind, d})
	}
	return out
}

// problems collects what is wrong with a specification.
type problems struct {
	prefix string
	errs   []error
}

func (p *problems) add(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(p.prefix+format, args...))
}

func (p *problems) err() error { return errors.Join(p.errs...) }
