package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/queueyard/queueyard/test/perf/harness"
)

// follow feeds the recorder with the events of a run's pods until the context ends.
func follow(ctx context.Context, c kubernetes.Interface, run string, r *harness.Recorder) error {
	selector := runLabel + "=" + run
	now, err := c.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector, Limit: 1})
	if err != nil {
		return fmt.Errorf("list the pods of run %s: %w", run, err)
	}
	lw := &cache.ListWatch{WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
		o.LabelSelector = selector
		return c.CoreV1().Pods(namespace).Watch(ctx, o)
	}}
	w, err := watchtools.NewRetryWatcherWithContext(ctx, now.ResourceVersion, lw)
	if err != nil {
		return fmt.Errorf("watch the pods of run %s: %w", run, err)
	}
	go func() {
		for e := range w.ResultChan() {
			if p, ok := e.Object.(*corev1.Pod); ok && e.Type != watch.Deleted {
				ended := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
				r.Observe(p.Name, p.Spec.NodeName != "", ended, time.Now())
			}
		}
	}()
	return nil
}
