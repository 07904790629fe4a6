//go:build !(linux && amd64)

package drill

import (
	"errors"
	"runtime"
	"time"
)

// skewClock cannot move the clock of another process here: it would take machine code of this platform.
func skewClock(int, time.Duration) (restore func() error, err error) {
	return nil, errors.New("nobody can move the clock of a running program on " + runtime.GOOS + "/" + runtime.GOARCH + " here, only on linux/amd64")
}
