package scheduler

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

// steady has a ticker that ticks when the test says so, and says when its listener comes back to it.
type steady struct {
	clock.WithTicker
	ticks  chan time.Time
	back   chan struct{}
	period time.Duration
}

func (c *steady) NewTicker(d time.Duration) clock.Ticker {
	c.period = d
	return c
}

func (c *steady) C() <-chan time.Time {
	c.back <- struct{}{}
	return c.ticks
}

func (c *steady) Stop() {}

// statusWrites is a running status writer and what it has written of queue q's pending operations.
type statusWrites struct {
	clock   *steady
	pending []int
}

func (w *world) writesStatus(t *testing.T) *statusWrites {
	t.Helper()
	s := &statusWrites{clock: &steady{WithTicker: w.clock, ticks: make(chan time.Time), back: make(chan struct{})}}
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		var patch struct{ Status struct{ Pending int } }
		if strings.HasSuffix(r.URL.Path, "/queues/q/status") && json.NewDecoder(r.Body).Decode(&patch) == nil {
			s.pending = append(s.pending, patch.Status.Pending)
		}
		answer.Header().Set("Content-Type", "application/json")
		fmt.Fprint(answer, "{}")
	}))
	t.Cleanup(server.Close)
	client, err := newRESTClient(&rest.Config{Host: server.URL})
	require.NoError(t, err)
	w.room.clock = s.clock
	go (&statusWriter{w.room, client}).run(w.ctx)
	<-s.clock.back
	return s
}

// tick returns when all that follows from it is written.
func (s *statusWrites) tick() {
	s.clock.ticks <- time.Time{}
	<-s.clock.back
}

// However often the numbers of a queue change, they are written once a second, and not when they did not.
func TestStatusIsWrittenOnceASecondAtMost(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 0)
	w.settle()
	s := w.writesStatus(t)
	s.tick()
	require.Equal(t, time.Second, s.clock.period)
	require.Equal(t, []int{0}, s.pending, "that it serves")
	for i := range 9 {
		w.create(testPod(fmt.Sprint("p", i), "q"))
		w.settle()
	}
	require.Len(t, s.pending, 1, "nothing between two ticks")
	for range 3 {
		s.tick()
	}
	require.Equal(t, []int{0, 9}, s.pending, "all of a second in one, and nothing when nothing changed")
}

// Only the replica that leads writes.
func TestStatusIsWrittenByTheLeaderAlone(t *testing.T) {
	w := newWorld(testContext(t))
	replica := newReplica(&lease{}, "replica")
	w.room.fence = replica.fence
	w.queue("q", 0)
	w.settle()
	s := w.writesStatus(t)
	s.tick()
	require.Empty(t, s.pending)
	require.NoError(t, replica.renew(t))
	s.tick()
	require.Equal(t, []int{0}, s.pending)
	replica.clock.Step(time.Minute)
	w.create(testPod("p", "q"))
	w.settle()
	s.tick()
	require.Equal(t, []int{0}, s.pending, "its lease is over")
}
