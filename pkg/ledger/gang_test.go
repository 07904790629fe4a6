package ledger

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// gang enters n pods of one operation, of which size are to be admitted together.
func (f *fixture) gang(operation, queue string, n, size int, change ...func(*Pod)) {
	for i := range n {
		edits := append([]func(*Pod){of(operation), func(p *Pod) { p.Gang = size }}, change...)
		f.enter(fmt.Sprintf("%s%d", operation, i), queue, edits...)
	}
}

func gangOf(size int) func(*Pod) { return func(p *Pod) { p.Gang = size } }

func TestGangs(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(f *fixture)
		want string
	}{
		{"a whole gang takes one seat", func(f *fixture) {
			f.queue("q", 1, 1)
			f.gang("g", "q", 3, 3)
		}, "g0 g1 g2"},
		{"a part of a gang waits and blocks nobody, not even behind it in a StrictFIFO queue", func(f *fixture) {
			f.queue("q", 1, Unlimited, strict)
			f.gang("g", "q", 2, 3)
			f.enter("a", "q")
		}, "a"},
		{"its place is that of its first pod", func(f *fixture) {
			f.queue("q", 1, Unlimited)
			f.enter("g0", "q", of("g"), gangOf(2))
			f.enter("a", "q")
			f.enter("g1", "q", of("g"), gangOf(2))
		}, "g0 g1 a"},
		{"pods beyond its size are ordinary pods of a seated operation", func(f *fixture) {
			f.queue("q", 1, 1, quota("gpu", 3))
			f.enter("other", "q")
			f.gang("g", "q", 5, 2, priority(1), asks("gpu", 1))
		}, "g0 g1 g2"},
		{"room for a part is not enough", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("gpu", 8))
			f.Charge(f.pod("a", "q", asks("gpu", 1)))
			f.gang("g", "q", 4, 4, asks("gpu", 2))
			f.enter("small", "q", asks("gpu", 7))
		}, "small"},
		{"its pods may ask for different things", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("gpu", 3, "cpu", 2))
			f.gang("g", "q", 1, 3, asks("cpu", 2))
			f.enter("g8", "q", of("g"), asks("gpu", 2))
			f.enter("g9", "q", of("g"), asks("gpu", 1))
		}, "g0 g8 g9"},
		{"two gangs that each need all the room take turns", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("gpu", 8))
			f.gang("g", "q", 8, 8, asks("gpu", 1))
			f.gang("h", "q", 8, 8, asks("gpu", 1))
			assert.Equal(f.t, "g0 g1 g2 g3 g4 g5 g6 g7", f.admit())
			for i := range 8 {
				assert.Empty(f.t, f.admit())
				f.Remove(fmt.Sprintf("g%d", i))
			}
		}, "h0 h1 h2 h3 h4 h5 h6 h7"},
		{"what is missing of an admitted gang is admitted together", func(f *fixture) {
			f.queue("q", 1, 1, quota("gpu", 4))
			f.gang("g", "q", 4, 4, asks("gpu", 1))
			f.admit()
			f.Return("g1")
			f.Return("g2")
			f.queue("q", 1, 1, quota("gpu", 3))
			assert.Empty(f.t, f.admit())
			f.queue("q", 1, 1, quota("gpu", 4))
		}, "g1 g2"},
		{"once a pod runs the others need not come together", func(f *fixture) {
			f.queue("q", 1, 1, quota("gpu", 3))
			f.gang("g", "q", 4, 4, asks("gpu", 1))
			f.Charge(f.pod("g0", "q", of("g"), gangOf(4), asks("gpu", 1)))
		}, "g1 g2"},
		{"a pod that replaces a failed one of a running gang joins it", func(f *fixture) {
			f.queue("q", 1, 1)
			f.gang("g", "q", 3, 3)
			f.admit()
			for i := range 3 {
				f.Charge(f.pod(fmt.Sprintf("g%d", i), "q", of("g"), gangOf(3)))
			}
			f.Remove("g0")
			f.Remove("g1")
			f.enter("g3", "q", of("g"), gangOf(3))
		}, "g3"},
		{"a pod in back-off is missing", func(f *fixture) {
			f.queue("q", 1, 1)
			f.gang("g", "q", 3, 3)
			f.Suspend("g1", "no node fits")
			assert.Empty(f.t, f.admit())
			f.Resume("g1")
		}, "g0 g1 g2"},
		{"the gang that ends with its last pod", func(f *fixture) {
			f.queue("q", 1, Unlimited)
			f.enter("g0", "q", of("g"), gangOf(3))
			f.enter("g1", "q", of("g"))
			assert.Empty(f.t, f.admit())
			f.Remove("g0")
		}, "g1"},
		{"a gang of 1 is none", func(f *fixture) {
			f.queue("q", 1, Unlimited)
			f.gang("g", "q", 1, 1)
		}, "g0"},
		{"a pod is not counted for the gang of another project", func(f *fixture) {
			f.queue("q", 1, Unlimited)
			f.gang("g", "q", 1, 2, in("a"))
			f.enter("other", "q", of("g"), gangOf(2), in("b"))
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			test.play(f)
			assert.Equal(t, test.want, f.admit())
		})
	}
}

func TestGangIsFinishedBeyondMax(t *testing.T) {
	f := newFixture(t)
	f.queue("q", 1, Unlimited)
	f.enter("a", "q")
	f.gang("g", "q", 3, 3)
	f.enter("b", "q")
	var uids []string
	for _, a := range f.Admit(2) {
		uids = append(uids, a.UID)
	}
	assert.Equal(t, []string{"a", "g0", "g1", "g2"}, uids)
	assert.Equal(t, "b", f.admit())
}

func TestGangSentences(t *testing.T) {
	for _, test := range []struct {
		name    string
		play    func(f *fixture) // about the pod "g1"
		reason  Reason
		message string
	}{
		{"incomplete", func(f *fixture) {
			f.queue("q", 1, Unlimited)
			f.gang("g", "q", 5, 8)
		}, GangIncomplete, "gang has 5 of 8 pods; position 2 of 5"},
		{"blocked", func(f *fixture) {
			f.queue("gpu", 1, Unlimited, quota("nvidia.com/gpu", 8))
			f.Charge(f.pod("a", "gpu", asks("nvidia.com/gpu", 4)))
			f.gang("g", "gpu", 8, 8, asks("nvidia.com/gpu", 1))
		}, QueueQuota, "queue gpu: nvidia.com/gpu 4/8 used, needs 8; position 2 of 8"},
		{"never fits", func(f *fixture) {
			f.queue("gpu", 1, Unlimited, quota("nvidia.com/gpu", 8))
			f.gang("g", "gpu", 8, 8, asks("nvidia.com/gpu", 2))
		}, NeverFits, "its gang of 8 asks nvidia.com/gpu 16 but queue gpu allows at most 8 in all; lower the request or raise the quota"},
		{"has room", func(f *fixture) {
			f.queue("q", 1, 1, strict)
			f.gang("g", "q", 2, 2)
		}, Turn, "queue q: has room, waits for its turn; position 2 of 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			test.play(f)
			e, ok := f.Explain("g1")
			require.True(t, ok)
			assert.Equal(t, test.reason, e.Reason)
			assert.Equal(t, test.message, e.Message())
		})
	}
}

func TestMembers(t *testing.T) {
	f := newFixture(t)
	f.queue("q", 1, Unlimited)
	f.gang("g", "q", 3, 2)
	f.enter("a", "q")
	f.Admit(1)
	f.Charge(f.pod("g1", "q", of("g"), gangOf(2)))
	f.Suspend("g2", "no node fits")
	assert.Equal(t, []Member{{"g0", Admitted}, {"g1", Running}, {"g2", Suspended}}, f.Members("g2"))
	assert.Empty(t, f.Members("nobody"))
	f.Remove("g1")
	assert.Equal(t, []Member{{"g0", Admitted}, {"g2", Suspended}}, f.Members("g0"))
}

// The room of a gang that forms comes back as a whole, its seat too.
func TestContendedSeatOfAGang(t *testing.T) {
	f := newFixture(t)
	f.queue("q", 1, 1)
	f.gang("g", "q", 2, 2)
	f.admit()
	assert.False(t, f.Contended("g0"))
	f.enter("a", "q")
	f.admit()
	assert.True(t, f.Contended("g0"))
	f.Charge(f.pod("g1", "q", of("g"), gangOf(2)))
	assert.False(t, f.Contended("g0"))
}
