package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/perf/harness"
)

const (
	namespace = "default"
	// runLabel says which run of the benchmark a pod belongs to.
	runLabel = "bench-run"
	// line is the run of the pods that wait behind the measured ones.
	line = "line"
	// firstClass puts the measured pods before the waiting line of their queue.
	firstClass = "bench-first"
)

// podOf makes a pod that runs for a second on a simulated node.
func podOf(run, name, queue, scheduler string) *corev1.Pod {
	now := int64(0)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{runLabel: run}},
		Spec: corev1.PodSpec{
			SchedulerName:                 scheduler,
			RestartPolicy:                 corev1.RestartPolicyNever,
			TerminationGracePeriodSeconds: &now,
			Tolerations:                   []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			NodeSelector:                  map[string]string{"type": "simulated"},
			Containers: []corev1.Container{{Name: "main", Image: "none", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
			}}},
		},
	}
	if queue != "" {
		p.Labels[v1alpha1.QueueLabel] = queue
	}
	if run != line {
		p.Spec.PriorityClassName = firstClass
	}
	return p
}

// createAll creates n pods.
func createAll(ctx context.Context, c kubernetes.Interface, n int, pod func(int) *corev1.Pod) error {
	return harness.CreateAll(ctx, n, func(ctx context.Context, i int) error {
		p := pod(i)
		_, err := c.CoreV1().Pods(p.Namespace).Create(ctx, p, metav1.CreateOptions{})
		return err
	})
}

// lines numbers the pods of the waiting line, so that no name comes twice.
var lines atomic.Int64

// fillLine brings the number of pods that wait in a queue up to want.
func fillLine(ctx context.Context, c kubernetes.Interface, queue string, want int) error {
	have, err := count(ctx, c, runLabel+"="+line)
	if err != nil {
		return err
	}
	return createAll(ctx, c, want-have, func(int) *corev1.Pod {
		return podOf(line, fmt.Sprintf("%s-%d", line, lines.Add(1)), queue, v1alpha1.SchedulerName)
	})
}

// count is the number of pods with a label.
func count(ctx context.Context, c kubernetes.Interface, selector string) (int, error) {
	n := 0
	options := metav1.ListOptions{LabelSelector: selector, Limit: 5000}
	for {
		l, err := c.CoreV1().Pods(namespace).List(ctx, options)
		if err != nil {
			return 0, fmt.Errorf("count pods %s: %w", selector, err)
		}
		n += len(l.Items)
		if l.Continue == "" {
			return n, nil
		}
		options.Continue = l.Continue
	}
}

// clean deletes the pods of a run and those of the line that have left it.
func clean(ctx context.Context, c kubernetes.Interface, run string) error {
	pods := c.CoreV1().Pods(namespace)
	now := int64(0)
	return wait.PollUntilContextCancel(ctx, 500*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		started := metav1.ListOptions{LabelSelector: runLabel + "=" + line, FieldSelector: "spec.nodeName!="}
		for _, o := range []metav1.ListOptions{{LabelSelector: runLabel + "=" + run}, started} {
			if err := pods.DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, o); err != nil {
				return false, fmt.Errorf("delete the pods of run %s: %w", run, err)
			}
			o.Limit = 1
			if l, err := pods.List(ctx, o); err != nil || len(l.Items) > 0 {
				return false, err
			}
		}
		return true, nil
	})
}
