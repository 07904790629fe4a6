package ledger

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func guaranteed(n int64) func(*QueueConfig) { return func(c *QueueConfig) { c.Guaranteed = n } }

func (f *fixture) enterMany(queue string, n int, change ...func(*Pod)) {
	for i := range n {
		f.enter(fmt.Sprintf("%s%d", queue, i), queue, change...)
	}
}

func TestGuaranteedSeats(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(f *fixture) // queues high (level 9), low and idle
		want map[string]int64 // seats of an agent of 10
	}{
		{"it gets its seats before higher levels, and no more than those", func(f *fixture) {
			f.queue("high", 9, Unlimited)
			f.queue("low", 1, Unlimited, guaranteed(2))
			f.enterMany("high", 20)
			f.enterMany("low", 20)
		}, map[string]int64{"high": 8, "low": 2}},
		{"seats are kept while it does not want them", func(f *fixture) {
			f.queue("high", 9, Unlimited)
			f.queue("low", 1, Unlimited, guaranteed(2))
			f.enterMany("high", 20)
		}, map[string]int64{"high": 8, "low": 0}},
		{"seats that were kept are there at once", func(f *fixture) {
			f.queue("high", 9, Unlimited)
			f.queue("low", 1, Unlimited, guaranteed(2))
			f.enterMany("high", 20)
			f.admit()
			f.enterMany("low", 20)
		}, map[string]int64{"high": 8, "low": 2}},
		{"a guarantee given late takes nothing from what runs", func(f *fixture) {
			f.queue("high", 9, Unlimited)
			f.queue("low", 1, Unlimited)
			f.enterMany("high", 20)
			f.admit()
			f.queue("low", 1, Unlimited, guaranteed(2))
			f.enterMany("low", 20)
			f.admit()
			f.Remove("high0")
		}, map[string]int64{"high": 9, "low": 1}},
		{"a guarantee that ends gives the seats to all", func(f *fixture) {
			f.queue("high", 9, Unlimited)
			f.queue("low", 1, Unlimited, guaranteed(2))
			f.enterMany("high", 20)
			f.admit()
			f.queue("low", 1, Unlimited)
		}, map[string]int64{"high": 10}},
		{"so does a queue that is deleted", func(f *fixture) {
			f.queue("high", 9, Unlimited)
			f.queue("low", 1, Unlimited, guaranteed(2))
			f.enterMany("high", 20)
			f.admit()
			f.DeleteQueue("low")
		}, map[string]int64{"high": 10}},
		{"no more is kept for a queue than its concurrency", func(f *fixture) {
			f.queue("high", 9, Unlimited)
			f.queue("low", 1, 1, guaranteed(5))
			f.enterMany("high", 20)
		}, map[string]int64{"high": 9}},
		{"guarantees beyond the agent's seats go to the highest level first", func(f *fixture) {
			f.queue("high", 9, Unlimited, guaranteed(7))
			f.queue("low", 1, Unlimited, guaranteed(7))
			f.queue("other", 1, Unlimited, guaranteed(7))
			f.enterMany("low", 20)
			f.enterMany("other", 20)
		}, map[string]int64{"high": 0, "low": 3, "other": 0}},
		{"beyond its guarantee it competes as any other", func(f *fixture) {
			f.queue("high", 9, 5)
			f.queue("low", 1, Unlimited, guaranteed(2))
			f.enterMany("high", 20)
			f.enterMany("low", 20)
		}, map[string]int64{"high": 5, "low": 5}},
		{"pods of seated operations need no seat and are not held up", func(f *fixture) {
			f.SetAgent("default", limited(2))
			f.queue("high", 9, Unlimited)
			f.queue("low", 1, Unlimited, guaranteed(1))
			f.enterMany("high", 3, of("job"))
		}, map[string]int64{"high": 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.SetAgent("default", limited(10))
			test.play(f)
			f.admit()
			for queue, want := range test.want {
				held, _, _ := f.NodeUsage(Queue, queue)
				assert.Equal(t, want, held, "seats of %s", queue)
			}
		})
	}
}

func TestGuaranteeSentences(t *testing.T) {
	f := newFixture(t)
	f.SetAgent("default", limited(10))
	f.queue("high", 9, Unlimited)
	f.queue("low", 1, Unlimited, guaranteed(2))
	f.queue("mid", 5, Unlimited, guaranteed(1))
	f.enterMany("high", 8)
	f.admit()
	for _, step := range []struct {
		play func()
		want string
	}{
		{func() {}, "agent default: 7/10 operations running, the other 3 kept for queues low, mid; position 1 of 1"},
		{func() { f.Charge(f.pod("m", "mid")) }, "agent default: 8/10 operations running, the other 2 kept for queue low; position 1 of 1"},
		{func() { f.Charge(f.pod("l", "low")); f.Charge(f.pod("k", "low")) }, "agent default: 10/10 operations running; position 1 of 1"},
	} {
		step.play()
		e, ok := f.Explain("high7")
		require.True(t, ok)
		assert.Equal(t, AgentFull, e.Reason)
		assert.Equal(t, step.want, e.Message())
	}
}
