package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/pkg/sandbox/layout"
	"github.com/queueyard/queueyard/pkg/sandbox/supervisor"
)

const pollInterval = 50 * time.Millisecond

// downTimeout is longer than all components together may take to end.
const downTimeout = 2 * time.Minute

// Sandbox is a sandbox that exists, running or not.
type Sandbox struct {
	dir   layout.Dir
	state *cluster.State
}

// Open finds the sandbox in a directory.
func Open(path string) (*Sandbox, error) {
	dir, err := layout.New(path)
	if err != nil {
		return nil, err
	}
	state, err := cluster.ReadState(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is not a sandbox: make one with sandbox up --dir %s", dir, path)
	}
	if err != nil {
		return nil, err
	}
	return &Sandbox{dir: dir, state: state}, nil
}

// Kubeconfig is the path of the administrator's.
func (s *Sandbox) Kubeconfig() string { return s.dir.Kubeconfig() }

// Dir is where its files lie.
func (s *Sandbox) Dir() layout.Dir { return s.dir }

// Ports are where its components listen.
func (s *Sandbox) Ports() cluster.Ports { return s.state.Ports }

// Config is the administrator's client configuration.
func (s *Sandbox) Config() (*rest.Config, error) { return cluster.AdminConfig(s.dir) }

// Status says for each component what it does. Running tells whether a supervisor looks after them.
func (s *Sandbox) Status() (components []supervisor.Status, running bool, err error) {
	wanted, err := supervisor.ReadComponents(s.dir)
	if err != nil {
		return nil, false, err
	}
	pid, err := supervisor.PID(s.dir)
	if err != nil {
		return nil, false, err
	}
	known, err := supervisor.ReadStatus(s.dir)
	if err != nil {
		return nil, false, err
	}
	for _, c := range wanted {
		status := supervisor.Status{Name: c.Name, State: supervisor.Stopped}
		if i := slices.IndexFunc(known, func(k supervisor.Status) bool { return k.Name == c.Name }); i >= 0 {
			status = known[i]
			if pid == 0 {
				status.State, status.PID = supervisor.Stopped, 0
			}
		}
		components = append(components, status)
	}
	return components, pid != 0, nil
}

// Kill ends a component as a crash would. The supervisor starts it again.
func (s *Sandbox) Kill(component string) error { return s.Signal(component, syscall.SIGKILL) }

// Signal sends a signal to a component.
func (s *Sandbox) Signal(component string, signal syscall.Signal) error {
	components, _, err := s.Status()
	if err != nil {
		return err
	}
	for _, c := range components {
		if c.Name == component && c.PID != 0 {
			return syscall.Kill(c.PID, signal)
		}
	}
	return fmt.Errorf("component %s of %s does not run", component, s.dir)
}

// KillSupervisor ends the supervisor, and with it all components, as a crash would. Up brings them back.
func (s *Sandbox) KillSupervisor() error {
	pid, err := supervisor.PID(s.dir)
	if err != nil || pid == 0 {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// Down stops all components and returns when they are gone. Data stay.
func (s *Sandbox) Down(ctx context.Context) error {
	pid, err := supervisor.PID(s.dir)
	if err != nil || pid == 0 {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop the supervisor, process %d: %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, downTimeout)
	defer cancel()
	err = wait.PollUntilContextCancel(ctx, pollInterval, true, func(context.Context) (bool, error) {
		pid, err := supervisor.PID(s.dir)
		return pid == 0, err
	})
	if err != nil {
		return fmt.Errorf("supervisor of %s, process %d, does not end: %w", s.dir, pid, err)
	}
	return nil
}

// Delete removes a sandbox that is down, with its data.
func (s *Sandbox) Delete() error {
	pid, err := supervisor.PID(s.dir)
	if err != nil {
		return err
	}
	if pid != 0 {
		return fmt.Errorf("sandbox %s is running: stop it first", s.dir)
	}
	return os.RemoveAll(string(s.dir))
}
