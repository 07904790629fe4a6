package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/test/perf/harness"
)

const (
	// lineSeats are those of the queue with the long line.
	lineSeats = 50
	// restartAfter is how many more pods must get a node after the controller was started anew.
	restartAfter = 4 * lineSeats
	// queueing bounds the time from the last creation to all being queued.
	queueing = 20 * time.Minute
)

// waitingLine is what a long line of operations costs.
type waitingLine struct {
	Queued int `json:"queued"`
	// CreatedIn and QueuedIn are the seconds until all were created and until all were seen as queued.
	CreatedIn float64 `json:"createdInSeconds"`
	QueuedIn  float64 `json:"queuedInSeconds"`
	// Creating is what each cost until then.
	Creating harness.Costs `json:"creating"`
	// Heap and RSS of the controller, MiB, before and with the line at rest.
	HeapBefore float64 `json:"heapBeforeMiB"`
	Heap       float64 `json:"heapMiB"`
	RSSBefore  float64 `json:"rssBeforeMiB"`
	RSS        float64 `json:"rssMiB"`
	// ToNode and ToRunning are the milliseconds from the opening of the queue to the first pod on a
	// node and the first operation seen as running.
	ToNode    float64 `json:"firstNodeMs"`
	ToRunning float64 `json:"firstRunningMs"`
	// Ended operations with the rest behind them, and what each cost.
	Ended int `json:"ended"`
	harness.Figures
	harness.Costs
	// Restart is the longest time in milliseconds between two pods getting nodes, from the moment the controller is told to end.
	Restart float64 `json:"restartMs"`
}

// line makes a long line in one queue and then opens it.
func (b *bench) line(ctx context.Context, queued, ended int) (*waitingLine, error) {
	ended = min(ended, queued/2)
	l := &waitingLine{Queued: queued, Ended: ended}
	s, err := b.start(ctx, harness.QueueNames(1), lineSeats, queued, ended)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := s.set(ctx, lineSeats, v1alpha1.QueuePaused); err != nil {
		return nil, err
	}
	if err := b.fill(ctx, s, l); err != nil {
		return nil, err
	}
	say("%d created in %.0f s, queued in %.0f s; controller: heap %.0f MiB, RSS %.0f MiB", queued, l.CreatedIn, l.QueuedIn, l.Heap, l.RSS)
	if err := b.open(ctx, s, l); err != nil {
		return nil, err
	}
	say("first on a node after %.0f ms, %.1f finished/s, at most %d waiting pods", l.ToNode, l.Succeeded, l.MostWaiting)
	return l, b.restart(ctx, s, l)
}

// fill creates the line.
func (b *bench) fill(ctx context.Context, s *sending, l *waitingLine) error {
	before, err := b.Read(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := s.create(ctx, 0, l.Queued); err != nil {
		return err
	}
	l.CreatedIn = time.Since(start).Seconds()
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, queueing, true, func(context.Context) (bool, error) {
		return s.watched.Queued() == l.Queued, nil
	})
	if err != nil {
		return fmt.Errorf("%d of %d operations are queued: %w", s.watched.Queued(), l.Queued, err)
	}
	l.QueuedIn = time.Since(start).Seconds()
	if err := b.Quiet(ctx); err != nil {
		return err
	}
	after, err := b.Read(ctx)
	if err != nil {
		return err
	}
	l.Creating = harness.CostsOf(before, after, l.Queued)
	l.HeapBefore, l.Heap = before.Controller.Heap, after.Controller.Heap
	l.RSSBefore, l.RSS = before.RSS[sandbox.Controller], after.RSS[sandbox.Controller]
	return nil
}

// open opens the queue and measures those at the head of the line.
func (b *bench) open(ctx context.Context, s *sending, l *waitingLine) error {
	before, err := b.Read(ctx)
	if err != nil {
		return err
	}
	opened := time.Now()
	if err := s.set(ctx, lineSeats, v1alpha1.QueueOpen); err != nil {
		return err
	}
	if err := s.watched.Await(ctx); err != nil {
		return err
	}
	after, err := b.Read(ctx)
	if err != nil {
		return err
	}
	l.Figures, l.Costs = s.watched.Figures(), harness.CostsOf(before, after, l.Ended)
	l.ToNode = float64(l.Figures.FirstNode.Sub(opened).Microseconds()) / 1000
	l.ToRunning = float64(l.Figures.FirstRunning.Sub(opened).Microseconds()) / 1000
	return nil
}

// restart ends the controller; the sandbox starts it anew.
func (b *bench) restart(ctx context.Context, s *sending, l *waitingLine) error {
	from := len(s.watched.OnNodes()) - 1
	if err := b.Sandbox.Signal(sandbox.Controller, syscall.SIGTERM); err != nil {
		return err
	}
	var bound []time.Time
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 5*time.Minute, true, func(context.Context) (bool, error) {
		bound = s.watched.OnNodes()[from:]
		// Those that had pods go on without the controller: enough more must follow.
		return len(bound) > maxAhead+restartAfter, nil
	})
	if err != nil {
		return fmt.Errorf("after the controller was started anew, %d pods got nodes: %w", len(bound), err)
	}
	for i := 1; i < len(bound); i++ {
		l.Restart = max(l.Restart, float64(bound[i].Sub(bound[i-1]).Microseconds())/1000)
	}
	return nil
}

// maxAhead is more than the operations of a queue that have pods and no node.
const maxAhead = 256
