package expression

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/pkg/params"
)

// The page's examples, row by row, over the values that it tells of.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/expressions.md")
	require.NoError(t, err)
	e, err := NewEnvironment(Declarations{
		Params:     map[string]Type{"lr": params.Float, "epochs": params.Int, "name": params.String, "debug": params.Bool, "layers": params.List, "env": params.Map},
		Globals:    map[string]Type{"name": params.String},
		Operations: []string{"train", "prepare-data"},
		Variables:  map[string]Type{"object": params.Map},
	})
	require.NoError(t, err)
	v := Values{
		Params:     map[string]any{"lr": 0.001, "epochs": int64(3), "name": "resnet", "debug": true, "layers": []any{int64(64), int64(32)}, "env": map[string]any{"A": "1"}},
		Globals:    map[string]any{"name": "run"},
		Operations: map[string]OperationValues{"train": {Status: "succeeded", Outputs: map[string]any{"acc": 0.93}}, "prepare-data": {Status: "skipped"}},
		Variables:  values().Variables,
	}
	ran := map[string]int{}
	heading := ""
	for _, line := range strings.Split(string(page), "\n") {
		cells := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), "|")
		if !strings.HasPrefix(line, "| ") || len(cells) < 4 {
			continue
		}
		first, second := cell(cells[1]), cell(cells[2])
		if !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			heading = second
			continue
		}
		switch heading {
		case "rendered", "gives":
			template, errs := Compile(first, "", e)
			require.NoError(t, errs.Err(), line)
			got, errs := template.Render(context.Background(), v)
			require.NoError(t, errs.Err(), line)
			text, err := json.Marshal(got)
			require.NoError(t, err)
			require.JSONEq(t, second, string(text), line)
		case "holds":
			c, errs := CompileCondition(first, "", e)
			require.NoError(t, errs.Err(), line)
			got, err := c.Evaluate(context.Background(), v)
			require.NoError(t, err, line)
			require.Equal(t, second == "true", got, line)
		case "answer":
			template, errs := Compile(first, "", e)
			if len(errs) == 0 {
				_, errs = template.Render(context.Background(), v)
			}
			require.EqualError(t, errs.Err(), second, line)
		default:
			continue
		}
		ran[heading]++
	}
	require.Equal(t, map[string]int{"rendered": 8, "gives": 16, "holds": 3, "answer": 3}, ran, "rows of the page that were run")
}

func cell(text string) string {
	text = strings.ReplaceAll(strings.TrimSpace(text), "\x00", "|")
	return strings.TrimSuffix(strings.TrimPrefix(text, "`"), "`")
}
