package client

import (
	"cmp"
	"context"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// JobPods are those of a Job, which tell since when it runs; nil of anything else, and for whoever may not read them.
func (c *Client) JobPods(ctx context.Context, o client.Object) []*corev1.Pod {
	if _, is := o.(*batchv1.Job); !is {
		return nil
	}
	all, _ := c.Pods(ctx, o)
	pods := make([]*corev1.Pod, len(all))
	for i := range all {
		pods[i] = &all[i]
	}
	return pods
}

// Pods are those of an operation, of every attempt, or of a Job, in the order of their names; a pod is its own.
func (c *Client) Pods(ctx context.Context, o client.Object) ([]corev1.Pod, error) {
	namespace, labels := o.GetNamespace(), client.MatchingLabels{}
	switch o := o.(type) {
	case *corev1.Pod:
		err := c.Objects.Get(ctx, client.ObjectKeyFromObject(o), o)
		return []corev1.Pod{*o}, err
	case *batchv1.Job:
		labels[batchv1.ControllerUidLabel] = string(o.UID)
	case *v1alpha1.Operation:
		labels[v1alpha1.OperationUIDLabel] = string(o.UID)
		if o.Status.Run != nil {
			namespace = o.Status.Run.Namespace
		}
	}
	list := &corev1.PodList{}
	if err := c.Objects.List(ctx, list, client.InNamespace(namespace), labels); err != nil {
		return nil, err
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return list.Items, nil
}
