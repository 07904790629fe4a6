package ledger

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRevalidate(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(f *fixture) // after the pod "x", of operation "job", was admitted
		want string           // empty: it stands
	}{
		{"nothing changed", func(*fixture) {}, ""},
		{"paused", func(f *fixture) { f.queue("q", 1, 2, paused) }, "queue q is paused; it admits again when its state is Open"},
		{"queue deleted", func(f *fixture) { f.DeleteQueue("q") }, "queue q does not exist; create it or name another queue"},
		{"agent deleted", func(f *fixture) { f.DeleteAgent("default") },
			"agent default of queue q does not exist; create it or give the queue another agent"},
		{"concurrency lowered to what it holds", func(f *fixture) { f.queue("q", 1, 1) }, ""},
		{"concurrency lowered below it", func(f *fixture) { f.queue("q", 1, 0) },
			"queue q: 1 operations hold a seat and its concurrency is now 0; the pod waits again"},
		{"its operation runs", func(f *fixture) {
			f.Charge(f.pod("sibling", "q", of("job")))
			f.queue("q", 1, 0)
		}, ""},
		{"quota lowered", func(f *fixture) { f.SetProject("p", "", limited(-1, "cpu", 1000)) },
			"project p: 2 of cpu is charged and its quota is now 1; the pod waits again"},
		{"quota lowered of what it does not use", func(f *fixture) {
			f.Charge(f.pod("other", "q", asks("gpu", 4)))
			f.queue("q", 1, 2, quota("gpu", 1))
		}, ""},
		{"budget used up", func(f *fixture) { f.queue("q", 1, 2, closed("budget 1.00 per day used up")) },
			"queue q: budget 1.00 per day used up"},
		{"cost quota lowered", func(f *fixture) {
			f.Charge(f.pod("other", "q", asks(CostPerHour, 2_000_000), of("job")))
			f.Return("x")
			f.enter("x", "q", of("job"), in("p"), asks(CostPerHour, 1_000_000))
			f.admit()
			f.queue("q", 1, 2, quota(CostPerHour, 1_500_000))
		}, "queue q: cost 3.00 per hour is charged and its quota is now 1.50 per hour; the pod waits again"},
		{"it runs", func(f *fixture) {
			f.Charge(f.pod("x", "q", of("job"), in("p"), asks("cpu", 2000)))
			f.queue("q", 1, 0)
		}, ""},
		{"it was returned", func(f *fixture) { f.Return("x") }, "pod x holds no room: it must be admitted before it is placed"},
		{"it is gone", func(f *fixture) { f.Remove("x") }, "pod x holds no room: it must be admitted before it is placed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.SetProject("p", "", limited(-1))
			f.queue("q", 1, 2)
			f.enter("x", "q", of("job"), in("p"), asks("cpu", 2000))
			assert.Equal(t, "x", f.admit())
			test.play(f)
			err := f.Revalidate("x")
			if test.want == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, test.want)
			}
		})
	}
}

// Of several admitted pods over a lowered limit, those that give way first save the rest.
func TestRevalidateAfterOthersGaveWay(t *testing.T) {
	f := newFixture(t)
	f.queue("q", 1, 2)
	f.enter("a", "q")
	f.enter("b", "q")
	f.admit()
	f.queue("q", 1, 1)
	assert.Error(t, f.Revalidate("a"))
	f.Return("a")
	assert.NoError(t, f.Revalidate("b"))
	assert.Empty(t, f.admit())
}

func TestContended(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(f *fixture) // after "x" took one of the two seats of q
		want bool
	}{
		{"nobody waits", func(*fixture) {}, false},
		{"the seat is wanted", func(f *fixture) { f.enter("a", "q"); f.enter("b", "q") }, true},
		{"a seat is still free", func(f *fixture) { f.enter("a", "q") }, false},
		{"who waits is suspended", func(f *fixture) { f.enter("a", "q"); f.enter("b", "q"); f.Suspend("b", "") }, false},
		{"the seat stays with its siblings", func(f *fixture) {
			f.Charge(f.pod("sibling", "q", of("job")))
			f.enter("a", "q")
			f.enter("b", "q")
		}, false},
		{"its cpu is wanted in another queue", func(f *fixture) {
			f.SetProject("p", "", limited(-1, "cpu", 2000))
			f.queue("r", 1, Unlimited)
			f.enter("a", "r", in("p"), asks("cpu", 1000))
		}, true},
		{"who waits can never fit", func(f *fixture) {
			f.SetProject("p", "", limited(-1, "cpu", 2000))
			f.queue("r", 1, Unlimited)
			f.enter("a", "r", in("p"), asks("cpu", 3000))
		}, false},
		{"others wait for what it does not hold", func(f *fixture) {
			f.queue("r", 1, 1)
			f.enter("a", "r")
			f.enter("b", "r")
		}, false},
		{"it holds nothing any more", func(f *fixture) { f.Suspend("x", ""); f.queue("q", 1, 1); f.enter("a", "q"); f.enter("b", "q") }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.queue("q", 1, 2)
			f.enter("x", "q", of("job"), in("p"), asks("cpu", 2000))
			f.admit()
			test.play(f)
			f.admit()
			assert.Equal(t, test.want, f.Contended("x"))
		})
	}
}
