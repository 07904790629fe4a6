package client

import (
	"context"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Place is where something is to wait. What is unset stays as it is.
type Place struct {
	// Queue is NAME or AGENT/NAME.
	Queue string
	// Priority inside the queue: larger goes first.
	Priority *int32
}

func (p Place) String() string {
	var parts []string
	if p.Queue != "" {
		parts = append(parts, "waits in queue "+p.Queue)
	}
	if p.Priority != nil {
		parts = append(parts, fmt.Sprintf("has priority %d", *p.Priority))
	}
	return strings.Join(parts, " and ")
}

// Move moves what waits, and says what it does now: "op/train now waits in queue gpu". What has a node stays where it is: a pod is
// refused, and of a Job the pods that wait are moved.
func (c *Client) Move(ctx context.Context, o client.Object, to Place) (says string, err error) {
	if Over(o) {
		return "", fmt.Errorf("%s is over, %s: it waits nowhere", Title(o), ProgressOf(o).Phase)
	}
	what := Title(o)
	switch o := o.(type) {
	case *v1alpha1.Operation:
		err = c.edit(ctx, o, func() { to.set(&o.Spec.Queue, &o.Spec.Priority) })
	case *v1alpha1.Workflow:
		err = c.edit(ctx, o, func() { to.set(&o.Spec.Queue, &o.Spec.Priority) })
	case *corev1.Pod:
		err = c.movePod(ctx, o, to)
	case *batchv1.Job:
		what, err = c.moveJob(ctx, o, to)
	default:
		err = fmt.Errorf("%T %s stands in no queue: operations, workflows, Jobs and pods do", o, o.GetName())
	}
	if err != nil {
		return "", err
	}
	return what + " now " + to.String(), nil
}

func (p Place) set(queue *string, priority **int32) {
	if p.Queue != "" {
		*queue = p.Queue
	}
	if p.Priority != nil {
		n := *p.Priority
		*priority = &n
	}
}

func (c *Client) edit(ctx context.Context, o client.Object, change func()) error {
	before := o.DeepCopyObject().(client.Object)
	change()
	return c.Objects.Patch(ctx, o, client.MergeFrom(before), c.owner())
}

func (c *Client) movePod(ctx context.Context, pod *corev1.Pod, to Place) error {
	if pod.Spec.NodeName != "" {
		return fmt.Errorf("pod/%s is on node %s and counts against its queue until it ends: delete it and create it anew to move it", pod.Name, pod.Spec.NodeName)
	}
	return c.edit(ctx, pod, func() {
		if to.Queue != "" {
			delete(pod.Annotations, v1alpha1.QueueLabel) // both together must agree
			metav1.SetMetaDataLabel(&pod.ObjectMeta, v1alpha1.QueueLabel, strings.ReplaceAll(to.Queue, "/", "."))
		}
		if to.Priority != nil {
			metav1.SetMetaDataAnnotation(&pod.ObjectMeta, v1alpha1.PriorityAnnotation, fmt.Sprint(*to.Priority))
		}
	})
}

// moveJob moves the pods of a Job that wait: its template may not change any more.
func (c *Client) moveJob(ctx context.Context, job *batchv1.Job, to Place) (what string, err error) {
	pods, err := c.Pods(ctx, job)
	if err != nil {
		return "", err
	}
	moved := 0
	for i := range pods {
		if pods[i].Spec.NodeName != "" {
			continue
		}
		if err := c.movePod(ctx, &pods[i], to); err != nil {
			return "", err
		}
		moved++
	}
	switch moved {
	case 0:
		return "", fmt.Errorf("job/%s has no pod that waits: what is on a node stays where it is", job.Name)
	case 1:
		return fmt.Sprintf("job/%s: 1 pod", job.Name), nil
	}
	return fmt.Sprintf("job/%s: %d pods", job.Name, moved), nil
}
