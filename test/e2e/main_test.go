// Package e2e takes whole paths through a sandbox: what users create, what admission stamps or
// refuses, what the scheduler places and what the nodes run, with an audit watching in every case.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
)

// home is a sandbox, and clients of its administrator.
type home struct {
	dir     string
	sandbox *sandbox.Sandbox
	config  *rest.Config
	objects client.Client
	client  kubernetes.Interface
}

// homes are the sandboxes that cases are in: a case has one for itself, and leaves it to the next. So there are as many
// as cases run beside one another.
var homes struct {
	mu   sync.Mutex
	dir  string
	all  []*home
	free []*home
}

// simulatedNodes have 32 cpu and 8 GPUs each.
const simulatedNodes = 4

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if homes.dir, err = os.MkdirTemp("", "queueyard-e2e-"); err != nil {
		return fail(err)
	}
	defer os.RemoveAll(homes.dir)
	code := m.Run()
	for _, h := range homes.all {
		if code != 0 {
			printLogs(h.dir)
		}
		err = errors.Join(err, h.down())
	}
	if err != nil {
		return fail(err)
	}
	return code
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}

// moveIn gives a test a home for itself until its end.
func moveIn(t *testing.T) *home {
	t.Helper()
	homes.mu.Lock()
	var h *home
	if n := len(homes.free); n > 0 {
		h, homes.free = homes.free[n-1], homes.free[:n-1]
	} else {
		h = &home{dir: filepath.Join(homes.dir, fmt.Sprint(len(homes.all)))}
		homes.all = append(homes.all, h)
	}
	homes.mu.Unlock()
	if h.client == nil {
		require.NoError(t, h.up(sandbox.Options{}))
	}
	t.Cleanup(func() {
		homes.mu.Lock()
		defer homes.mu.Unlock()
		homes.free = append(homes.free, h)
	})
	return h
}

// up starts the sandbox, with such options as all homes do not have.
func (h *home) up(o sandbox.Options) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if o.BinDir, err = programs(filepath.Join(h.dir, "bin")); err != nil {
		return err
	}
	o.Dir, o.WorkDir, o.SimulatedNodes, o.Capacity = filepath.Join(h.dir, "sandbox"), h.dir, simulatedNodes, simulation.DefaultCapacity()
	if h.sandbox, err = sandbox.Up(ctx, o); err != nil {
		return err
	}
	if h.config, err = h.sandbox.Config(); err != nil {
		return err
	}
	h.config.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), podgroups.AddToScheme(scheme)); err != nil {
		return err
	}
	if h.objects, err = client.New(h.config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	h.client, err = kubernetes.NewForConfig(h.config)
	return err
}

// down stops the sandbox, one too that did not come up.
func (h *home) down() error {
	s, err := sandbox.Open(filepath.Join(h.dir, "sandbox"))
	if err != nil {
		return nil // there is none
	}
	return s.Down(context.Background())
}

// programs links the programs to run into one directory: those with the race detector where they
// are built and not older than the plain ones.
func programs(dir string) (string, error) {
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{"sandbox", "sandbox-control-plane", "queueyard-scheduler", "queueyard-controller"} {
		path := filepath.Join(bin, name)
		plain, err := os.Stat(path)
		if err != nil {
			return "", fmt.Errorf("build the programs first, with make build: %w", err)
		}
		raced := filepath.Join(bin, "race", name)
		if info, err := os.Stat(raced); err == nil && !info.ModTime().Before(plain.ModTime()) {
			path = raced
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// printLogs shows the end of what the components of a failed run said.
func printLogs(dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "sandbox", "logs", "*.log"))
	if err != nil {
		return
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		const end = 4 << 10
		fmt.Fprintf(os.Stderr, "--- end of %s\n%s\n", file, text[max(0, len(text)-end):])
	}
}
