package workflow

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// templates builds them from lines: "name: template template*times".
func templates(lines ...string) []Template {
	var out []Template
	for _, line := range lines {
		name, uses, _ := strings.Cut(line, ":")
		t := Template{Name: name}
		for _, use := range strings.Fields(uses) {
			u := Use{}
			u.Template, _, _ = strings.Cut(use, "*")
			_, _ = fmt.Sscanf(use[len(u.Template):], "*%d", &u.Times)
			t.Uses = append(t.Uses, u)
		}
		out = append(out, t)
	}
	return out
}

func TestCheckTemplates(t *testing.T) {
	bomb := []string{"t0"}
	for i := range 80 {
		bomb = append(bomb, fmt.Sprintf("t%d: t%d t%d", i+1, i, i))
	}
	tests := []struct {
		name       string
		entrypoint string
		templates  []string
		want       Size
	}{
		{"an operation", "train", []string{"train"}, Size{1, 1}},
		{"a dag", "main", []string{"main: prepare train", "prepare", "train"}, Size{2, 2}},
		{"used twice", "main", []string{"main: sub sub", "sub: train train", "train"}, Size{4, 3}},
		{"a sweep of dags", "sweep", []string{"train", "sub: train train", "sweep: sub*100"}, Size{200, 3}},
		{"only what is reached counts", "train", []string{"train", "main: train"}, Size{1, 1}},
		{"growth without end of its own", "t80", bomb, Size{math.MaxInt64, 81}},
		{"and of a matrix", "a", []string{"a: b*9223372036854775807", "b: c*3", "c"}, Size{math.MaxInt64, 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := CheckTemplates(tt.entrypoint, templates(tt.templates...))
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestCheckTemplatesRefuses(t *testing.T) {
	tests := []struct {
		name       string
		entrypoint string
		templates  []string
		want       string
	}{
		{"itself", "a", []string{"a: a"}, `template "a" uses itself: it would never end`},
		{"a cycle", "main", []string{"main: sub", "sub: deep leaf", "leaf", "deep: main"}, `templates use each other without end: main → sub → deep → main: remove one of these uses`},
		{"a cycle that is not reached", "leaf", []string{"a: b leaf", "b: a", "leaf"}, `templates use each other without end: a → b → a: remove one of these uses`},
		{"unknown", "main", []string{"main: trian", "train"}, `template "main" uses template "trian", which does not exist (did you mean "train"?): correct the name, or add that template`},
		{"entrypoint", "mian", []string{"main"}, `entrypoint "mian" is no template (did you mean "main"?): name one of templates`},
		{"twice", "a", []string{"a", "a"}, `template "a" is declared twice, at places 0 and 1: rename one of them`},
		{"no name", "a", []string{"a", ""}, `template 1 has no name: give it one`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := CheckTemplates(tt.entrypoint, templates(tt.templates...))
			require.EqualError(t, err, tt.want)
		})
	}
	_, err := CheckTemplates("a", templates("a: "+strings.Repeat("x ", 1000)))
	require.Len(t, strings.Split(err.Error(), "\n"), maxErrors+1)
}
