package audit

import (
	"slices"
	"time"
)

// QueueSummary is what was seen of one queue.
type QueueSummary struct {
	Queue string `json:"queue"`
	// Peak is the largest number of operations that had a pod on a node at one moment.
	Peak int `json:"peak"`
	// Limit is the largest concurrency that was in force; -1 is unlimited.
	Limit int64 `json:"limit"`
	// Operations were seen; Started ones got a node, Finished ones have given their seat back.
	Operations int `json:"operations"`
	Started    int `json:"started"`
	Finished   int `json:"finished"`
	// Seconds from when the audit first saw an operation to its first node.
	WaitP50 float64 `json:"waitP50"`
	WaitP95 float64 `json:"waitP95"`
	WaitMax float64 `json:"waitMax"`
}

type queueStats struct {
	summary QueueSummary
	waits   []time.Duration
}

type opStats struct {
	seen              time.Time // zero: bound before it was seen
	started, finished bool
}

type stats struct {
	queues map[string]*queueStats
	ops    map[opKey]*opStats
}

func newStats() stats {
	return stats{queues: map[string]*queueStats{}, ops: map[opKey]*opStats{}}
}

func (s *stats) queue(name string) *queueStats {
	q := s.queues[name]
	if q == nil {
		q = &queueStats{summary: QueueSummary{Queue: name}}
		s.queues[name] = q
	}
	return q
}

func (s *stats) op(r *podRecord, seen time.Time) *opStats {
	o := s.ops[r.op]
	if o == nil {
		o = &opStats{seen: seen}
		s.ops[r.op] = o
		s.queue(r.queue).summary.Operations++
	}
	return o
}

// limits notes the bounds of a queue.
func (s *stats) limits(queue string, b bounds) {
	q := &s.queue(queue).summary
	limit, bounded := b[operations]
	switch {
	case !bounded:
		q.Limit = -1
	case q.Limit >= 0:
		q.Limit = max(q.Limit, limit.Value())
	}
}

// waits notes a pod without a node.
func (s *stats) waits(now time.Time, r *podRecord) { s.op(r, now) }

// holds notes a pod that has a node, in a queue that so many operations occupy now.
func (s *stats) holds(now time.Time, r *podRecord, occupied int) {
	q := s.queue(r.queue)
	q.summary.Peak = max(q.summary.Peak, occupied)
	o := s.op(r, time.Time{})
	if o.started {
		return
	}
	o.started = true
	q.summary.Started++
	if !o.seen.IsZero() {
		q.waits = append(q.waits, now.Sub(o.seen))
	}
}

// frees notes a pod that has ended, and whether its operation's seat is free with it.
func (s *stats) frees(r *podRecord, seat bool) {
	if o := s.ops[r.op]; o != nil && seat && !o.finished {
		o.finished = true
		s.queue(r.queue).summary.Finished++
	}
}

// Summary is what was seen of each queue, by name.
func (a *Auditor) Summary() []QueueSummary {
	var all []QueueSummary
	for _, q := range a.stats.queues {
		slices.Sort(q.waits)
		s := q.summary
		s.WaitP50, s.WaitP95, s.WaitMax = quantile(q.waits, 0.5), quantile(q.waits, 0.95), quantile(q.waits, 1)
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y QueueSummary) int {
		if x.Queue < y.Queue {
			return -1
		}
		return 1
	})
	return all
}

// quantile of sorted durations, in seconds.
func quantile(sorted []time.Duration, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(p*float64(len(sorted)-1)+0.5)].Seconds()
}
