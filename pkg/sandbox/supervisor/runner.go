package supervisor

import (
	"context"
	"log"
	"time"

	"github.com/queueyard/queueyard/pkg/sandbox/process"
)

// stopGrace is how long a component may take to end. The process node ends its pods in that time.
const stopGrace = 20 * time.Second

// runner keeps one component running.
type runner struct {
	component Component
	report    func(Status)
	stop      context.CancelFunc
	stopped   chan struct{}
}

func startRunner(ctx context.Context, component Component, report func(Status)) *runner {
	ctx, cancel := context.WithCancel(ctx)
	r := &runner{component: component, report: report, stop: cancel, stopped: make(chan struct{})}
	go func() {
		defer close(r.stopped)
		r.run(ctx)
	}()
	return r
}

// end stops the component and returns when it is gone.
func (r *runner) end() {
	r.stop()
	<-r.stopped
}

func (r *runner) run(ctx context.Context) {
	status := Status{Name: r.component.Name}
	set := func(state State, pid int) {
		status.State, status.PID, status.Since = state, pid, time.Now()
		r.report(status)
	}
	delays := &backoff{}
	for {
		started := time.Now()
		p, err := process.Start(r.component.Process)
		if err == nil {
			set(Running, p.PID())
			select {
			case <-p.Done():
				err = p.Err()
			case <-ctx.Done():
				p.Stop(stopGrace)
				set(Stopped, 0)
				return
			}
		}
		status.LastExit = "exit status 0"
		if err != nil {
			status.LastExit = err.Error()
		}
		delay := delays.next(time.Since(started))
		log.Printf("%s ended (%s), starting it again in %s", r.component.Name, status.LastExit, delay)
		set(BackingOff, 0)
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			set(Stopped, 0)
			return
		}
		status.Restarts++
	}
}
