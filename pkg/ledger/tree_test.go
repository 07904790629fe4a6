package ledger

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The tree answers like a sorted slice.
func TestTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := tree[int]{less: func(a, b int) bool { return a < b }}
		random := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed")))
		in := map[int]*node[int]{}
		item := rapid.IntRange(0, 30)
		amount := rapid.Int64Range(0, 9)
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				i := item.Draw(t, "item")
				if in[i] == nil {
					in[i] = &node[int]{item: i, need: amount.Draw(t, "need"), weight: random.Uint32()}
					tr.insert(in[i])
				}
			},
			"remove": func(t *rapid.T) {
				i := item.Draw(t, "item")
				if n := in[i]; n != nil {
					tr.remove(n)
					delete(in, i)
				}
			},
			"set need": func(t *rapid.T) {
				if n := in[item.Draw(t, "item")]; n != nil {
					tr.setNeed(n, amount.Draw(t, "need"))
				}
			},
			"": func(t *rapid.T) {
				c := checker{}
				checkTree(&c, "tree", &tr)
				require.Empty(t, c.found)
				sorted := slices.Collect(tr.all)
				require.Equal(t, len(in), len(sorted))
				for free := range int64(10) {
					at := slices.IndexFunc(sorted, func(i int) bool { return in[i].need <= free })
					if n := tr.within(free); at < 0 {
						require.Nil(t, n)
					} else {
						require.Equal(t, sorted[at], n.item)
					}
				}
			},
		})
	})
}
