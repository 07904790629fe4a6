package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// asProgram is in the environment of a test that is qy itself: a process of its own, which has a terminal or has none.
const asProgram = "TEST_AS_QY"

func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return Main(ctx, Terminal(), append([]string{"qy"}, os.Args[1:]...))
}

// patience is how long something that must come may take on a busy machine.
const patience = time.Minute

func process(t *testing.T, environment []string, line ...string) *exec.Cmd {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, append(line, "--kubeconfig", shared.env.Dir.Kubeconfig(), "--cache-dir", t.TempDir())...)
	cmd.Env = append(os.Environ(), append([]string{asProgram + "=1", "TERM=xterm", "NO_COLOR="}, environment...)...)
	return cmd
}

// terminal is a program on a real terminal, and what its screen shows.
type terminal struct {
	*testing.T
	cmd  *exec.Cmd
	tty  *os.File
	mu   sync.Mutex
	raw  bytes.Buffer
	more chan struct{}
}

func onTerminal(t *testing.T, environment []string, line ...string) *terminal {
	x := &terminal{T: t, cmd: process(t, environment, line...), more: make(chan struct{}, 1)}
	var err error
	x.tty, err = pty.StartWithSize(x.cmd, &pty.Winsize{Rows: 24, Cols: 100})
	require.NoError(t, err)
	t.Cleanup(func() { _ = x.tty.Close() })
	go func() {
		defer close(x.more)
		buffer := make([]byte, 4096)
		for {
			n, err := x.tty.Read(buffer)
			x.mu.Lock()
			x.raw.Write(buffer[:n])
			x.mu.Unlock()
			if err != nil {
				return // the program has ended
			}
			select {
			case x.more <- struct{}{}:
			default:
			}
		}
	}()
	return x
}

func (x *terminal) written() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.raw.String()
}

// until waits until the screen shows something.
func (x *terminal) until(wanted string) {
	x.Helper()
	late := time.After(patience)
	for !strings.Contains(screenOf(x.written()), wanted) {
		select {
		case _, open := <-x.more:
			if !open && !strings.Contains(screenOf(x.written()), wanted) {
				x.Fatalf("it has ended and never shown %q:\n%s", wanted, screenOf(x.written()))
			}
		case <-late:
			x.Fatalf("it does not show %q:\n%s", wanted, screenOf(x.written()))
		}
	}
}

// end waits for the program, and gives its exit code.
func (x *terminal) end() int {
	_ = x.cmd.Wait() // the code says it
	for range x.more {
	}
	return x.cmd.ProcessState.ExitCode()
}

var control = regexp.MustCompile(`^\x1b\[(\d*)([A-Zm])`)

// screenOf is what a terminal shows of what was written to it: lines can be gone back over and erased.
func screenOf(raw string) string {
	lines, at := []string{""}, 0
	for raw != "" {
		if found := control.FindStringSubmatch(raw); found != nil {
			switch n, _ := strconv.Atoi(found[1]); found[2] {
			case "A":
				at = max(0, at-n)
			case "K":
				lines[at] = ""
			case "J":
				lines = append(lines[:at], "")
			}
			raw = raw[len(found[0]):]
			continue
		}
		switch raw[0] {
		case '\r':
		case '\n':
			if at++; at == len(lines) {
				lines = append(lines, "")
			}
		default:
			lines[at] += raw[:1]
		}
		raw = raw[1:]
	}
	return strings.Join(lines, "\n")
}

func extend(s *session, name string, status v1alpha1.Status) {
	s.Helper()
	op := object(s, &v1alpha1.Operation{}, "team", name)
	op.Status.Phase, op.Status.ObservedGeneration = status, op.Generation
	op.Status.Timeline = append(op.Status.Timeline, v1alpha1.TimelineEntry{Status: status, Reason: "Tested", Time: metav1.NowMicro(), Attempt: 1})
	require.NoError(s, shared.admin.Status().Update(s.Context(), op))
}

const anOperation = `
kind: Operation
metadata: {name: live}
spec: {queue: gpu, template: {pod: {spec: {}}}}
status: {phase: queued, queue: gpu, attempt: 1, timeline: [{status: queued, time: "2026-03-01T11:00:00.000000Z", reason: Queued, message: waits in queue gpu, attempt: 1}]}
`

// The timeline grows in its place until the end, in colours that the exit code agrees with.
func TestTerminalStatuses(t *testing.T) {
	for name, c := range map[string]struct {
		ends        v1alpha1.Status
		environment []string
		coloured    string
		code        int
	}{
		"succeeded": {v1alpha1.StatusSucceeded, nil, "\x1b[32msucceeded\x1b[0m", 0},
		"failed":    {v1alpha1.StatusFailed, nil, "\x1b[31mfailed\x1b[0m", codeFailed},
		"no colour": {v1alpha1.StatusStopped, []string{"NO_COLOR=1"}, "", codeStopped},
		"dumb":      {v1alpha1.StatusSkipped, []string{"TERM=dumb"}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := &session{T: t}
			defer s.clean()
			s.given(anOperation)
			x := onTerminal(t, c.environment, "statuses", "live", "-w", "-n", "team")
			x.until("waits in queue gpu")
			extend(s, "live", v1alpha1.StatusRunning)
			x.until("running")
			extend(s, "live", c.ends)
			require.Equal(t, c.code, x.end())
			raw, shown := x.written(), screenOf(x.written())
			require.Equal(t, 1, strings.Count(shown, "waits in queue gpu"), shown)
			if name == "dumb" {
				require.NotContains(t, raw, "\x1b")
				return
			}
			require.Equal(t, 1, strings.Count(shown, "SINCE"), shown)
			require.Regexp(t, `(?s)STATUS.*queued.*running.*`+string(c.ends), shown)
			if c.coloured != "" {
				require.Contains(t, raw, c.coloured)
				require.Contains(t, raw, "\x1b[33mqueued\x1b[0m")
			} else {
				require.NotRegexp(t, `\x1b\[\d*m`, raw)
			}
		})
	}
}

// Queues are drawn over themselves as they change, until somebody interrupts.
func TestTerminalTop(t *testing.T) {
	s := &session{T: t}
	defer s.clean()
	s.given("kind: Queue\nmetadata: {name: gpu}\nspec: {agent: default, concurrency: 4}\nstatus: {pending: 0, admitted: 1, running: 1}\n")
	x := onTerminal(t, nil, "top")
	x.until("██░░░░░░░░ 1/4")
	q := object(s, &v1alpha1.Queue{}, "", "gpu")
	q.Status.Admitted, q.Status.Pending = 4, 7
	require.NoError(t, shared.admin.Status().Update(t.Context(), q))
	x.until("██████████ 4/4")
	require.Contains(t, screenOf(x.written()), "1 queue, 4 running, 7 waiting")
	require.Equal(t, 1, strings.Count(screenOf(x.written()), "QUEUE"))
	require.Contains(t, x.written(), "\x1b[33m7\x1b[0m")
	require.NoError(t, shared.admin.Delete(t.Context(), q))
	x.until("0 queues")
	_, err := x.tty.WriteString("\x03")
	require.NoError(t, err)
	require.Equal(t, codeInterrupted, x.end())
}

// What is piped has neither colours nor anything else that only a terminal reads.
func TestPiped(t *testing.T) {
	s := &session{T: t}
	defer s.clean()
	s.given("kind: Queue\nmetadata: {name: gpu}\nspec: {agent: default, concurrency: 4}\nstatus: {pending: 7, admitted: 4, running: 1}\n")
	s.given(anOperation)
	extend(s, "live", v1alpha1.StatusFailed)
	for _, line := range [][]string{{"top"}, {"queues"}, {"list", "-n", "team"}, {"statuses", "live", "-n", "team", "-w"}, {"lint", "nowhere"}} {
		out, _ := process(t, nil, line...).CombinedOutput() // the exit codes are told elsewhere
		require.NotEmpty(t, out, line)
		require.NotContains(t, string(out), "\x1b", line)
		require.NotContains(t, string(out), "░", line)
	}
}
