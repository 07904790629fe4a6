package processnode

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

// terminationMessageVariable tells a program where to write its termination message. Containers share this machine's
// files, so the path of the pod's specification would be the same file for all of them.
const terminationMessageVariable = "TERMINATION_MESSAGE_PATH"

// outputGrace is how long the end of a container waits for output held open by a process that left its group.
const outputGrace = time.Second

// refusedError is a container that cannot be run here, whatever else appears in the cluster.
type refusedError struct{ message string }

func (e *refusedError) Error() string { return e.message }

// machine is what a container gets from this machine.
type machine struct {
	workDir            string
	terminationMessage string
	log                string
	owner              string
	podName            string
}

// command is a container ready to be run.
type command struct {
	args        []string
	environment []string
	dir         string
	machine     machine
}

func newCommand(c *corev1.Container, environment map[string]string, m machine) (*command, error) {
	if len(c.Command) == 0 {
		return nil, &refusedError{"container " + c.Name + " has no command: the process node ignores images, so what an image would run must be written in the container's command"}
	}
	mapping := expansion.MappingFuncFor(environment)
	var args []string
	for _, a := range append(slices.Clone(c.Command), c.Args...) {
		args = append(args, expansion.Expand(a, mapping))
	}
	dir := m.workDir
	if c.WorkingDir != "" {
		dir = c.WorkingDir
	}
	all := map[string]string{"PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME"), "HOSTNAME": m.podName}
	for name, value := range environment {
		all[name] = value
	}
	all[terminationMessageVariable] = m.terminationMessage
	all[ownerVariable] = m.owner
	result := &command{args: args, dir: dir, machine: m}
	for name, value := range all {
		result.environment = append(result.environment, name+"="+value)
	}
	slices.Sort(result.environment)
	path, err := findProgram(args[0], all["PATH"], dir)
	if err == nil {
		result.args[0] = path
	}
	// A program that is not found is reported when it is started, as a container runtime does.
	return result, nil
}

// findProgram looks in the container's own PATH, not in this process's.
func findProgram(name, path, dir string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(dir, folder)
		}
		file := filepath.Join(folder, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", exec.ErrNotFound
}

// running is a container's process and the group of its children.
type running struct {
	pid  int
	done chan struct{}
	// code is valid after done.
	code int32
}

func (c *command) start() (*running, error) {
	if err := os.Remove(c.machine.terminationMessage); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	output, err := newLogWriter(c.machine.log)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Env, cmd.Dir = c.environment, c.dir
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = outputGrace
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	p := &running{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the starting thread ends, so this thread must last as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer output.Close()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		// The exit code is in the process's state, whatever Wait says about the copying of output.
		_ = cmd.Wait()
		p.code = exitCode(cmd.ProcessState)
		// What the container left running ends with it, as with a real one.
		p.signalKill()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *running) signalTerm() { _ = syscall.Kill(-p.pid, syscall.SIGTERM) }

func (p *running) signalKill() { _ = syscall.Kill(-p.pid, syscall.SIGKILL) }

// exitCode reports a signal as a shell and a container runtime do.
func exitCode(state *os.ProcessState) int32 {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int32(status.Signal())
	}
	return int32(state.ExitCode())
}
