package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/queueyard/queueyard/pkg/sandbox/layout"
)

const lockPatience = 2 * time.Second

// ErrRunning means that another supervisor holds the sandbox.
var ErrRunning = errors.New("a supervisor is running already")

// lock takes the sandbox for this process and writes its id into the lock file. The kernel gives the lock back when
// the process ends, however it ends.
func lock(ctx context.Context, dir layout.Dir) (*os.File, error) {
	var file *os.File
	// Asking whether a supervisor runs takes the lock for a moment: that must not keep one from starting.
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, lockPatience, true, func(context.Context) (bool, error) {
		var err error
		file, err = TryLock(dir.Lock())
		return file != nil, err
	})
	if wait.Interrupted(err) {
		return nil, fmt.Errorf("%w in %s", ErrRunning, dir)
	}
	if err != nil {
		return nil, err
	}
	err = file.Truncate(0)
	if err == nil {
		_, err = file.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// TryLock takes a lock file, or gives nil when another process holds it.
func TryLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, file.Close()
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// PID is the process id of the living supervisor, 0 when there is none. The lock decides, not the number in the
// file, which may be left over from a supervisor that was killed.
func PID(dir layout.Dir) (int, error) {
	if _, err := os.Stat(dir.Lock()); errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	file, err := TryLock(dir.Lock())
	if err != nil {
		return 0, err
	}
	if file != nil {
		return 0, file.Close()
	}
	data, err := os.ReadFile(dir.Lock())
	if err != nil {
		return 0, err
	}
	// Between taking the lock and writing the number the file is empty: no number yet.
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid, nil
}
