package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// examples are the programs that use Queueyard from code.
const examples = "../../manifests/examples/client"

// The example programs create an operation with queue, priority and params, say why it waits while another holds the
// queue's only seat, follow it to its end, and end with what came of it.
func TestClientPrograms(t *testing.T) {
	for name, find := range map[string]func(*testing.T) []string{"go": programInGo, "python": programInPython} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, "client-"+name)
			program := find(t)
			queue := s.queue("q", seats(1))
			release := filepath.Join(t.TempDir(), "release")
			require.NoError(t, syscall.Mkfifo(release, 0o600))
			s.said("run", "first", "--image", "none", "--queue", queue, "--", "bash", "-c", "read -r word < "+release)
			s.said("wait", "first", "--for", "running", "--timeout", patience.String())

			second, printed := s.program(program, "--queue", queue, "--priority", "3", "--param", "rate=0.5", "--", "second",
				"bash", "-c", `echo '{"rate": {{ params.rate }}}' > "$TERMINATION_MESSAGE_PATH"`)
			require.NoError(t, second.Start())
			s.eventually("the program says why its operation waits", func() (bool, any) {
				out := printed()
				return strings.Contains(out, "✖ queue "+queue+": ") && strings.Contains(out, "position 1 of 1"), out
			})
			require.NoError(t, os.WriteFile(release, []byte("go\n"), 0o600))
			err := second.Wait()
			require.NoError(t, err, printed())
			require.Regexp(t, `(?s)operation second is created\n.* queued .* running .* succeeded `, printed())

			made := &v1alpha1.Operation{}
			require.NoError(t, s.objects.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "second"}, made))
			require.Equal(t, ptr.To[int32](3), made.Spec.Priority)
			require.Equal(t, queue, made.Spec.Queue)
			require.JSONEq(t, "0.5", string(made.Status.Outputs["rate"].Raw))

			third, printed := s.program(program, "--queue", queue, "--", "third", "bash", "-c", "exit 3")
			var exit *exec.ExitError
			require.ErrorAs(t, third.Run(), &exit, printed())
			require.Equal(t, 2, exit.ExitCode(), printed())
			require.Contains(t, printed(), " failed ")

			fourth, printed := s.program(program, "--queue", queue+"x", "--", "fourth", "true")
			require.Error(t, fourth.Run())
			require.Contains(t, printed(), `queue "`+queue+`x" does not exist`)
			require.NotContains(t, printed(), "is created")
		})
	}
}

// program is a command in the namespace of the case, and what it has printed so far.
func (s *scenario) program(program []string, flags ...string) (*exec.Cmd, func() string) {
	s.Helper()
	out, err := os.Create(filepath.Join(s.TempDir(), "out"))
	require.NoError(s, err)
	s.Cleanup(func() { _ = out.Close() })
	cmd := exec.CommandContext(s.Context(), program[0], append(append(program[1:len(program):len(program)], "--namespace", s.namespace), flags...)...) // #nosec G204 -- of this test
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.sandbox.Kubeconfig(), "PYTHONIOENCODING=utf-8")
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, func() string {
		text, err := os.ReadFile(out.Name())
		require.NoError(s, err)
		return string(text)
	}
}

func programInGo(t *testing.T) []string {
	binary := filepath.Join(t.TempDir(), "example")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, examples).CombinedOutput() // #nosec G204 -- of this test
	require.NoError(t, err, string(out))
	return []string{binary}
}

func programInPython(t *testing.T) []string {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import kubernetes").Run() == nil { // #nosec G204 -- of this test
			return []string{python, filepath.Join(examples, "run.py")}
		}
	}
	t.Skip("no Python with the official kubernetes client: make python installs Debian's python3-kubernetes")
	return nil
}
