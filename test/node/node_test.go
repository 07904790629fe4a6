// Package node tests an installation on a node whose pods are real containers. It needs root, Linux and a few Debian
// packages; make test-node brings what is missing and runs it.
package node

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// repository is the root of the sources, seen from here.
const repository = "../.."

const patience = 5 * time.Minute

// programs gives the directory of the node's programs, or skips the test with what is missing.
func programs(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("skipped: a node with real containers needs root on Linux")
	}
	bin, err := filepath.Abs(filepath.Join(repository, "bin", "node"))
	require.NoError(t, err)
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr", "kubelet", "kube-proxy", "kube-scheduler", "pause", "goawk"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			t.Skipf("skipped: %s is missing in bin/node; make test-node builds it", name)
		}
	}
	for _, name := range []string{"runc", "iptables", "ip", "/usr/lib/cni/bridge", "/bin/busybox"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("skipped: %s is missing; make test-node installs it where there is apt-get", name)
		}
	}
	return bin
}

const (
	namespace = "queueyard-system"
	release   = "queueyard"
	tag       = "test"
)

// TestQuickstart installs the chart as docs/install.md says and runs the examples to their end.
func TestQuickstart(t *testing.T) {
	bin := programs(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	m := startMachine(ctx, t, bin)
	m.loadProject()
	m.loadExamples()

	m.command("helm", append([]string{"install", release}, chart...)...)
	m.command("kubectl", "wait", "-n", namespace, "deployment", "--all", "--for=condition=Available", "--timeout=120s")
	m.command("helm", "test", release, "-n", namespace)

	t.Log("the scheduler is elected")
	holder := m.get(t, "lease", "queueyard-scheduler", namespace, "{.spec.holderIdentity}")
	pods := m.get(t, "pods", "", namespace, "{.items[*].metadata.name}")
	require.True(t, slices.ContainsFunc(strings.Fields(pods), func(pod string) bool { return strings.HasPrefix(holder, pod) }),
		"the lease is held by %q, the pods are %s", holder, pods)

	m.eventuallyApplied(ctx, "manifests/examples/quickstart/queues.yaml")
	t.Log("the webhook is reached through its Service")
	out, err := m.run("kubectl", "run", "stray", "-n", "quickstart", "--image", exampleImage, "--labels", "queueyard.io/queue=default")
	require.Error(t, err, out)
	require.Contains(t, err.Error(), `queue "default" is not allowed to project "flowers"`)

	t.Log("the dashboard shows a visitor what the visitor's token may see")
	m.command("kubectl", "create", "serviceaccount", "visitor", "-n", "quickstart")
	m.command("kubectl", "create", "clusterrolebinding", "visitor", "--clusterrole=queueyard-viewer", "--serviceaccount=quickstart:visitor")
	require.Equal(t, http.StatusUnauthorized, m.dashboard("/api/v1/overview", "").code)
	token := strings.TrimSpace(m.command("kubectl", "create", "token", "visitor", "-n", "quickstart"))
	m.eventually(ctx, "the visitor's queues", func() error {
		if seen := m.dashboard("/api/v1/overview", token); seen.code != http.StatusOK || !strings.Contains(seen.body, "training") {
			return fmt.Errorf("status %d: %s", seen.code, seen.body)
		}
		return nil
	})

	m.command("kubectl", "apply", "-f", "manifests/examples/quickstart/jobs.yaml", "-f", "manifests/examples/quickstart/operation.yaml",
		"-f", "manifests/examples/quickstart/workflow.yaml")
	t.Log("the server answers who waits")
	m.command("kubectl", "get", "--raw", "/apis/visibility.queueyard.io/v1alpha1")
	t.Log("Jobs run in containers")
	m.command("kubectl", "wait", "-n", "quickstart", "job", "--all", "--for=condition=Complete", "--timeout=300s")
	for name := range strings.FieldsSeq(m.get(t, "pods", "", "quickstart", "{.items[*].spec.schedulerName}")) {
		require.Equal(t, "queueyard-scheduler", name)
	}
	require.Contains(t, m.command("kubectl", "logs", "-n", "quickstart", "job/summarize-petal-length"), "mean")
	t.Log("outputs come back by the termination message")
	m.command("kubectl", "wait", "-n", "quickstart", "operation/best-guess", "workflow/tune-iris", "--for=jsonpath={.status.phase}=succeeded", "--timeout=300s")
	require.NotEmpty(t, m.get(t, "operation", "best-guess", "quickstart", "{.status.outputs.accuracy}"))
	require.NotEmpty(t, m.get(t, "workflow", "tune-iris", "quickstart", "{.status.outputs.accuracy}"))
}
