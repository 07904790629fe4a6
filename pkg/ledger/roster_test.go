package ledger

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The roster answers like a sorted slice, also with several storeys of pages.
func TestRoster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &roster{}
		var sorted []*pod
		next := 0
		newPod := func(priority, created int64) *pod {
			next++
			return &pod{priority: priority, created: created, uid: fmt.Sprint(next * 7919 % 100_003)}
		}
		place := func(p *pod) (int, bool) {
			return slices.BinarySearchFunc(sorted, p, func(a, b *pod) int {
				switch {
				case a == b:
					return 0
				case podBefore(a, b):
					return -1
				}
				return 1
			})
		}
		insert := func(p *pod) {
			r.insert(p)
			at, _ := place(p)
			sorted = slices.Insert(sorted, at, p)
		}
		remove := func(at int) {
			r.remove(sorted[at])
			sorted = slices.Delete(sorted, at, at+1)
		}
		created := rapid.Int64Range(0, 50)
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				insert(newPod(rapid.Int64Range(0, 1).Draw(t, "priority"), created.Draw(t, "created")))
			},
			"insert many": func(t *rapid.T) {
				for range rapid.IntRange(0, 400).Draw(t, "many") {
					insert(newPod(0, int64(next*7%51)))
				}
			},
			"insert in order": func(t *rapid.T) {
				for range rapid.IntRange(0, 400).Draw(t, "many") {
					insert(newPod(-1, int64(100+next)))
				}
			},
			"remove the first ones": func(t *rapid.T) {
				for range min(len(sorted), rapid.IntRange(0, 200).Draw(t, "many")) {
					remove(0)
				}
			},
			"remove a part": func(t *rapid.T) {
				from := rapid.IntRange(0, len(sorted)).Draw(t, "from")
				for range min(len(sorted)-from, rapid.IntRange(0, 300).Draw(t, "many")) {
					remove(from)
				}
			},
			"thin out": func(t *rapid.T) {
				step := rapid.IntRange(1, 12).Draw(t, "step")
				for at := len(sorted) - 1; at >= 0; at-- {
					if at%12 >= step {
						remove(at)
					}
				}
			},
			"": func(t *rapid.T) {
				c := checker{}
				checkRoster(&c, r)
				require.Empty(t, c.found)
				require.Equal(t, len(sorted), r.len())
				if !rapid.Bool().Draw(t, "look") { // which tidies up
					return
				}
				require.True(t, slices.Equal(sorted, slices.Collect(r.all)))
				if len(sorted) == 0 {
					return
				}
				for _, p := range append(slices.Clone(sorted[:min(len(sorted), 3)]), newPod(0, created.Draw(t, "created"))) {
					at, in := place(p)
					require.Equal(t, at, r.before(p))
					if in {
						at++
					}
					c, passed := r.behind(p)
					require.Equal(t, at, passed)
					if at == len(sorted) {
						require.Nil(t, c.page)
					} else {
						require.Same(t, sorted[at], c.pod())
					}
				}
			},
		})
	})
}
