package supervisor

import "time"

const (
	firstDelay = 200 * time.Millisecond
	lastDelay  = 30 * time.Second
	// A component that lasted this long was healthy: its next death starts the delays anew.
	healthyRun = 10 * time.Second
)

// backoff gives the delays before the restarts of one component.
type backoff struct{ delay time.Duration }

// next is the delay after a run that lasted so long.
func (b *backoff) next(ran time.Duration) time.Duration {
	switch {
	case b.delay == 0 || ran >= healthyRun:
		b.delay = firstDelay
	default:
		b.delay = min(2*b.delay, lastDelay)
	}
	return b.delay
}
