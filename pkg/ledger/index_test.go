package ledger

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The index answers like a map, also where hashes collide.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := New()
		x := &l.operations
		in := map[string]*operation{}
		queues := []*queue{{hash: 1}, {hash: 2}}
		hashes := map[string]uint64{}
		bits := rapid.SampledFrom([]uint64{0, 3, 1<<57 | 7, 1<<64 - 1}).Draw(t, "bits of hashes that differ")
		key := func(t *rapid.T) (string, *queue, string, uint64) {
			q, name := rapid.SampledFrom(queues).Draw(t, "queue"), fmt.Sprint(rapid.IntRange(0, 40).Draw(t, "name"))
			id := fmt.Sprint(q.hash, name)
			if _, known := hashes[id]; !known {
				hashes[id] = l.hashOfOperation(q, name) & bits
			}
			return id, q, name, hashes[id]
		}
		add := func(t *rapid.T) {
			id, q, name, hash := key(t)
			if in[id] == nil {
				in[id] = &operation{operationKey: operationKey{q, name}, hash: hash}
				x.add(hash, in[id])
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add":  add,
			"add2": add,
			"remove": func(t *rapid.T) {
				if id, _, _, hash := key(t); in[id] != nil {
					x.remove(hash, in[id])
					delete(in, id)
				}
			},
			"": func(t *rapid.T) {
				for range 5 {
					id, q, name, hash := key(t)
					require.True(t, in[id] == l.operationOf(hash, q, name), "%s", id)
				}
				found := map[*operation]bool{}
				for op := range x.all {
					found[op] = true
				}
				require.Len(t, found, len(in))
				for op := range maps.Values(in) {
					require.True(t, found[op])
				}
			},
		})
	})
}
