package processnode

import (
	"context"
	"encoding/json"
	"log"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

const (
	requestTimeout = 10 * time.Second
	// reportPatience is how long a status is tried before the pod goes on without it: the API server may be starting.
	reportPatience = time.Minute
	retryInterval  = 200 * time.Millisecond
)

// reporter keeps the status of one pod and writes its changes to the API, one at a time.
type reporter struct {
	client kubernetes.Interface
	pod    *corev1.Pod

	// writing is held while a status is written, so that none comes after a newer one.
	writing sync.Mutex

	mu     sync.Mutex
	status *podStatus
	// written is the phase that was written last; empty: none.
	written corev1.PodPhase

	dirty  chan struct{}
	closed chan struct{}
	idle   chan struct{}
}

func newReporter(client kubernetes.Interface, pod *corev1.Pod) *reporter {
	r := &reporter{
		client: client, pod: pod, status: newPodStatus(pod),
		dirty: make(chan struct{}, 1), closed: make(chan struct{}), idle: make(chan struct{}),
	}
	go r.loop()
	return r
}

// change updates the status and has it written.
func (r *reporter) change(update func(*podStatus)) {
	r.mu.Lock()
	update(r.status)
	r.mu.Unlock()
	select {
	case r.dirty <- struct{}{}:
	default:
	}
}

func (r *reporter) start() { r.change(func(s *podStatus) { s.start() }) }

func (r *reporter) initialized() { r.change(func(s *podStatus) { s.initialized = true }) }

func (r *reporter) waiting(container, reason, message string) {
	r.change(func(s *podStatus) { s.waiting(container, reason, message) })
}

func (r *reporter) unwait(container string) { r.change(func(s *podStatus) { s.unwait(container) }) }

func (r *reporter) running(container, id string, at time.Time, restart int) {
	r.change(func(s *podStatus) { s.running(container, id, at, restart) })
}

func (r *reporter) terminated(container, id string, start time.Time, result exit) {
	r.change(func(s *podStatus) { s.terminated(container, id, start, time.Now(), result) })
}

func (r *reporter) fail(reason, message string) {
	r.change(func(s *podStatus) { s.fail(reason, message) })
}

func (r *reporter) end(succeeded bool) { r.change(func(s *podStatus) { s.end(succeeded) }) }

// containerStatus is what is known of a container now, written or not.
func (r *reporter) containerStatus(name string) (corev1.ContainerStatus, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.status.container(name)
	return *c, c.Name != ""
}

// repeat writes the status again where the API shows another phase than was written: it may have been set back.
func (r *reporter) repeat(shown corev1.PodPhase) {
	r.mu.Lock()
	wrong := r.written != "" && r.written != shown
	r.mu.Unlock()
	if wrong {
		go r.write()
	}
}

// close returns when the last status is written.
func (r *reporter) close() {
	close(r.closed)
	<-r.idle
}

func (r *reporter) loop() {
	defer close(r.idle)
	for {
		select {
		case <-r.dirty:
			r.write()
		case <-r.closed:
			select {
			case <-r.dirty:
				r.write()
			default:
			}
			return
		}
	}
}

// write patches only what a node has to say, so that conditions of others stay.
func (r *reporter) write() {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	status := r.status.compute(time.Now())
	r.mu.Unlock()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": r.pod.UID}, "status": status})
	if err != nil {
		log.Printf("status of pod %s/%s: %v", r.pod.Namespace, r.pod.Name, err)
		return
	}
	retry(func(ctx context.Context) error {
		_, err := r.client.CoreV1().Pods(r.pod.Namespace).Patch(ctx, r.pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		// A pod that is gone, or another of the same name, needs no status from here.
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil
		}
		if err == nil {
			r.mu.Lock()
			r.written = status.Phase
			r.mu.Unlock()
		}
		return err
	})
}

// retry repeats a request to the API until it succeeds or patience ends.
func retry(request func(context.Context) error) {
	var last error
	err := wait.PollUntilContextTimeout(context.Background(), retryInterval, reportPatience, true, func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		last = request(ctx)
		return last == nil || apierrors.IsInvalid(last) || apierrors.IsForbidden(last), nil
	})
	if err != nil || last != nil {
		log.Printf("API server: %v", last)
	}
}
