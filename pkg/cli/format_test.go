package cli

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	queueyard "github.com/queueyard/queueyard/pkg/client"
)

func TestTableAlignsWhatIsSeen(t *testing.T) {
	s := &Shell{Colours: true}
	for name, c := range map[string]struct {
		wide, headers bool
		want          string
	}{
		"narrow":           {false, true, "NAME   STATUS\nä…     \x1b[31mfailed\x1b[0m\n-      ok\n"},
		"without headings": {false, false, "ä…   \x1b[31mfailed\x1b[0m\n-    ok\n"},
		"wide":             {true, true, "NAME   STATUS   MORE\nä…     \x1b[31mfailed\x1b[0m   x\n-      ok       -\n"},
	} {
		tt := &table{columns: append(columns("NAME", "STATUS"), wide("MORE")...)}
		tt.add("ä…", cell{"failed", red}, "x")
		tt.add("", "ok", "")
		var out strings.Builder
		require.NoError(t, tt.write(s, &out, c.wide, c.headers), name)
		require.Equal(t, c.want, out.String(), name)
	}
}

// A line that is cut is as wide as the terminal and begins as it did; colours are ended.
func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var line strings.Builder
		for range rapid.IntRange(0, 6).Draw(t, "words") {
			word := rapid.StringMatching(`[a-zäß✔ ]{0,9}`).Draw(t, "word")
			if rapid.Bool().Draw(t, "coloured") {
				word = string(green) + word + reset
			}
			line.WriteString(word)
		}
		width := rapid.IntRange(1, 30).Draw(t, "width")
		got, seen := cut(line.String(), width), escapes.ReplaceAllString(line.String(), "")
		shown := escapes.ReplaceAllString(got, "")
		switch {
		case utf8.RuneCountInString(seen) <= width:
			if got != line.String() {
				t.Fatalf("%q fits and was changed to %q", line.String(), got)
			}
		case utf8.RuneCountInString(shown) != width || !strings.HasPrefix(seen, strings.TrimSuffix(shown, "…")):
			t.Fatalf("%q was cut to %q", seen, shown)
		case strings.Count(got, string(green)) != strings.Count(got, reset):
			t.Fatalf("a colour goes on behind %q", got)
		}
	})
	require.Equal(t, "as it is", cut("as it is", 0), "the width is not known")
}

func TestFold(t *testing.T) {
	lines := func() []string { return []string{"title", "head", "a", "b", "c"} }
	require.Equal(t, lines(), fold(lines(), 6))
	require.Equal(t, []string{"title", "head", "b", "c"}, fold(lines(), 5))
	require.Equal(t, []string{"title", "head", "c"}, fold(lines(), 4))
	require.Equal(t, lines(), fold(lines(), 0), "the height is not known")
}

func TestWords(t *testing.T) {
	s := &Shell{Now: func() time.Time { return noon }, Zone: time.UTC}
	for got, want := range map[string]string{
		limit(nil):                         "unlimited",
		limit(ptr.To[int32](-1)):           "unlimited",
		limit(ptr.To[int32](0)):            "0",
		of(3, nil):                         "3",
		of(3, ptr.To[int32](4)):            "3/4",
		level(ptr.To[int32](7)):            "7",
		count(1, "pod", "pods"):            "1 pod",
		count(0, "pod", "pods"):            "0 pods",
		lasting(-time.Second):              "0s",
		lasting(2345 * time.Millisecond):   "2.3s",
		lasting(90 * time.Minute):          "90m",
		s.clock(noon.Add(-time.Hour)):      "11:00:00",
		s.clock(noon.Add(-24 * time.Hour)): "2026-02-28 12:00:00",
		s.clock(noon.AddDate(-1, 0, 0)):    "2025-03-01 12:00:00",
		queueName("lab/gpu") + queueName("a.b") + queueName("c"):                 "gpubc",
		queueyard.OneLine(" a\n  b\tc "):                                         "a b c",
		difference(facts{{"a", "1"}, {"b", "2"}}, facts{{"a", "1"}, {"c", "3"}}): "b 2 → none, c none → 3",
	} {
		require.Equal(t, want, got)
	}
}
