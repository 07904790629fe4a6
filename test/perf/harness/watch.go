package harness

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Follow tells what happens to the objects of a list's kind from now on, until the context ends.
func (c *Cluster) Follow(ctx context.Context, list client.ObjectList, namespace, selector string, see func(o runtime.Object, deleted bool)) error {
	in := func(o metav1.ListOptions) *client.ListOptions {
		o.LabelSelector = selector
		return &client.ListOptions{Namespace: namespace, Limit: 1, Raw: &o} // a watch has no limit
	}
	if err := c.Objects.List(ctx, list, in(metav1.ListOptions{})); err != nil {
		return fmt.Errorf("list %T: %w", list, err)
	}
	lw := &cache.ListWatch{WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
		return c.Objects.Watch(ctx, list, in(o))
	}}
	w, err := watchtools.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), lw)
	if err != nil {
		return fmt.Errorf("watch %T: %w", list, err)
	}
	go func() {
		for e := range w.ResultChan() {
			see(e.Object, e.Type == watch.Deleted)
		}
	}()
	return nil
}
