package processnode

import (
	"context"
	"errors"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
)

// shutdownGrace is the most a pod gets to end when the node stops.
const shutdownGrace = 8 * time.Second

// manager has a worker for each pod of the node. It follows pods itself instead of using virtual-kubelet's pod
// controller, which removes a deleted pod while its init containers run, keeps one for its whole grace period though
// its processes have ended, and overwrites conditions of others.
type manager struct {
	client   kubernetes.Interface
	recorder record.EventRecorder
	options  Options

	mu      sync.Mutex
	stopped bool
	workers map[types.UID]*worker
	running sync.WaitGroup
}

func newManager(client kubernetes.Interface, recorder record.EventRecorder, o Options) *manager {
	return &manager{client: client, recorder: recorder, options: o, workers: map[types.UID]*worker{}}
}

// observe brings the worker of a pod in line with what the API says.
func (m *manager) observe(pod *corev1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.workers[pod.UID]
	switch {
	case w != nil:
		w.reporter.repeat(pod.Status.Phase)
	case !m.stopped:
		w = newWorker(m, pod)
		m.workers[pod.UID] = w
		m.running.Go(w.run)
	}
	if w != nil && pod.DeletionTimestamp != nil {
		w.delete(gracePeriod(pod.DeletionGracePeriodSeconds))
	}
}

// forget ends what is left of a pod that is gone from the API, at once.
func (m *manager) forget(pod *corev1.Pod) {
	m.mu.Lock()
	w := m.workers[pod.UID]
	delete(m.workers, pod.UID)
	m.mu.Unlock()
	go func() {
		if w != nil {
			w.delete(0)
			<-w.done
		}
		if err := os.RemoveAll(m.podDir(pod.UID)); err != nil {
			log.Print(err)
		}
	}()
}

// removeLeftOver removes the files of pods that were deleted while the node did not run.
func (m *manager) removeLeftOver(pods []any) error {
	// Read first: a folder made later belongs to a worker that is not in question.
	entries, err := os.ReadDir(m.options.Dir.Pods())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	known := map[types.UID]bool{}
	for _, p := range pods {
		known[p.(*corev1.Pod).UID] = true
	}
	m.mu.Lock()
	for uid := range m.workers {
		known[uid] = true
	}
	m.mu.Unlock()
	for _, e := range entries {
		if uid := types.UID(e.Name()); !known[uid] {
			if err := os.RemoveAll(m.podDir(uid)); err != nil {
				return err
			}
		}
	}
	return nil
}

// shutDown ends all pods and returns when the API knows.
func (m *manager) shutDown() {
	m.mu.Lock()
	m.stopped = true
	for _, w := range m.workers {
		w.stop(stopOrder{grace: shutdownGrace, reason: "Terminated", message: "The process node was stopped."})
	}
	m.mu.Unlock()
	m.running.Wait()
}

// remove takes a pod whose processes have ended out of the API.
func (m *manager) remove(pod *corev1.Pod) {
	options := metav1.NewDeleteOptions(0)
	options.Preconditions = metav1.NewUIDPreconditions(string(pod.UID))
	retry(func(ctx context.Context) error {
		err := m.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, *options)
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil
		}
		return err
	})
}

// find gives the worker of a pod, which lives on after the pod's end for its logs.
func (m *manager) find(namespace, name string) *worker {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found *worker
	for _, w := range m.workers {
		if w.pod.Namespace == namespace && w.pod.Name == name && (found == nil || found.created.Before(w.created)) {
			found = w
		}
	}
	return found
}

func (m *manager) podDir(uid types.UID) string {
	return filepath.Join(m.options.Dir.Pods(), string(uid))
}

func terminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func gracePeriod(seconds *int64) time.Duration {
	if seconds == nil {
		return corev1.DefaultTerminationGracePeriodSeconds * time.Second
	}
	return time.Duration(*seconds) * time.Second
}
