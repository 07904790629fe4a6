package search

import (
	"encoding/json"
	"fmt"
	"testing"
)

// BenchmarkSuggest is the time of one suggestion after so many trials of six parameters.
func BenchmarkSuggest(b *testing.B) {
	params := `"params": {`
	for i := range 6 {
		if i > 0 {
			params += ", "
		}
		params += fmt.Sprintf(`"x%d": {"kind": "uniform", "value": [0, 1]}`, i)
	}
	params += "}, " + minimizeLoss
	for _, of := range []struct{ name, spec string }{
		{"hyperband", `{"hyperband": {"maxIterations": 2187, "resource": {"name": "epochs"}, ` + params + `}}`},
		{"asha", `{"asha": {"numRuns": 100000, "maxIterations": 243, "resource": {"name": "epochs"}, ` + params + `}}`},
		{"bayes", `{"bayes": {"maxIterations": 100000, ` + params + `}}`},
		{"tpe", `{"tpe": {"numRuns": 100000, ` + params + `}}`},
		{"anneal", `{"hyperopt": {"algorithm": "anneal", "numRuns": 100000, ` + params + `}}`},
	} {
		for _, n := range []int{100, 1000, 10000} {
			b.Run(fmt.Sprintf("%s/%d", of.name, n), func(b *testing.B) {
				a := made(b, of.spec)
				drawn := made(b, fmt.Sprintf(`{"random": {"numRuns": %d, %s}}`, n, params[:len(params)-len(minimizeLoss)-2])).Suggest(nil, n).Trials
				if of.name == "hyperband" || of.name == "asha" {
					drawn = a.Suggest(nil, n).Trials
				}
				all := make([]Observation, len(drawn))
				for i, t := range drawn {
					all[i] = Observation{Trial: t, State: Succeeded, Value: bowl(t)}
				}
				b.ResetTimer()
				for b.Loop() {
					if len(a.Suggest(all, 1).Trials) != 1 {
						b.Fatal("nothing is suggested")
					}
				}
			})
		}
	}
}

// bowl is least in the middle.
func bowl(t Trial) float64 {
	sum := 0.0
	for i := range 6 {
		var x float64
		if json.Unmarshal(t.Params[fmt.Sprintf("x%d", i)], &x) == nil {
			sum += (x - 0.5) * (x - 0.5)
		}
	}
	return sum
}
