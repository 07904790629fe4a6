// Package supervisor keeps the processes of one sandbox running. Other processes talk to it by files and signals:
// the list of components and SIGHUP to start what was added, SIGTERM to stop all.
package supervisor

import (
	"context"
	"log"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/queueyard/queueyard/pkg/sandbox/layout"
)

type supervisor struct {
	dir     layout.Dir
	runners []*runner

	mu     sync.Mutex
	status []Status
}

// Run keeps the components of the sandbox in dir running until the context ends, then stops them, last one first.
func Run(ctx context.Context, dir layout.Dir) error {
	// Asked for before the lock is taken: whoever sees the lock may send the signal.
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)

	held, err := lock(ctx, dir)
	if err != nil {
		return err
	}
	defer held.Close()

	// What a killed predecessor wrote is no longer true.
	if err := writeJSON(dir.Status(), []Status{}); err != nil {
		return err
	}
	s := &supervisor{dir: dir}
	if err := s.startMissing(); err != nil {
		return err
	}
	for {
		select {
		case <-reload:
			if err := s.startMissing(); err != nil {
				log.Print(err)
			}
		case <-ctx.Done():
			for _, r := range slices.Backward(s.runners) {
				r.end()
			}
			return nil
		}
	}
}

func (s *supervisor) startMissing() error {
	components, err := ReadComponents(s.dir)
	if err != nil {
		return err
	}
	for _, c := range components {
		if !slices.ContainsFunc(s.runners, func(r *runner) bool { return r.component.Name == c.Name }) {
			// Stopping is the supervisor's to order, so the runners do not share its context.
			s.runners = append(s.runners, startRunner(context.Background(), c, s.report))
		}
	}
	return nil
}

func (s *supervisor) report(status Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.status, func(known Status) bool { return known.Name == status.Name })
	if i < 0 {
		s.status = append(s.status, status)
	} else {
		s.status[i] = status
	}
	if err := writeJSON(s.dir.Status(), s.status); err != nil {
		log.Printf("status of the components: %v", err)
	}
}
