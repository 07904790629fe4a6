package webhook

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChangedField(t *testing.T) {
	for name, c := range map[string]struct{ before, after, want string }{
		"nothing":             {`{"spec": {"params": {"n": 1}}}`, `{"spec": {"params": {"n": 1}, "queue": "x"}}`, ""},
		"a value":             {`{"spec": {"params": {"n": 1}}}`, `{"spec": {"params": {"n": 2}}}`, "params"},
		"a field that is new": {`{"spec": {}}`, `{"spec": {"params": {}}}`, "params"},
		"a large integer":     {`{"spec": {"params": {"n": 9007199254740992}}}`, `{"spec": {"params": {"n": 9007199254740993}}}`, "params"},
	} {
		require.Equal(t, c.want, changedField([]byte(c.before), []byte(c.after), "template", "params"), name)
	}
}

func TestLargeObjects(t *testing.T) {
	require.Nil(t, tooLarge("operation", make([]byte, maxObject)))
	response := tooLarge("operation", make([]byte, maxObject+1))
	require.False(t, response.Allowed)
	require.True(t, strings.HasPrefix(response.Result.Message, "the operation has 1250001 bytes, and with more than 1250000"))
}
