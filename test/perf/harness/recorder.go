package harness

import (
	"slices"
	"sync"
	"time"
)

// Recorder turns what a watch shows of a run's pods into figures. All times are times of receipt in
// one client.
type Recorder struct {
	mu     sync.Mutex
	seats  int // of each queue; 0 is unlimited
	pods   map[string]*podTimes
	queues map[string]*queueTimes
	binds  []time.Time
	ends   []time.Time
	total  int

	Bound chan struct{} // closed when every pod has got a node
	Ended chan struct{} // closed when every pod has ended
}

type podTimes struct {
	queue          string
	created, bound time.Time
	ended          bool
}

// queueTimes follows the seats of one queue from the moment all are taken for the first time to the
// moment its last pod is bound: while operations wait.
type queueTimes struct {
	expected, bound, occupied, peak int
	freed                           []time.Time // ends that no bind has followed yet, oldest first
	turnover                        []time.Duration
	full, last                      time.Time // the interval, and until when area is summed
	area                            float64   // occupied seats times seconds in it
	done                            bool
}

// NewRecorder expects a number of pods in each queue.
func NewRecorder(seats int, expected map[string]int) *Recorder {
	r := &Recorder{seats: seats, pods: map[string]*podTimes{}, queues: map[string]*queueTimes{},
		Bound: make(chan struct{}), Ended: make(chan struct{})}
	for queue, n := range expected {
		r.queues[queue] = &queueTimes{expected: n}
		r.total += n
	}
	return r
}

// Created notes that a pod is about to be created.
func (r *Recorder) Created(pod, queue string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pods[pod] = &podTimes{queue: queue, created: now}
}

// Observe notes what an event shows of a pod. Pods of other runs are passed over.
func (r *Recorder) Observe(pod string, bound, ended bool, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pods[pod]
	if p == nil {
		return
	}
	q := r.queues[p.queue]
	if bound && p.bound.IsZero() {
		p.bound = now
		r.binds = append(r.binds, now)
		q.bind(now, r.seats)
		if len(r.binds) == r.total {
			close(r.Bound)
		}
	}
	if ended && !p.bound.IsZero() && !p.ended {
		p.ended = true
		r.ends = append(r.ends, now)
		q.end(now)
		if len(r.ends) == r.total {
			close(r.Ended)
		}
	}
}

func (q *queueTimes) advance(now time.Time) {
	if !q.full.IsZero() && !q.done {
		q.area += float64(q.occupied) * now.Sub(q.last).Seconds()
		q.last = now
	}
}

func (q *queueTimes) bind(now time.Time, seats int) {
	q.advance(now)
	q.occupied++
	q.bound++
	q.peak = max(q.peak, q.occupied)
	if len(q.freed) > 0 {
		if seats > 0 && q.bound > seats {
			q.turnover = append(q.turnover, now.Sub(q.freed[0]))
		}
		q.freed = q.freed[1:]
	}
	if q.full.IsZero() && seats > 0 && q.occupied >= seats {
		q.full, q.last = now, now
	}
	q.done = q.bound == q.expected
}

func (q *queueTimes) end(now time.Time) {
	q.advance(now)
	q.occupied--
	q.freed = append(q.freed, now)
}

// Timing is what a recorder has measured.
type Timing struct {
	// Placed and Finished are pods per second, between the 10th and the 90th percent of them.
	Placed   float64 `json:"placedPerSecond"`
	Finished float64 `json:"finishedPerSecond"`
	// Utilisation is the time-averaged share of the seats that had a pod on a node, from the moment
	// a queue was full to the last of its pods getting a node; the mean and the lowest queue.
	Utilisation    float64 `json:"utilisation,omitempty"`
	UtilisationMin float64 `json:"utilisationMin,omitempty"`
	// Turnover is the milliseconds from a pod's end to the next bind in its queue.
	TurnoverP50 float64 `json:"turnoverP50Ms,omitempty"`
	TurnoverP99 float64 `json:"turnoverP99Ms,omitempty"`
	// Wait is the milliseconds from creation to a node.
	WaitP50 float64 `json:"waitP50Ms"`
	WaitP99 float64 `json:"waitP99Ms"`
	// Peak is the largest number of pods on nodes at one moment in one queue.
	Peak int `json:"peak"`
}

// Timing is what was measured so far.
func (r *Recorder) Timing() Timing {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := Timing{Placed: Rate(r.binds), Finished: Rate(r.ends)}
	var waits, turnovers []time.Duration
	for _, p := range r.pods {
		if !p.bound.IsZero() {
			waits = append(waits, p.bound.Sub(p.created))
		}
	}
	var shares []float64
	for _, q := range r.queues {
		t.Peak = max(t.Peak, q.peak)
		turnovers = append(turnovers, q.turnover...)
		if seconds := q.last.Sub(q.full).Seconds(); !q.full.IsZero() && seconds > 0 {
			shares = append(shares, q.area/seconds/float64(r.seats))
		}
	}
	t.WaitP50, t.WaitP99 = Millis(waits, 0.5), Millis(waits, 0.99)
	t.TurnoverP50, t.TurnoverP99 = Millis(turnovers, 0.5), Millis(turnovers, 0.99)
	if len(shares) > 0 {
		t.UtilisationMin = slices.Min(shares)
		for _, s := range shares {
			t.Utilisation += s / float64(len(shares))
		}
	}
	return t
}

// Rate is events per second, without the first and the last tenth.
func Rate(times []time.Time) float64 {
	from, to := len(times)/10, len(times)*9/10
	if to <= from {
		return 0
	}
	return float64(to-from) / times[to].Sub(times[from]).Seconds()
}

// Millis is a quantile in milliseconds.
func Millis(d []time.Duration, p float64) float64 {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return float64(d[int(p*float64(len(d)-1)+0.5)].Microseconds()) / 1000
}
