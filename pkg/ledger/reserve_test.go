package ledger

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func runsFor(v int64) func(*Pod) { return func(p *Pod) { p.Runtime = v } }

// crowd fills a queue whose quota is 8 GPUs with pods a0 to a7 of one GPU each; "big", which wants
// them all, and small ones of each kind wait behind them.
func crowd(f *fixture) {
	f.queue("q", 1, Unlimited, quota("gpu", 8, "cpu", 4))
	for i := range 8 {
		f.Charge(f.pod(fmt.Sprintf("a%d", i), "q", asks("gpu", 1)))
	}
	f.enter("big", "q", asks("gpu", 8))
	f.enter("small", "q", asks("gpu", 1))
}

func TestReservations(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(f *fixture) // after crowd
		want string
	}{
		{"without one, what fits passes", func(f *fixture) { f.Remove("a0") }, "small"},
		{"freed room is held", func(f *fixture) {
			f.Reserve("big", 0)
			f.Remove("a0")
		}, ""},
		{"and given when it is enough", func(f *fixture) {
			f.Reserve("big", 0)
			for i := range 8 {
				assert.Empty(f.t, f.admit())
				f.Remove(fmt.Sprintf("a%d", i))
			}
		}, "big"},
		{"what ends in time uses it meanwhile", func(f *fixture) {
			f.Reserve("big", 5)
			f.enter("long", "q", asks("gpu", 1), runsFor(6))
			f.enter("short", "q", asks("gpu", 1), runsFor(5))
			f.Remove("a0")
			f.Remove("a1")
		}, "short"},
		{"but not when the room is needed sooner", func(f *fixture) {
			f.Reserve("big", 5)
			f.enter("short", "q", asks("gpu", 1), runsFor(5))
			f.Reserve("big", 4)
			f.Remove("a0")
		}, ""},
		{"it is found when there is more time", func(f *fixture) {
			f.Reserve("big", 5)
			f.enter("long", "q", asks("gpu", 1), runsFor(6))
			f.Remove("a0")
			assert.Empty(f.t, f.admit())
			f.Reserve("big", 6)
		}, "long"},
		{"what needs nothing of it is not held up", func(f *fixture) {
			f.Reserve("big", 0)
			f.enter("other", "q", asks("cpu", 1))
			f.Remove("a0")
		}, "other"},
		{"a higher level may take it, the same and lower ones may not", func(f *fixture) {
			f.SetProject("p", "", limited(-1, "tpu", 4))
			f.queue("high", 2, Unlimited)
			f.queue("same", 1, Unlimited)
			f.queue("low", 0, Unlimited)
			f.queue("r", 1, Unlimited)
			f.Charge(f.pod("t", "r", in("p"), asks("tpu", 2)))
			f.enter("wide", "r", in("p"), asks("tpu", 4))
			require.True(f.t, f.Reserve("wide", 0))
			for _, queue := range []string{"low", "same", "high"} {
				f.enter("in "+queue, queue, in("p"), asks("tpu", 1))
			}
		}, "in high"},
		{"a later one of higher priority waits for it", func(f *fixture) {
			f.Reserve("big", 0)
			f.enter("urgent", "q", asks("gpu", 1), priority(9))
			f.Remove("a0")
		}, ""},
		{"but is the head of a strict queue", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("gpu", 8, "cpu", 4), strict)
			require.True(f.t, f.Reserve("big", 0))
			f.enter("urgent", "q", asks("gpu", 1), priority(9))
			f.Remove("a0")
			assert.Equal(f.t, "urgent", f.admit())
			f.Remove("a1")
			f.enter("next", "q", asks("gpu", 1))
		}, ""},
		{"unreserved", func(f *fixture) {
			f.Reserve("big", 0)
			f.Remove("a0")
			assert.Empty(f.t, f.admit())
			f.Unreserve("big")
		}, "small"},
		{"it ends with the pod", func(f *fixture) {
			f.Reserve("big", 0)
			f.Remove("a0")
			assert.Empty(f.t, f.admit())
			f.Remove("big")
		}, "small"},
		{"and with its suspension", func(f *fixture) {
			f.Reserve("big", 0)
			f.Remove("a0")
			assert.Empty(f.t, f.admit())
			f.Suspend("big", "no node fits")
		}, "small"},
		{"seats are held too", func(f *fixture) {
			f.SetAgent("default", limited(9))
			f.SetAgent("second", limited(1))
			f.SetQueue("x", QueueConfig{Agent: "second", Level: 1, Limits: limited(-1)})
			f.SetQueue("y", QueueConfig{Agent: "second", Level: 1, Limits: limited(-1)})
			f.SetProject("p", "", limited(1))
			f.Charge(f.pod("x0", "x", in("p")))
			f.enter("x1", "x", in("p"))
			require.True(f.t, f.Reserve("x1", 0))
			f.enter("y0", "y", in("p"), priority(9))
			f.Remove("x0")
			assert.Equal(f.t, "x1", f.admit())
			f.Remove("x1")
		}, "y0"},
		{"a gang gathers its room", func(f *fixture) {
			f.queue("g", 1, Unlimited, quota("gpu", 4))
			f.Charge(f.pod("b0", "g", asks("gpu", 2)))
			f.Charge(f.pod("b1", "g", asks("gpu", 2)))
			f.gang("g", "g", 4, 4, asks("gpu", 1))
			f.enter("z", "g", asks("gpu", 1))
			require.True(f.t, f.Reserve("g0", 0))
			f.Remove("b0")
			assert.Empty(f.t, f.admit())
			f.Remove("b1")
		}, "g0 g1 g2 g3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			crowd(f)
			test.play(f)
			assert.Equal(t, test.want, f.admit())
		})
	}
}

func TestReserve(t *testing.T) {
	f := newFixture(t)
	crowd(f)
	assert.True(t, f.Reserve("big", 0))
	assert.True(t, f.Reserve("big", 0), "again")
	assert.False(t, f.Reserve("small", 0), "the queue has one")
	f.Unreserve("small")
	f.Remove("a0")
	e, ok := f.Explain("small")
	require.True(t, ok)
	assert.Equal(t, "queue q: gpu 7/8 used, 8 held for operations that waited too long, needs 1; position 2 of 2", e.Message())
	assert.Equal(t, RoomHeld, e.Reason)
	assert.Equal(t, []string{"big"}, e.HeldFor)
	e, _ = f.Explain("big")
	assert.Equal(t, RoomReserved, e.Reason)
	assert.Equal(t, "queue q: gpu 7/8 used, needs 8; position 1 of 2", e.Message())
	assert.Empty(t, f.admit())
	f.Unreserve("big")
	assert.True(t, f.Reserve("small", 0))
	assert.False(t, f.Reserve("a1", 0), "it runs")
	assert.False(t, f.Reserve("nobody", 0))
	f.queue("q", 1, Unlimited, quota("gpu", 8, "cpu", 4), paused)
	assert.False(t, f.Reserve("small", 0), "its queue is paused")
}

func TestHead(t *testing.T) {
	f := newFixture(t)
	head := func() string {
		uid, ok := f.Head("q")
		assert.Equal(t, uid != "", ok)
		return uid
	}
	assert.Empty(t, head())
	f.queue("q", 1, Unlimited, quota("gpu", 1))
	assert.Empty(t, head())
	f.gang("g", "q", 1, 2)
	f.enter("never", "q", asks("gpu", 2))
	f.enter("b", "q", asks("gpu", 1))
	f.enter("a", "q", priority(1))
	assert.Equal(t, "a", head())
	f.Remove("a")
	assert.Equal(t, "b", head())
	f.queue("q", 1, Unlimited, quota("gpu", 1), paused)
	assert.Empty(t, head())
}

// An endless stream of small pods does not keep a large one waiting for longer than those that run
// when its room is reserved.
func TestReservedPodDoesNotStarve(t *testing.T) {
	f := newFixture(t)
	crowd(f)
	require.True(t, f.Reserve("big", 0))
	running := []string{"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"}
	for i := 0; len(running) > 0; i++ {
		f.Remove(running[0])
		running = running[1:]
		f.enter(fmt.Sprintf("s%d", i), "q", asks("gpu", 1), priority(9))
		for _, a := range f.Admit(0) {
			running = append(running, a.UID)
			if a.UID == "big" {
				assert.Equal(t, 7, i, "completions before it")
				return
			}
		}
	}
	t.Fatal("it was never admitted")
}
