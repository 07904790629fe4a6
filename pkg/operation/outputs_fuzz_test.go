package operation

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzOutputs reads any termination message: what it gives is JSON again, and reads the same.
func FuzzOutputs(f *testing.F) {
	for _, seed := range []string{"", "{}", "null", "[]", `{"a": 1}`, `{"a": {"b": [1, "x"]}} more`, `{"a": 1e999}`, `{"a"`, "\xff", `{"a": 1, "a": 2}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, message string) {
		outputs, err := Outputs(message)
		if err != nil {
			require.Nil(t, outputs)
			require.Less(t, len(err.Error()), 1024)
			return
		}
		require.LessOrEqual(t, len(outputs), maxOutputs)
		text, err := json.Marshal(outputs)
		require.NoError(t, err)
		if len(outputs) == 0 {
			return
		}
		again, err := Outputs(string(text))
		require.NoError(t, err)
		require.Len(t, again, len(outputs))
	})
}
