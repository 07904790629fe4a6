package processnode

import (
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// stopOrder says why and how fast a pod must end. A reason makes the pod fail with it.
type stopOrder struct {
	grace           time.Duration
	reason, message string
}

// worker lives one pod.
type worker struct {
	manager *manager
	// pod is as it was when it came; only its status changes in ways that matter here.
	pod     *corev1.Pod
	created time.Time
	done    chan struct{}

	stopOnce sync.Once
	stopping chan struct{}
	// order is written before stopping is closed.
	order stopOrder

	reporter *reporter

	mu      sync.Mutex
	deleted bool
	// deadline is when processes that were asked to end are killed.
	deadline time.Time
	hurry    chan struct{}
}

func newWorker(m *manager, pod *corev1.Pod) *worker {
	w := &worker{
		manager: m, pod: pod.DeepCopy(), created: time.Now(),
		done: make(chan struct{}), stopping: make(chan struct{}), hurry: make(chan struct{}),
	}
	w.reporter = newReporter(m.client, w.pod)
	return w
}

// delete ends the pod because it is deleted; called again, the grace period can only become shorter.
func (w *worker) delete(grace time.Duration) {
	w.mu.Lock()
	first := !w.deleted
	w.deleted = true
	deadline := time.Now().Add(grace)
	if w.deadline.IsZero() || deadline.Before(w.deadline) {
		w.deadline = deadline
		close(w.hurry)
		w.hurry = make(chan struct{})
	}
	w.mu.Unlock()
	w.stop(stopOrder{grace: grace})
	if first {
		go func() {
			<-w.done
			w.manager.remove(w.pod)
		}()
	}
}

// stop ends the pod. The first order counts.
func (w *worker) stop(order stopOrder) {
	w.stopOnce.Do(func() {
		w.mu.Lock()
		w.order = order
		if w.deadline.IsZero() {
			w.deadline = time.Now().Add(order.grace)
		}
		w.mu.Unlock()
		close(w.stopping)
	})
}

// killTime is when a process that was asked to end must be killed, and a channel that tells when that changes.
func (w *worker) killTime() (time.Time, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.deadline, w.hurry
}

// setDeadline gives processes that are asked to end now so much time, unless less is left already.
func (w *worker) setDeadline(grace time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deadline.IsZero() {
		w.deadline = time.Now().Add(grace)
	}
}

func (w *worker) stopped() bool {
	select {
	case <-w.stopping:
		return true
	default:
		return false
	}
}

func (w *worker) run() {
	defer close(w.done)
	defer w.reporter.close()
	if terminal(w.pod) {
		// It ended under an earlier process of this node. There is nothing to run, but logs to read.
		return
	}
	if started(w.pod) {
		w.reporter.fail("NodeRestarted", "The process node ended while the pod ran, and the pod's processes with it.")
		return
	}
	if volume := unsupportedVolume(w.pod); volume != "" {
		w.reporter.fail("UnsupportedVolume", fmt.Sprintf(
			"Volume %q: the process node has no volumes, its containers see this machine's files. Remove the volume.", volume))
		return
	}
	w.reporter.start()
	if seconds := w.pod.Spec.ActiveDeadlineSeconds; seconds != nil {
		timer := time.AfterFunc(time.Duration(*seconds)*time.Second, func() {
			w.stop(stopOrder{
				grace:   gracePeriod(w.pod.Spec.TerminationGracePeriodSeconds),
				reason:  "DeadlineExceeded",
				message: "Pod was active on the node longer than the specified deadline",
			})
		})
		defer timer.Stop()
	}

	endSidecars := make(chan struct{})
	var sidecars sync.WaitGroup
	succeeded := w.runInit(endSidecars, &sidecars)
	if succeeded {
		w.reporter.initialized()
		succeeded = w.runMain()
	}
	close(endSidecars)
	sidecars.Wait()

	if w.stopped() && w.order.reason != "" {
		w.reporter.fail(w.order.reason, w.order.message)
		return
	}
	w.reporter.end(succeeded)
}

// runInit runs the init containers one after the other; sidecars among them go on in the background.
func (w *worker) runInit(endSidecars <-chan struct{}, sidecars *sync.WaitGroup) bool {
	for i := range w.pod.Spec.InitContainers {
		c := &w.pod.Spec.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			running := make(chan struct{})
			runner := &containerRunner{worker: w, spec: c, end: endSidecars, onStart: sync.OnceFunc(func() { close(running) })}
			sidecars.Go(func() { runner.run(func(int32) bool { return true }) })
			select {
			case <-running:
			case <-w.stopping:
				return false
			}
			continue
		}
		runner := &containerRunner{worker: w, spec: c}
		// An init container that succeeded is never run again, whatever the policy.
		code, ran := runner.run(func(code int32) bool { return code != 0 && w.pod.Spec.RestartPolicy != corev1.RestartPolicyNever })
		if !ran || code != 0 {
			return false
		}
	}
	return !w.stopped()
}

func (w *worker) runMain() bool {
	containers := w.pod.Spec.Containers
	succeeded := make([]bool, len(containers))
	var all sync.WaitGroup
	for i := range containers {
		runner := &containerRunner{worker: w, spec: &containers[i]}
		all.Go(func() {
			code, ran := runner.run(func(code int32) bool { return restarts(w.pod.Spec.RestartPolicy, code) })
			succeeded[i] = ran && code == 0
		})
	}
	all.Wait()
	for _, ok := range succeeded {
		if !ok {
			return false
		}
	}
	return true
}

// restarts tells whether a main container that ended with this code is run again.
func restarts(policy corev1.RestartPolicy, code int32) bool {
	switch policy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return code != 0
	default:
		return true
	}
}

// started tells whether a container of the pod ran already, under an earlier process of this node.
func started(pod *corev1.Pod) bool {
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, s := range statuses {
			if s.State.Running != nil || s.State.Terminated != nil || s.RestartCount > 0 {
				return true
			}
		}
	}
	return false
}

// unsupportedVolume is the name of a volume that cannot be given to a process. The token that admission adds to every
// pod is left out silently: hardly any program needs it.
func unsupportedVolume(pod *corev1.Pod) string {
	for _, v := range pod.Spec.Volumes {
		if v.Projected == nil || !isTokenVolume(v.Projected) {
			return v.Name
		}
	}
	return ""
}

func isTokenVolume(p *corev1.ProjectedVolumeSource) bool {
	for _, source := range p.Sources {
		if source.ServiceAccountToken != nil {
			return true
		}
	}
	return false
}
