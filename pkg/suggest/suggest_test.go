package suggest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDidYouMean(t *testing.T) {
	names := []string{"epochs", "lr", "learning_rate", "x"}
	long := strings.Repeat("l", 254)
	for name, want := range map[string]string{
		"epoch":         ` (did you mean "epochs"?)`,
		"epcohs":        ` (did you mean "epochs"?)`,
		"rl":            ` (did you mean "lr"?)`,
		"lrr":           ` (did you mean "lr"?)`,
		"learningrate":  ` (did you mean "learning_rate"?)`,
		"something":     "",
		"y":             "", // one edit makes any letter of any other
		"":              "",
		long:            "",
		"learning_rate": ` (did you mean "learning_rate"?)`,
	} {
		require.Equal(t, want, DidYouMean(name, names), name)
	}
	require.Empty(t, DidYouMean(long, []string{long}), "what is longer than any name is not compared")
	require.Equal(t, []string{"epochs", "lr", "learning_rate", "x"}, names, "the caller's slice stays as it was")
}
