package sim

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

const examples = "../../manifests/examples/simulation"

// examplePlan reads manifests of the examples.
func examplePlan(t *testing.T, name string) *Plan {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, name))
	require.NoError(t, err)
	plan := NewPlan()
	require.NoError(t, plan.Read(bytes.NewReader(text)))
	return plan
}

func exampleLoad(t *testing.T) *Load {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, "load.yaml"))
	require.NoError(t, err)
	load, err := ReadLoad(bytes.NewReader(text))
	require.NoError(t, err)
	return load
}

// play runs a load on a plan.
func play(t require.TestingT, plan *Plan, load *Load) *Report {
	s, err := New(plan)
	require.NoError(t, err)
	require.NoError(t, s.AddLoad(load))
	report, err := s.Run()
	require.NoError(t, err)
	return report
}

func inJSON(t require.TestingT, report *Report) string {
	text, err := json.MarshalIndent(report, "", "  ")
	require.NoError(t, err)
	return string(text) + "\n"
}

func inTable(t require.TestingT, report *Report, rows int) string {
	var text bytes.Buffer
	require.NoError(t, report.WriteTable(&text, rows))
	return text.String()
}

func TestReportsOfTheExamples(t *testing.T) {
	load := play(t, examplePlan(t, "queues.yaml"), exampleLoad(t))
	golden(t, "load.txt", inTable(t, load, 20))
	golden(t, "load.json", inJSON(t, load))

	s, err := New(examplePlan(t, "trace-queues.yaml"))
	require.NoError(t, err)
	file, err := os.Open(filepath.Join(examples, "trace.swf"))
	require.NoError(t, err)
	defer file.Close()
	require.NoError(t, s.AddTrace(NewTrace("trace.swf", file), Mapping{By: ByQueue}))
	trace, err := s.Run()
	require.NoError(t, err)
	golden(t, "trace.txt", inTable(t, trace, 20))
}

// golden compares with a file in testdata; with -update it writes the file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "run go test ./test/sim -update if the change is meant")
}

func TestDocumentationShowsWhatTheExamplePrints(t *testing.T) {
	page, err := os.ReadFile("../../docs/simulate.md")
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/load.txt")
	require.NoError(t, err)
	require.Contains(t, string(page), string(want))
}

func TestTableShowsTheLongestWaits(t *testing.T) {
	plan, load := Scale(2000, 20, 20)
	text := inTable(t, play(t, plan, load), 3)
	require.Contains(t, text, "Waits by queue: the 3 of 20 with the longest p95\n")
	require.Contains(t, text, "agent scale")
}
