package simulation

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/workqueue"
)

// ReleaseLeases gives up the leases of the simulated nodes. Each run of KWOK has a new identity and would wait for
// the leases of the run before it to expire; in a sandbox only one runs at a time.
func ReleaseLeases(ctx context.Context, client kubernetes.Interface) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: Label + "=" + LabelValue})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workqueue.ParallelizeUntil(ctx, parallelism, len(nodes.Items), func(i int) {
		name := nodes.Items[i].Name
		err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			cancel(fmt.Errorf("lease of simulated node %s: %w", name, err))
		}
	})
	return context.Cause(ctx)
}
