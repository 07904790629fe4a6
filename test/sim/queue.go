package sim

import (
	"time"

	"github.com/queueyard/queueyard/pkg/ledger"
)

// queue is what is seen of one queue.
type queue struct {
	*node
	level  *level
	weight int64
	paused bool // admits none

	arrived, completed int64
	waits              histogram

	// Fairness is measured while the queue competes: operations wait and it has a seat left.
	competes  bool
	mark      time.Duration // the level's contended time when last looked at
	contended time.Duration
	share     float64 // seat-seconds held in that time
}

type levelKey struct {
	agent    string
	priority int64
}

// level is the queues of an agent that have the same priority.
type level struct {
	levelKey
	queues    []*queue
	competing int
	contended time.Duration // how long two or more queues competed
	since     time.Duration
}

func (w *world) newQueue(name string, c ledger.QueueConfig) *queue {
	key := levelKey{c.Agent, c.Level}
	v := w.levels[key]
	if v == nil {
		v = &level{levelKey: key}
		w.levels[key] = v
	}
	q := &queue{node: w.newNode(ledger.Queue, name, c.Limits), level: v, paused: c.Paused}
	v.queues = append(v.queues, q)
	return q
}

// weightOf is what a queue's share of the level is in proportion to.
func (v *level) weightOf(q *queue) int64 {
	if own := q.uses[seats].bound; own >= 0 {
		return max(own, 1)
	}
	largest := int64(1)
	for _, other := range v.queues {
		largest = max(largest, other.uses[seats].bound)
	}
	return largest
}

// settle adds up the time since the last change of the queue; call it before each.
func (q *queue) settle(now time.Duration) {
	q.level.settle(now)
	passed := q.level.contended - q.mark
	q.mark = q.level.contended
	if q.competes {
		q.contended += passed
		q.share += float64(q.uses[seats].held) * passed.Seconds()
	}
}

func (v *level) settle(now time.Duration) {
	if v.competing > 1 {
		v.contended += now - v.since
	}
	v.since = now
}

// judge sees whether the queue competes after a change.
func (q *queue) judge() {
	u := &q.uses[seats]
	competes := q.pending > 0 && (u.bound < 0 || u.held < u.bound)
	switch {
	case competes && !q.competes:
		q.level.competing++
	case !competes && q.competes:
		q.level.competing--
	}
	q.competes = competes
}

// fairness is Jain's index over the queues of the level: of what each held per weight while it
// competed. 1 is a division in proportion to the weights, 1/n is one queue having all. Queues that
// competed for less than a tenth of the time are left out. False: fewer than two are left.
func (v *level) fairness() (float64, bool) {
	var n, sum, squares float64
	for _, q := range v.queues {
		if q.contended == 0 || q.contended < v.contended/10 {
			continue
		}
		x := q.share / q.contended.Seconds() / float64(q.weight)
		n++
		sum += x
		squares += x * x
	}
	if n < 2 || squares == 0 {
		return 0, false
	}
	return sum * sum / (n * squares), true
}
