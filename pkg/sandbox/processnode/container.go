package processnode

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// configRetry is how long a container waits for a ConfigMap or Secret to appear before it looks again.
const configRetry = 2 * time.Second

// startFailedCode is what a container runtime reports for a command that cannot be started.
const startFailedCode = 128

// containerRunner runs one container, again and again as the policy says.
type containerRunner struct {
	worker *worker
	spec   *corev1.Container
	// end stops this container only, as the end of the main containers does for sidecars.
	end     <-chan struct{}
	onStart func()
}

// run returns the last exit code; ran is false if the container never ran or was stopped before it could be.
func (r *containerRunner) run(again func(code int32) bool) (code int32, ran bool) {
	delays := &crashBackoff{}
	for restart := 0; ; restart++ {
		if err := os.Remove(logPath(r.dir(), restart-2)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			log.Print(err)
		}
		command, ok := r.prepare(restart)
		if !ok {
			return code, ran
		}
		start := time.Now()
		code = r.runOnce(command, restart)
		ran = true
		if r.isEnding() || !again(code) {
			return code, ran
		}
		delay := delays.next(time.Since(start))
		if delay > 0 {
			message := fmt.Sprintf("back-off %s restarting failed container=%s", delay, r.spec.Name)
			r.worker.reporter.waiting(r.spec.Name, "CrashLoopBackOff", message)
			r.event(corev1.EventTypeWarning, "BackOff", message)
		}
		if !r.wait(delay) {
			// A pod that ends during a back-off shows how its container ended, not that it waits.
			r.worker.reporter.unwait(r.spec.Name)
			return code, ran
		}
	}
}

// prepare makes the command, waiting for what its environment needs.
func (r *containerRunner) prepare(restart int) (*command, bool) {
	for !r.isEnding() {
		command, err := r.command(restart)
		if err == nil {
			return command, true
		}
		reason := "CreateContainerConfigError"
		var refused *refusedError
		if errors.As(err, &refused) {
			reason = "CreateContainerError"
		}
		r.worker.reporter.waiting(r.spec.Name, reason, err.Error())
		r.event(corev1.EventTypeWarning, "Failed", err.Error())
		if !r.wait(configRetry) {
			break
		}
	}
	return nil, false
}

func (r *containerRunner) command(restart int) (*command, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	w := r.worker
	environment, err := resolveEnvironment(ctx, apiSource{w.manager.client}, w.pod, r.spec)
	if err != nil {
		return nil, err
	}
	dir := r.dir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return newCommand(r.spec, environment, machine{
		workDir:            w.manager.options.WorkDir,
		terminationMessage: filepath.Join(dir, "termination-message"),
		log:                logPath(dir, restart),
		owner:              string(w.manager.options.Dir),
		podName:            w.pod.Name,
	})
}

func (r *containerRunner) dir() string {
	return filepath.Join(r.worker.manager.podDir(r.worker.pod.UID), r.spec.Name)
}

// runOnce runs the command to its end and reports it.
func (r *containerRunner) runOnce(c *command, restart int) int32 {
	reporter := r.worker.reporter
	id := "process://" + string(r.worker.pod.UID) + "/" + r.spec.Name + "/" + strconv.Itoa(restart)
	begin := time.Now()
	p, err := c.start()
	if err != nil {
		reporter.terminated(r.spec.Name, id, begin, exit{code: startFailedCode, reason: "StartError", message: err.Error()})
		r.event(corev1.EventTypeWarning, "Failed", err.Error())
		return startFailedCode
	}
	reporter.running(r.spec.Name, id, begin, restart)
	r.event(corev1.EventTypeNormal, "Started", "Started container "+r.spec.Name)
	if r.onStart != nil {
		r.onStart()
	}
	select {
	case <-p.done:
	case <-r.worker.stopping:
		r.event(corev1.EventTypeNormal, "Killing", "Stopping container "+r.spec.Name)
		r.kill(p)
	case <-r.end:
		r.worker.setDeadline(gracePeriod(r.worker.pod.Spec.TerminationGracePeriodSeconds))
		r.kill(p)
	}
	result := exit{code: p.code, reason: "Completed"}
	if p.code != 0 {
		result.reason = "Error"
	}
	result.message = terminationMessage(r.spec.TerminationMessagePolicy, c.machine.terminationMessage, c.machine.log, p.code)
	reporter.terminated(r.spec.Name, id, begin, result)
	return p.code
}

// kill asks the processes of the container to end and kills them when their time is over.
func (r *containerRunner) kill(p *running) {
	p.signalTerm()
	for {
		deadline, changed := r.worker.killTime()
		timer := time.NewTimer(time.Until(deadline))
		select {
		case <-p.done:
			timer.Stop()
			return
		case <-timer.C:
			p.signalKill()
			<-p.done
			return
		case <-changed:
			timer.Stop()
		}
	}
}

func (r *containerRunner) isEnding() bool {
	select {
	case <-r.worker.stopping:
		return true
	case <-r.end:
		return true
	default:
		return false
	}
}

// wait sleeps unless the container must end.
func (r *containerRunner) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return !r.isEnding()
	case <-r.worker.stopping:
		return false
	case <-r.end:
		return false
	}
}

func (r *containerRunner) event(kind, reason, message string) {
	r.worker.manager.recorder.Event(r.worker.pod, kind, reason, message)
}
