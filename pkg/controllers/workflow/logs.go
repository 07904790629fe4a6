package workflow

import (
	"context"
	"errors"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
)

// readTimeout is how long one read of a log may take.
const readTimeout = 5 * time.Second

// errNoLog says that there is nothing that could be read, now or later.
var errNoLog = errors.New("it has no pod whose log could be read")

// trialLogs reads what a trial prints in its current attempt.
type trialLogs interface {
	// read gives so many bytes of the log of its main container, from a time on, each line with its time.
	read(ctx context.Context, op *v1alpha1.Operation, since time.Time, limit int64) ([]byte, error)
}

// podLogs reads the logs of pods.
type podLogs struct {
	cached client.Reader
	pods   corev1client.PodsGetter
}

func newPodLogs(mgr ctrl.Manager) (*podLogs, error) {
	config := rest.CopyConfig(mgr.GetConfig())
	config.QPS = -1 // who reads is bounded
	pods, err := corev1client.NewForConfig(config)
	return &podLogs{mgr.GetClient(), pods}, err
}

func (l *podLogs) read(ctx context.Context, op *v1alpha1.Operation, since time.Time, limit int64) ([]byte, error) {
	pod, err := l.podOf(ctx, op)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	options := &corev1.PodLogOptions{Container: operation.MainContainerOf(pod), Timestamps: true, LimitBytes: &limit}
	if !since.IsZero() {
		options.SinceTime = &metav1.Time{Time: since}
	}
	stream, err := l.pods.Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	return io.ReadAll(io.LimitReader(stream, limit))
}

// podOf is the pod of an operation's attempt; of a Job the one that was made last.
func (l *podLogs) podOf(ctx context.Context, op *v1alpha1.Operation) (*corev1.Pod, error) {
	run := op.Status.Run
	switch {
	case run != nil && run.Kind == "Pod":
		pod := &corev1.Pod{}
		err := l.cached.Get(ctx, keyOf(run.Namespace, run.Name), pod)
		if client.IgnoreNotFound(err) == nil && err != nil {
			err = errNoLog
		}
		return pod, err
	case run != nil && run.Kind == "Job":
		pods := &corev1.PodList{}
		err := l.cached.List(ctx, pods, client.InNamespace(run.Namespace), client.MatchingLabels{"job-name": run.Name}, client.UnsafeDisableDeepCopy)
		if err != nil {
			return nil, err
		}
		var last *corev1.Pod
		for i := range pods.Items {
			if p := &pods.Items[i]; last == nil || last.CreationTimestamp.Before(&p.CreationTimestamp) {
				last = p
			}
		}
		if last != nil {
			return last, nil
		}
	}
	return nil, errNoLog
}
