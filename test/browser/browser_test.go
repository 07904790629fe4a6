// Package browser looks at the dashboard as people do: in a real Chromium, on a sandbox where something runs, waits and
// has failed.
package browser

import (
	"bufio"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/install"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
	"github.com/queueyard/queueyard/test/testenv"
)

var (
	many        = flag.Int("operations", 300, "operations that wait in the long list")
	screenshots = flag.String("screenshots", "", "directory for the screenshots of the README; nothing else is done")
)

// patience is how long all of it may take on a loaded machine.
const patience = 6 * time.Minute

// tools are the browser and what drives it. A machine that can't have them skips the test, and says what is missing.
func tools(t *testing.T) (chromium string) {
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("the browser test needs %s, which this machine has not", name)
		}
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			chromium = path
			break
		}
	}
	if chromium == "" {
		t.Skip("the browser test needs chromium, which this machine has not: apt-get install chromium")
	}
	if _, err := os.Stat("node_modules/playwright-core"); err != nil {
		out, err := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund").CombinedOutput()
		require.NoError(t, err, "npm ci gets the packages that the browser test needs: %s", out)
	}
	return chromium
}

// What the pages compute and does not need a browser.
func TestParts(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("the test needs node, which this machine has not")
	}
	out, err := exec.CommandContext(t.Context(), "node", "--test", "unit/").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// What the pages are rendered with is what npm has under that name.
func TestVendored(t *testing.T) {
	tools(t)
	published, err := os.ReadFile("node_modules/htm/preact/standalone.module.js")
	require.NoError(t, err)
	ours, err := os.ReadFile("../../pkg/dashboard/web/vendor/htm-preact.js")
	require.NoError(t, err)
	require.Equal(t, string(published), string(ours), "copy htm/preact/standalone.module.js to pkg/dashboard/web/vendor/htm-preact.js")
}

// The pages in a browser: their content, live changes, links, keyboard, both themes, accessibility.
func TestDashboard(t *testing.T) {
	chromium := tools(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel) // behind the others, which need what runs with it
	bin, err := testenv.BinDir()
	require.NoError(t, err)
	box, err := sandbox.Up(ctx, sandbox.Options{Dir: filepath.Join(t.TempDir(), "sandbox"), BinDir: bin, SimulatedNodes: 2, Capacity: simulation.DefaultCapacity()})
	if box != nil {
		t.Cleanup(func() { require.NoError(t, box.Down(context.Background())) })
	}
	require.NoError(t, err)
	config, err := box.Config()
	require.NoError(t, err)
	for _, file := range []string{"team.yaml", "workflows.yaml"} {
		apply(ctx, t, config, file)
	}
	if *screenshots == "" {
		apply(ctx, t, config, "fleet.yaml")
		crowd(ctx, t, config, *many)
		abandon(ctx, t, config)
	}
	link := serve(ctx, t, filepath.Join(bin, "qy"), box.Kubeconfig())
	script := "pages.js"
	if *screenshots != "" {
		script = "screenshots.js"
	}
	node := exec.CommandContext(ctx, "node", script)
	node.Cancel = func() error { return node.Process.Signal(syscall.SIGTERM) }
	node.WaitDelay = 10 * time.Second
	node.Env = append(os.Environ(), "LINK="+link, "CHROMIUM="+chromium, "SCREENSHOTS="+*screenshots, "CROWD="+strconv.Itoa(*many),
		"QY="+filepath.Join(bin, "qy"), "KUBECONFIG="+box.Kubeconfig())
	node.Stdout, node.Stderr = os.Stdout, os.Stderr
	require.NoError(t, node.Run(), "node %s", script)
}

func apply(ctx context.Context, t *testing.T, config *rest.Config, file string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	require.NoError(t, install.Manifest(ctx, config, text), file)
}

// serve runs qy ui until the test ends, and returns the link that it prints.
func serve(ctx context.Context, t *testing.T, qy, kubeconfig string) string {
	t.Helper()
	ui := exec.CommandContext(ctx, qy, "ui", "--no-browser", "--listen", "127.0.0.1:0", "-n", "vision", "--kubeconfig", kubeconfig)
	ui.Cancel = func() error { return ui.Process.Signal(os.Interrupt) }
	ui.Stderr = os.Stderr
	out, err := ui.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, ui.Start())
	t.Cleanup(func() {
		_ = ui.Process.Signal(os.Interrupt)
		require.NoError(t, ui.Wait(), "qy ui")
	})
	link := regexp.MustCompile(`http://\S+`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if found := link.FindString(lines.Text()); found != "" {
			go func() {
				for lines.Scan() { // so that it never waits for a reader
				}
			}()
			return found
		}
	}
	t.Fatal("qy ui prints no link")
	return ""
}
