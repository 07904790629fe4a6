package scheduler

import (
	"cmp"
	"container/heap"
	"fmt"
	"time"
)

// declaredStart plays the blocking limit forward: what holds room ends when it declares to, and who is
// ahead takes what is freed, in order, and ends in turn. Zero where that does not lead to the pod's start:
// something needed does not declare its end, or others compete for the limit.
func (v *view) declaredStart() time.Time {
	if v.blocking == nil || !v.line {
		return time.Time{}
	}
	free := v.blocking.Limit - v.blocking.Used - v.blocking.Kept - v.blocking.Held
	var ends endHeap
	for _, h := range v.holders {
		if !h.ends.IsZero() {
			ends = append(ends, ending{h.ends, h.amount})
		}
	}
	heap.Init(&ends)
	now := v.now
	take := func(need int64) bool {
		for free < need {
			if len(ends) == 0 {
				return false
			}
			end := heap.Pop(&ends).(ending)
			if end.at.After(now) {
				now = end.at
			}
			free += end.amount
		}
		free -= need
		return true
	}
	for _, a := range v.ahead {
		if !take(a.amount) {
			return time.Time{}
		}
		if a.runtime > 0 {
			heap.Push(&ends, ending{now.Add(a.runtime), a.amount})
		}
	}
	if !take(v.blocking.Need) {
		return time.Time{}
	}
	return now
}

// ending is room that becomes free.
type ending struct {
	at     time.Time
	amount int64
}

type endHeap []ending

func (h endHeap) Len() int           { return len(h) }
func (h endHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h endHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *endHeap) Push(x any)        { *h = append(*h, x.(ending)) }
func (h *endHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	*h = (*h)[:last]
	return e
}

// compareEnds puts what ends first before what ends later, and what does not say so last.
func compareEnds(a, b time.Time) int {
	if a.IsZero() != b.IsZero() {
		if a.IsZero() {
			return 1
		}
		return -1
	}
	return a.Compare(b)
}

// turnover remembers when the last pods of a queue started. It is kept in memory: a new leader begins
// to count anew.
type turnover struct {
	starts [turnoverSize]time.Time
	count  int // of starts ever
}

const (
	turnoverSize   = 64
	turnoverWindow = time.Hour
	// turnoverLeast is how many starts tell a pace.
	turnoverLeast = 4
)

// started counts a pod of a queue that starts.
func (r *Room) started(queue string) {
	t := r.turnovers[queue]
	if t == nil {
		t = &turnover{}
		r.turnovers[queue] = t
	}
	t.starts[t.count%turnoverSize] = r.clock.Now()
	t.count++
}

// recent is how many of the remembered starts are not too old, and since when.
func (t *turnover) recent(now time.Time) (count int, since time.Time) {
	for i := range min(t.count, turnoverSize) {
		at := t.starts[(t.count-1-i)%turnoverSize]
		if now.Sub(at) > turnoverWindow {
			break
		}
		count, since = count+1, at
	}
	return count, since
}

// start is when the pod at a position starts at that pace; zero where there is none. The pace is measured
// until now, so it slows down while nothing starts.
func (t *turnover) start(position int, now time.Time) time.Time {
	count, since := t.recent(now)
	if count < turnoverLeast {
		return time.Time{}
	}
	return now.Add(time.Duration(float64(now.Sub(since)) / float64(count) * float64(position))).Round(time.Second)
}

func (t *turnover) pace(now time.Time) string {
	count, since := t.recent(now)
	return fmt.Sprintf("%d pods started in the last %s", count, cmp.Or(now.Sub(since).Round(time.Second), time.Second))
}
