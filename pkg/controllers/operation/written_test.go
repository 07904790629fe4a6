package operation

import (
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Whatever the order in which the answer to a write and the cache's news of it arrive, a version is behind
// exactly until the cache has what was written, and nothing is kept after that.
func TestWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &written{}
		server, cached, wrote := 8, 8, 0 // versions; of 0, nothing was written
		at := func(version int) *v1alpha1.Operation {
			op := &v1alpha1.Operation{}
			op.UID, op.ResourceVersion = "uid", strconv.Itoa(version)
			return op
		}
		see := func() {
			if cached < server {
				cached = rapid.IntRange(cached+1, server).Draw(t, "cached")
				w.seen(at(cached))
			}
		}
		steps := map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				w.begin(at(cached))
				server++
				mine := server
				if rapid.Bool().Draw(t, "another writes, too") {
					server++
				}
				if rapid.Bool().Draw(t, "seen before the answer") {
					see()
				}
				w.end(at(mine), nil)
				wrote = mine
			},
			"fail": func(*rapid.T) {
				w.begin(at(cached))
				w.end(at(cached), errors.New("refused"))
				wrote = 0
			},
			"see": func(*rapid.T) { see() },
			"": func(t *rapid.T) {
				if w.behind(at(cached)) != (cached < wrote) {
					t.Fatalf("the cache has %d, %d was written: behind is %v", cached, wrote, w.behind(at(cached)))
				}
				if cached >= wrote && len(w.versions) > 0 {
					t.Fatalf("the cache has %d, %d was written: %+v is kept", cached, wrote, w.versions["uid"])
				}
			},
		}
		t.Repeat(steps)
		w.gone(at(cached))
		require.Empty(t, w.versions)
	})
}

func TestOlder(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		older bool
	}{
		{"9", "10", true}, {"10", "9", false}, {"10", "10", false}, {"", "1", true}, {"x", "10", false}, {"10", "x", false},
	} {
		require.Equal(t, c.older, older(c.a, c.b), "%+v", c)
	}
}
