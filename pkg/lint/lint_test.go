package lint

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the findings in testdata anew")

// Every file of testdata has mistakes; what is found of them stands beside it.
func TestFindings(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			var got strings.Builder
			for _, f := range Lint(t.Context(), Documents(filepath.Base(file), content, 1), "team") {
				fmt.Fprintln(&got, f)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got.String()), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err, "go test ./pkg/lint -update writes it")
			require.Equal(t, string(want), got.String())
		})
	}
}

// notObjects are examples that are read by other programs than a cluster.
var notObjects = []string{"../../manifests/examples/simulation/load.yaml"}

// What is given as an example is right.
func TestExamples(t *testing.T) {
	var docs []*Document
	for _, dir := range []string{"quickstart", "simulation"} {
		files, err := filepath.Glob("../../manifests/examples/" + dir + "/*.yaml")
		require.NoError(t, err)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			docs = append(docs, Documents(file, content, 1)...)
		}
	}
	checked := 0
	for _, d := range docs {
		if d.Checked() {
			checked++
		}
	}
	require.Greater(t, checked, 25)
	for _, f := range Lint(t.Context(), docs, "quickstart") {
		require.Contains(t, notObjects, f.File, f.String())
	}
}

// So is what the pages show. Pieces of objects, which have no kind, are passed over.
func TestDocs(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	pages = append(pages, "../../README.md")
	checked := 0
	for _, page := range pages {
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, block := range blocks(content) {
			docs := Documents(page, block.text, block.line)
			var whole []*Document
			for _, d := range docs {
				if d.Object != nil && d.Object.GetKind() == "" {
					continue
				}
				whole = append(whole, d)
			}
			for _, f := range Lint(t.Context(), whole, "default") {
				if f.Severity == Error {
					t.Error(f)
				}
			}
			checked += len(whole)
		}
	}
	require.Greater(t, checked, 12)
}

type block struct {
	text []byte
	line int
}

// blocks are the pieces of YAML in a page.
func blocks(page []byte) (out []block) {
	var current *block
	for i, line := range bytes.SplitAfter(page, []byte("\n")) {
		switch {
		case string(bytes.TrimSpace(line)) == "```yaml":
			current = &block{line: i + 2}
		case bytes.HasPrefix(line, []byte("```")) && current != nil:
			out = append(out, *current)
			current = nil
		case current != nil:
			current.text = append(current.text, line...)
		}
	}
	return out
}

// A finding stands at the line of its field, however long what is before it.
func TestLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := strings.Repeat("# a comment\n", rapid.IntRange(0, 5).Draw(t, "comments"))
		others := strings.Repeat("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n", rapid.IntRange(0, 3).Draw(t, "others"))
		labels := rapid.IntRange(0, 4).Draw(t, "labels")
		text := before + others + "---\napiVersion: queueyard.io/v1alpha1\nkind: Queue\nmetadata:\n  name: q\n"
		if labels > 0 {
			text += "  labels:\n"
		}
		for i := range labels {
			text += fmt.Sprintf("    example.com/a.b-%d: x\n", i)
		}
		text += "spec:\n  agent: default\n  concurency: 3\n"
		findings := Lint(t.Context(), Documents("f", []byte(text), 1), "")
		if len(findings) != 1 || findings[0].Line != strings.Count(text, "\n") || !strings.Contains(findings[0].Message, `did you mean "concurrency"?`) {
			t.Fatal(findings)
		}
	})
}

// Whatever stands in a file, it is no reason to break down.
func TestAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(
			rapid.String(),
			rapid.StringMatching(`((apiVersion|kind|spec|metadata|- |---|templates|[{}\[\]:,"'&*]|  |queueyard.io/v1alpha1|Workflow)( |\n|: )){0,20}`),
		).Draw(t, "text")
		Lint(t.Context(), Documents("f", []byte(text), 1), "")
	})
}
