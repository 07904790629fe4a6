package search

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A space has every value that is drawn from it.
func TestSpaceHasItsValues(t *testing.T) {
	params := everyParam(t)
	c := newCube(params)
	rapid.Check(t, func(t *rapid.T) {
		drawn := draw(params, rapid.Int64().Draw(t, "seed"), rapid.Int64Range(0, 1e9).Draw(t, "trial"))
		for i, p := range params {
			require.True(t, c.has(i, drawn[p.name]), "%s: %s", p.name, drawn[p.name])
		}
	})
}

// What else it has and has not, by parameter.
func TestSpaceBounds(t *testing.T) {
	params := everyParam(t)
	c := newCube(params)
	for name, values := range map[string]struct{ has, hasNot string }{
		"choice":      {`"a" 1 true null {"b":[2,3]}`, `"b" 2 false {"b":[2]}`},
		"pchoice":     {`"b"`, `"c" 0`},
		"range":       {`0 0.1 0.30000000000000004 0.4`, `0.5 0.35 -0.1 "0.1" null`},
		"down":        {`3 1.0`, `0 4 1.5`},
		"linspace":    {`1 2 1.1666666666667`, `1.1 3`},
		"one":         {`1`, `2 1.5`},
		"logspace":    {`0.001 100 10.000000001`, `1000 50 0 -1`},
		"binary":      {`1 256`, `3 512`},
		"geomspace":   {`1 1000`, `2 -1 0`},
		"negative":    {`-8 -1`, `8 1 -3`},
		"uniform":     {`-2 0 3 1e-300`, `-2.1 3.1 1e300 true`},
		"loguniform":  {`1e-5 1 10`, `0 -1 9e-6 11`},
		"quniform":    {`0 0.3 0.9`, `1.2 0.5 -0.3`},
		"qloguniform": {`4 1000`, `1 5 1004`},
		"normal":      {`5 -1e6`, `"5"`},
		"qnormal":     {`0 1e6`, `[]`},
		"lognormal":   {`1e-9 1e9`, `0 -1`},
		"qlognormal":  {`0 0.5 1e9`, `-0.5`},
	} {
		for i, p := range params {
			if p.name != name {
				continue
			}
			for want, list := range map[bool]string{true: values.has, false: values.hasNot} {
				for _, value := range strings.Fields(list) {
					require.Equal(t, want, c.has(i, json.RawMessage(value)), "%s: %s", name, value)
				}
			}
		}
	}
}
