// Package sandbox brings up a whole local cluster with Queueyard in it, from one command and without containers.
package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/queueyard/queueyard/pkg/sandbox/layout"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
)

// DefaultSimulatedNodes is how many nodes a sandbox gets unless told otherwise.
const DefaultSimulatedNodes = 2

// Options say what a sandbox should hold.
type Options struct {
	// Dir holds everything the sandbox keeps.
	Dir string
	// BinDir holds the project's programs. Empty: where the running program lies.
	BinDir string
	// WorkDir is the working directory of pods on the process node. Empty: the current one.
	WorkDir string

	SimulatedNodes int
	Capacity       simulation.Capacity
	NoProcessNode  bool
	// EtcdApart gives etcd a process of its own, so that it can be killed alone. It counts when the sandbox starts.
	EtcdApart bool
	// NoQueueyard leaves out Queueyard's manifests, scheduler and controller.
	NoQueueyard bool
	// Schedulers is how many replicas of the scheduler there should be at least, of which one leads. 0: one.
	Schedulers int
	// LeaseDuration is how long a leading scheduler that ends without a word is waited for. 0: what the
	// manifests say.
	LeaseDuration time.Duration

	// Agent is the name under which the sandbox serves queues of the hub that HubKubeconfig leads to. Empty: none.
	Agent, HubKubeconfig string

	// Progress is told each step that was done.
	Progress func(string)
}

func (o *Options) complete() (layout.Dir, error) {
	dir, err := layout.New(o.Dir)
	if err != nil {
		return "", err
	}
	if o.BinDir == "" {
		program, err := os.Executable()
		if err != nil {
			return "", err
		}
		o.BinDir = filepath.Dir(program)
	}
	if o.BinDir, err = filepath.Abs(o.BinDir); err != nil {
		return "", err
	}
	// The empty path is the current directory.
	if o.WorkDir, err = filepath.Abs(o.WorkDir); err != nil {
		return "", err
	}
	if o.HubKubeconfig != "" {
		if o.HubKubeconfig, err = filepath.Abs(o.HubKubeconfig); err != nil {
			return "", err
		}
		if _, err := os.Stat(o.HubKubeconfig); err != nil {
			return "", fmt.Errorf("the kubeconfig of the hub: %w", err)
		}
	}
	o.Schedulers = max(o.Schedulers, 1)
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return dir, nil
}
