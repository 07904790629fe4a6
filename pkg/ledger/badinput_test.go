package ledger

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBadInput(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for _, test := range []struct {
		name string
		play func(f *fixture)
		want string
	}{
		{"negative limits are none", func(f *fixture) {
			f.queue("q", 1, -7, quota("cpu", -7))
			f.enter("a", "q", asks("cpu", 1000))
		}, "a"},
		{"negative requests ask for nothing", func(f *fixture) {
			f.queue("q", 1, -1, quota("cpu", 1))
			f.enter("a", "q", asks("cpu", -5))
			f.enter("b", "q", asks("cpu", 1))
			f.enter("c", "q", asks("cpu", 1))
		}, "a b"},
		{"a pod without requests takes a seat", func(f *fixture) {
			f.queue("q", 1, 1, quota("cpu", 1))
			f.enter("a", "q")
			f.enter("b", "q")
		}, "a"},
		{"names of 1,000 characters", func(f *fixture) {
			f.SetProject(long, long, limited(1))
			f.queue(long, 1, 1)
			f.enter(long, long, in(long), of(long))
		}, long},
		{"empty names", func(f *fixture) {
			f.SetAgent("", limited(1))
			f.SetQueue("", QueueConfig{Limits: limited(1)})
			f.Enter(Pod{})
		}, ""},
		{"sums beyond 64 bits block and come out again", func(f *fixture) {
			f.queue("q", 1, -1, quota("memory", math.MaxInt64))
			f.Charge(f.pod("a", "q", asks("memory", math.MaxInt64)))
			f.Charge(f.pod("b", "q", asks("memory", math.MaxInt64)))
			f.Charge(f.pod("c", "q", asks("memory", math.MaxInt64)))
			f.enter("d", "q", asks("memory", 1))
			f.Admit(0)
			assert.Equal(f.t, Waiting, f.State("d"))
			_, usage, _ := f.NodeUsage(Queue, "q")
			assert.EqualValues(f.t, math.MaxInt64, usage["memory"])
			f.Remove("a")
			f.Remove("b")
			f.Remove("c")
		}, "d"},
		{"weights beyond 32 bits", func(f *fixture) {
			f.queue("q", 1, math.MaxInt64)
			f.queue("r", 1, math.MaxInt64-1)
			f.enter("q0", "q")
			f.enter("q1", "q")
			f.enter("r0", "r")
		}, "q0 r0 q1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			test.play(f)
			assert.Equal(t, test.want, f.admit())
		})
	}
}

// What nobody names any more leaves no trace: users make names up.
func TestForgetsWhatNobodyNames(t *testing.T) {
	f := newFixture(t)
	for i := range 100 {
		name := fmt.Sprintf("n%d", i)
		f.SetQueue(name, QueueConfig{Agent: name, Limits: limited(1, name, 1)})
		f.SetProject(name, name, limited(1, name, 1))
		f.SetWorkflow(name, "outer "+name, limited(1, name, 1))
		f.enter(name, name, in(name), step(name), asks(name, 1))
		f.Admit(0)
		f.DeleteProject(name)
		f.DeleteWorkflow(name)
		f.DeleteQueue(name)
		f.Remove(name)
	}
	require.NoError(t, f.CheckInvariants())
	assert.Empty(t, f.queues)
	assert.Len(t, f.agents, 1)
	assert.Empty(t, f.projects)
	assert.Empty(t, f.organizations)
	assert.Empty(t, f.workflows)
	assert.Empty(t, slices.Collect(f.pods.all))
	assert.Empty(t, slices.Collect(f.operations.all))
	assert.Empty(t, f.shapes)
	assert.Empty(t, f.vecs.byKey)
	assert.Empty(t, f.dims.byName)
	assert.LessOrEqual(t, len(f.dims.names), 3)
}
