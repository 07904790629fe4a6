package cli

import (
	"context"
	"time"
)

// lookPeriod is how often qy looks at what it does not watch.
const lookPeriod = time.Second

// poll looks until it is done. It looks at least once; after the timeout, if there is one, late says what that means.
func poll(ctx context.Context, timeout time.Duration, look func() (done bool, err error), late func() error) error {
	var end <-chan time.Time
	if timeout > 0 {
		end = time.After(timeout)
	}
	ticker := time.NewTicker(lookPeriod)
	defer ticker.Stop()
	for {
		done, err := look()
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-end:
			return late()
		case <-ticker.C:
		}
	}
}
