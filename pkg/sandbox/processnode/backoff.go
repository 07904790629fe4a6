package processnode

import "time"

const (
	crashFirstDelay = time.Second
	crashLastDelay  = 5 * time.Minute
	// A container that lasted this long was healthy: its next end starts the delays anew.
	crashHealthyRun = 10 * time.Minute
)

// crashBackoff gives the delays between the runs of one container: none before the first restart, then longer and
// longer. It starts lower than a kubelet's 10 seconds, because a sandbox has someone looking at it.
type crashBackoff struct {
	restarted bool
	delay     time.Duration
}

// next is the delay after a run that lasted so long.
func (b *crashBackoff) next(ran time.Duration) time.Duration {
	switch {
	case !b.restarted || ran >= crashHealthyRun:
		b.restarted, b.delay = true, 0
	case b.delay == 0:
		b.delay = crashFirstDelay
	default:
		b.delay = min(2*b.delay, crashLastDelay)
	}
	return b.delay
}
