package drill

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tellTime is set for a child that is asked for the time.
const tellTime = "DRILL_TELL_TIME"

func TestMain(m *testing.M) {
	if os.Getenv(tellTime) != "" {
		answerTime()
		return
	}
	os.Exit(m.Run())
}

// answerTime answers every line with the wall clock, and with how far the monotonic one came, while all processors read clocks.
func answerTime() {
	for range 2 * runtime.GOMAXPROCS(0) {
		go func() {
			for {
				time.Now()
			}
		}()
	}
	start := time.Now()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(time.Now().UnixNano(), time.Since(start).Nanoseconds())
	}
}

// TestSkewClock moves the clock of a running program and sees what that program sees.
func TestSkewClock(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		_, err := skewClock(os.Getpid(), time.Hour)
		require.ErrorContains(t, err, "only on linux/amd64")
		return
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), tellTime+"=1")
	ask, err := child.StdinPipe()
	require.NoError(t, err)
	answers, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	lines := bufio.NewScanner(answers)
	// tells is how far the child's clock is from ours, and its monotonic clock.
	tells := func() (offset, since time.Duration) {
		_, err := io.WriteString(ask, "\n")
		require.NoError(t, err)
		require.True(t, lines.Scan(), "the child has ended")
		wall, monotonic, _ := strings.Cut(lines.Text(), " ")
		at, err := strconv.ParseInt(wall, 10, 64)
		require.NoError(t, err)
		ns, err := strconv.ParseInt(monotonic, 10, 64)
		require.NoError(t, err)
		return time.Unix(0, at).Sub(time.Now()), time.Duration(ns)
	}
	// near allows for a slow machine; what is moved is moved by much more.
	near := func(want time.Duration) {
		t.Helper()
		got, _ := tells()
		require.InDelta(t, want, got, float64(10*time.Minute))
	}
	near(0)
	for _, offset := range []time.Duration{time.Hour, -time.Hour, 24 * time.Hour} {
		_, before := tells()
		restore, err := skewClock(child.Process.Pid, offset)
		require.NoError(t, err)
		near(offset)
		_, after := tells()
		require.Greater(t, after, before, "the monotonic clock goes on")
		require.Less(t, after-before, 10*time.Minute)
		require.NoError(t, restore())
		near(0)
	}
}
