package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cli"
)

// qy runs a command line in the namespace of the case.
func (s *scenario) qy(line ...string) (out string, code int) {
	s.Helper()
	var stdout, stderr bytes.Buffer
	shell := &cli.Shell{
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: &stdout, ErrOut: &stderr},
		Now:       time.Now, Zone: time.UTC,
	}
	code = cli.Main(s.Context(), shell, append([]string{"qy", "--kubeconfig", s.sandbox.Kubeconfig(), "--cache-dir", s.TempDir(), "-n", s.namespace}, line...))
	s.Logf("$ qy %s\n%s%s(exit code %d)", strings.Join(line, " "), stdout.String(), stderr.String(), code)
	return stdout.String() + stderr.String(), code
}

// said runs a command that must do it, and returns what it prints.
func (s *scenario) said(line ...string) string {
	s.Helper()
	out, code := s.qy(line...)
	require.Zero(s, code)
	return out
}

// The command line takes operations through a queue: it runs them, says why one waits and who holds its room, reads
// logs while they grow, and ends with the codes of what came of them.
func TestCommandLine(t *testing.T) {
	s := begin(t, "cli")
	queue := s.agent + "-q"
	edit(s, &v1alpha1.Agent{}, s.agent, func(a *v1alpha1.Agent) { a.Spec.Concurrency = ptr.To[int32](8) })
	s.said("queues", "create", queue, "--agent", s.agent, "--concurrency", "1")
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	script := `echo begun; read -r word < ` + pipe + `; echo "$word"`
	require.Contains(t, s.said("run", "first", "--image", "none", "--queue", queue, "--", "bash", "-c", script), "op/first is created")
	s.said("wait", "first", "--for", "running", "--timeout", patience.String())
	s.said("run", "second", "--image", "none", "--queue", queue, "--", "bash", "-c", "echo lost; exit 3")

	s.eventually("qy says why the second waits", func() (bool, any) {
		out, code := s.qy("why", "second")
		return code == 0 && strings.Contains(out, "position 1 of 1"), out
	})
	why := s.said("why", "second")
	require.Contains(t, why, "✖ queue "+queue+": 1/1 operations running")
	require.Contains(t, why, "✔ agent "+s.agent+": 1/8 operations running")
	require.Regexp(t, `The room of queue `+queue+` is held by 1 operation:\n.*\n +`+s.namespace+` +Operation +first `, why)
	require.Contains(t, s.said("why", "first"), "does not wait: it is running")
	require.Regexp(t, `1 +`+s.namespace+` +Operation +second `, s.said("queues", "describe", queue))
	require.Contains(t, s.said("list", "--queue", queue, "--status", "queued"), "op/second")

	_, code := s.qy("statuses", "second")
	require.Zero(t, code, "it is not over")
	_, code = s.qy("wait", "second", "--timeout", "1s")
	require.Equal(t, 4, code)

	followed := make(chan string, 1)
	go func() {
		out, _ := s.qy("logs", "first", "--follow")
		followed <- out
	}()
	require.Equal(t, "begun\n", s.said("logs", "first"))
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // once bash reads
	require.NoError(t, err)
	_, err = writer.WriteString("over\n")
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	require.Equal(t, "begun\nover\n", <-followed)
	require.Contains(t, s.said("statuses", "first", "--watch"), "operation first in namespace "+s.namespace+": succeeded")

	out, code := s.qy("wait", "first", "second")
	require.Equal(t, 2, code, out)
	require.Contains(t, out, "op/second is failed")
	require.Equal(t, "lost\n", s.said("logs", "second"))
	out, code = s.qy("run", "third", "--image", "none", "--queue", queue, "--watch", "--", "bash", "-c", "exit 4")
	require.Equal(t, 2, code)
	require.Regexp(t, `failed +ExitCode `, out)
	s.said("queues", "pause", queue)
	s.said("restart", "second")
	s.said("wait", "second", "--for", "queued", "--timeout", patience.String())
	s.said("stop", "second")
	_, code = s.qy("wait", "second", "--timeout", patience.String())
	require.Equal(t, 3, code)
}
