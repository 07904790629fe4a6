package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/pkg/sandbox/install"
	"github.com/queueyard/queueyard/pkg/sandbox/layout"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
	"github.com/queueyard/queueyard/pkg/sandbox/supervisor"
)

// Up makes the sandbox run with everything the options ask for, and returns when it is ready. In a sandbox that runs
// it adds what is missing and changes nothing else.
func Up(ctx context.Context, options Options) (*Sandbox, error) {
	dir, err := options.complete()
	if err != nil {
		return nil, err
	}
	if err := checkEmptyOrSandbox(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(string(dir), 0o700); err != nil {
		return nil, err
	}
	// Two runs of up at once would both start a supervisor.
	held, err := supervisor.TryLock(dir.UpLock())
	if err != nil {
		return nil, err
	}
	if held == nil {
		return nil, fmt.Errorf("another sandbox up works on %s: wait for it to end", dir)
	}
	defer held.Close()

	u := &up{parts: parts{dir: dir, options: options}}
	return u.run(ctx)
}

type up struct {
	parts
	components []supervisor.Component
	config     *rest.Config
	client     kubernetes.Interface
}

func (u *up) run(ctx context.Context) (*Sandbox, error) {
	steps := []func(context.Context) error{u.ensureControlPlane, u.ensureSimulatedNodes, u.ensureProcessNode, u.ensureQueueyard}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	sandbox := &Sandbox{dir: u.dir, state: u.state}
	return sandbox, u.waitReady(ctx, sandbox)
}

func (u *up) ensureControlPlane(ctx context.Context) error {
	pid, err := supervisor.PID(u.dir)
	if err != nil {
		return err
	}
	if pid != 0 {
		if u.components, err = supervisor.ReadComponents(u.dir); err != nil {
			return err
		}
		if u.state, err = cluster.ReadState(u.dir); err != nil {
			return err
		}
		u.options.Progress(fmt.Sprintf("sandbox runs already in %s", u.dir))
	} else {
		if u.state, err = cluster.Prepare(u.dir, ""); err != nil {
			return err
		}
		if u.components, err = u.controlPlane(); err != nil {
			return err
		}
		if err := supervisor.WriteComponents(u.dir, u.components); err != nil {
			return err
		}
		if err := u.startSupervisor(ctx); err != nil {
			return err
		}
	}
	if u.config, err = cluster.AdminConfig(u.dir); err != nil {
		return err
	}
	if u.client, err = kubernetes.NewForConfig(u.config); err != nil {
		return err
	}
	if err := u.waitFor(ctx, ControlPlane, func(ctx context.Context) error { return cluster.Ready(ctx, u.client) }); err != nil {
		return err
	}
	if pid == 0 {
		u.options.Progress(fmt.Sprintf("control plane is ready at https://%s", cluster.Loopback(u.state.Ports.APIServer)))
	}
	return nil
}

// startSupervisor starts it in a session of its own: it outlives this process and its terminal.
func (u *up) startSupervisor(ctx context.Context) error {
	path, err := cluster.Program(u.options.BinDir, program)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(u.dir.Logs(), 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(u.dir.Log("supervisor"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(path, "supervise", "--dir", string(u.dir))
	cmd.Dir, cmd.Stdout, cmd.Stderr = string(u.dir), log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err = wait.PollUntilContextCancel(ctx, pollInterval, true, func(context.Context) (bool, error) {
		select {
		case err := <-ended:
			return false, fmt.Errorf("it ended at once (%v)", err)
		default:
		}
		pid, err := supervisor.PID(u.dir)
		return pid != 0, err
	})
	if err != nil {
		return fmt.Errorf("supervisor: %w; see %s", err, u.dir.Log("supervisor"))
	}
	return nil
}

func (u *up) ensureSimulatedNodes(ctx context.Context) error {
	if u.options.SimulatedNodes == 0 && !u.has(SimulatedNodes) {
		// Nodes of an earlier run need someone to play them.
		total, _, err := simulation.Count(ctx, u.client)
		if err != nil || total == 0 {
			return err
		}
	}
	if err := simulation.EnsureNodes(ctx, u.client, u.options.SimulatedNodes, u.options.Capacity); err != nil {
		return err
	}
	if u.has(SimulatedNodes) {
		return nil
	}
	if err := install.Manifest(ctx, u.config, simulation.RBAC); err != nil {
		return err
	}
	return u.add(u.simulatedNodes())
}

func (u *up) ensureProcessNode(context.Context) error {
	if u.options.NoProcessNode || u.has(ProcessNode) {
		return nil
	}
	return u.add(u.processNode())
}

func (u *up) has(name string) bool {
	return slices.ContainsFunc(u.components, func(c supervisor.Component) bool { return c.Name == name })
}

// add writes the component down and tells the supervisor.
func (u *up) add(component supervisor.Component, err error) error {
	if err != nil {
		return err
	}
	u.components = append(u.components, component)
	if err := supervisor.WriteComponents(u.dir, u.components); err != nil {
		return err
	}
	pid, err := supervisor.PID(u.dir)
	if err != nil {
		return err
	}
	if pid == 0 {
		return errors.New("the supervisor ended: see " + u.dir.Log("supervisor"))
	}
	u.options.Progress("started " + component.Name)
	return syscall.Kill(pid, syscall.SIGHUP)
}

// readyTimeout is for one component on a slow machine; warm, all of them together take seconds.
const readyTimeout = 2 * time.Minute

// deathsAllowed is how often a component may die while it starts before up gives up.
const deathsAllowed = 4

// waitFor waits until ready returns nil, and gives up early when the component keeps dying.
func (u *up) waitFor(ctx context.Context, component string, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	before := u.deaths(component)
	var last error
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		if last = ready(ctx); last == nil {
			return true, nil
		}
		if u.deaths(component)-before >= deathsAllowed {
			return false, errors.New("it keeps ending")
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("%s is not ready (%w): %w\nend of %s:\n%s",
			component, err, last, u.dir.Log(component), logEnd(u.dir.Log(component)))
	}
	return nil
}

func (u *up) deaths(component string) int {
	status, err := supervisor.ReadStatus(u.dir)
	if err != nil {
		return 0
	}
	for _, s := range status {
		if s.Name == component {
			return s.Restarts
		}
	}
	return 0
}

// checkEmptyOrSandbox keeps a sandbox from being made among someone's files: down --delete removes the directory.
func checkEmptyOrSandbox(dir layout.Dir) error {
	entries, err := os.ReadDir(string(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	foreign := slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() != filepath.Base(dir.UpLock()) })
	if !foreign {
		return nil
	}
	_, err = cluster.ReadState(dir)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s holds other files and is not a sandbox: give an empty directory or one that does not exist with --dir", dir)
	}
	return err
}
