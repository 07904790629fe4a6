// Package e2e takes whole paths through a sandbox: what users create, what admission stamps or
// refuses, what the scheduler places and what the nodes run, with an audit watching in every case.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

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

// shared is the sandbox of all cases. Each has a namespace, an agent and queues of its own.
var shared struct {
	sandbox *sandbox.Sandbox
	config  *rest.Config
	objects client.Client
	client  kubernetes.Interface
}

// simulatedNodes have 32 cpu and 8 GPUs each.
const simulatedNodes = 4

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "queueyard-e2e-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	bin, err := programs(filepath.Join(dir, "bin"))
	if err != nil {
		return fail(err)
	}
	home := filepath.Join(dir, "sandbox")
	shared.sandbox, err = sandbox.Up(ctx, sandbox.Options{Dir: home, BinDir: bin, WorkDir: dir,
		SimulatedNodes: simulatedNodes, Capacity: simulation.DefaultCapacity()})
	if err != nil {
		if s, openErr := sandbox.Open(home); openErr == nil {
			err = errors.Join(err, s.Down(context.Background()))
		}
		return fail(err)
	}
	code := 1
	if err = connect(); err == nil {
		code = m.Run()
	}
	if code != 0 {
		printLogs(home)
	}
	if err := errors.Join(err, shared.sandbox.Down(context.Background())); err != nil {
		return fail(err)
	}
	return code
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
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

func connect() (err error) {
	if shared.config, err = shared.sandbox.Config(); err != nil {
		return err
	}
	shared.config.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), podgroups.AddToScheme(scheme)); err != nil {
		return err
	}
	if shared.objects, err = client.New(shared.config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	shared.client, err = kubernetes.NewForConfig(shared.config)
	return err
}

// printLogs shows the end of what the components of a failed run said.
func printLogs(home string) {
	files, err := filepath.Glob(filepath.Join(home, "logs", "*.log"))
	if err != nil {
		return
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		const end = 4 << 10
		fmt.Fprintf(os.Stderr, "--- end of %s\n%s\n", filepath.Base(file), text[max(0, len(text)-end):])
	}
}
