package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

var scheme = runtime.NewScheme()

func init() {
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
}

// picture is what there is to see at one moment.
type picture struct {
	queues     []v1alpha1.Queue
	operations []operation
}

// operation is one Job and its pod.
type operation struct {
	name, queue string
	state       string // waiting, starting, running, succeeded, failed
	detail      string
	created     time.Time
	started     time.Time // on a node since; zero while it waits
}

func (o operation) over() bool { return o.state == "succeeded" || o.state == "failed" }

func (p picture) over() bool {
	return len(p.operations) > 0 && !slices.ContainsFunc(p.operations, func(o operation) bool { return !o.over() })
}

func look(ctx context.Context, c client.Client) (picture, error) {
	var (
		queues v1alpha1.QueueList
		jobs   batchv1.JobList
		pods   corev1.PodList
	)
	if err := c.List(ctx, &queues); err != nil {
		return picture{}, err
	}
	if err := c.List(ctx, &jobs, client.InNamespace(namespace)); err != nil {
		return picture{}, err
	}
	if err := c.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		return picture{}, err
	}
	p := picture{}
	for _, q := range queues.Items {
		if q.Name != v1alpha1.DefaultName {
			p.queues = append(p.queues, q)
		}
	}
	slices.SortFunc(p.queues, func(a, b v1alpha1.Queue) int {
		return cmp.Compare(ptr.Deref(b.Spec.Priority, -1), ptr.Deref(a.Spec.Priority, -1))
	})
	podOf := map[string]*corev1.Pod{}
	for i := range pods.Items {
		if owner := metav1.GetControllerOf(&pods.Items[i]); owner != nil {
			podOf[owner.Name] = &pods.Items[i]
		}
	}
	for i := range jobs.Items {
		p.operations = append(p.operations, see(&jobs.Items[i], podOf[jobs.Items[i].Name]))
	}
	rank := map[string]int{}
	for i, q := range p.queues {
		rank[q.Name] = i
	}
	slices.SortStableFunc(p.operations, func(a, b operation) int {
		return cmp.Or(cmp.Compare(rank[a.queue], rank[b.queue]), cmp.Compare(a.name, b.name))
	})
	return p, nil
}

// see puts a Job and its pod in words.
func see(job *batchv1.Job, pod *corev1.Pod) operation {
	o := operation{name: job.Name, queue: job.Labels[v1alpha1.QueueLabel], state: "waiting", created: job.CreationTimestamp.Time}
	if pod == nil {
		return o
	}
	for _, c := range pod.Status.Conditions {
		switch {
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue:
			o.started = c.LastTransitionTime.Time
			o.state = "starting"
		case c.Type == v1alpha1.AdmittedCondition && c.Status == corev1.ConditionFalse && pod.Spec.NodeName == "":
			o.detail = c.Message
		}
	}
	switch pod.Status.Phase {
	case corev1.PodRunning:
		o.state = "running"
	case corev1.PodSucceeded, corev1.PodFailed:
		o.state = strings.ToLower(string(pod.Status.Phase))
		for _, s := range pod.Status.ContainerStatuses {
			if t := s.State.Terminated; t != nil {
				o.detail = fmt.Sprintf("exit code %d  %s", t.ExitCode, strings.TrimSpace(t.Message))
			}
		}
	}
	return o
}
