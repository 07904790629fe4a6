package ledger

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The places of operations stay theirs, and the free ones do not pile up.
func TestSeated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &seated{}
		in := map[*operation]bool{}
		var order []*operation
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				for range rapid.IntRange(1, 200).Draw(t, "many") {
					op := &operation{}
					s.add(op)
					in[op] = true
					order = append(order, op)
				}
			},
			"remove": func(t *rapid.T) {
				for range min(len(order), rapid.IntRange(1, 200).Draw(t, "many")) {
					at := rapid.IntRange(0, len(order)-1).Draw(t, "at")
					s.remove(order[at])
					delete(in, order[at])
					order = slices.Delete(order, at, at+1)
				}
			},
			"": func(t *rapid.T) {
				found := map[*operation]bool{}
				for op := range s.all {
					found[op] = true
					require.Same(t, op, s.list[op.seat])
				}
				require.Equal(t, in, found)
				require.LessOrEqual(t, len(s.list), 2*len(in)+seatedSlack)
			},
		})
	})
}
