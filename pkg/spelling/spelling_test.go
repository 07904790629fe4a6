package spelling

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDidYouMean(t *testing.T) {
	names := []string{"train", "prepare", "test", "text", "gpu", "a"}
	for name, want := range map[string]string{
		"trian":                  ` (did you mean "train"?)`,
		"prepar":                 ` (did you mean "prepare"?)`,
		"xprepare":               ` (did you mean "prepare"?)`,
		"tet":                    ` (did you mean "test"?)`,
		"gp":                     ` (did you mean "gpu"?)`,
		"x":                      "",
		"deploy":                 "",
		"":                       "",
		strings.Repeat("t", 300): "",
	} {
		require.Equal(t, want, DidYouMean(name, names), name)
	}
	require.Empty(t, DidYouMean("ab", nil))
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "axc", 1}, {"abc", "ac", 1}, {"ac", "abc", 1}, {"abcd", "acbd", 1}, {"kitten", "sitting", 3}} {
		require.Equal(t, tt.want, distance(tt.a, tt.b), "%q, %q", tt.a, tt.b)
	}
}
