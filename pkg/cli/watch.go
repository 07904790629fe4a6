package cli

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// again is how long to wait before a watch that ended is begun anew.
const again = time.Second

// watchAll shows every object of a list and every later version of it, until see says that it is done. What was deleted is
// shown with gone. A watch that ends is begun anew; versions that were shown are not shown again.
func (c *cluster) watchAll(ctx context.Context, k kind, see func(o client.Object, gone bool) (done bool, err error), options ...client.ListOption) error {
	shown := map[types.UID]string{}
	look := func(o client.Object, gone bool) (bool, error) {
		if !gone && shown[o.GetUID()] == o.GetResourceVersion() {
			return false, nil
		}
		shown[o.GetUID()] = o.GetResourceVersion()
		return see(o, gone)
	}
	for {
		list := k.list()
		if err := c.List(ctx, list, options...); err != nil {
			return err
		}
		done := false
		err := meta.EachListItem(list, func(o runtime.Object) (err error) {
			if !done {
				done, err = look(o.(client.Object), false)
			}
			return err
		})
		if err != nil || done {
			return err
		}
		from := &client.ListOptions{}
		from.ApplyOptions(options)
		from.Raw = &metav1.ListOptions{ResourceVersion: list.GetResourceVersion(), AllowWatchBookmarks: true}
		watcher, err := c.Watch(ctx, k.list(), from)
		if err != nil {
			return err
		}
		done, err = follow(ctx, watcher, look)
		watcher.Stop()
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(again):
		}
	}
}

// follow shows what a watch tells until it ends.
func follow(ctx context.Context, watcher watch.Interface, look func(client.Object, bool) (bool, error)) (done bool, err error) {
	for {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case event, open := <-watcher.ResultChan():
			if !open {
				return false, nil
			}
			switch event.Type {
			case watch.Added, watch.Modified:
				done, err = look(event.Object.(client.Object), false)
			case watch.Deleted:
				done, err = look(event.Object.(client.Object), true)
			case watch.Error:
				if err := apierrors.FromObject(event.Object); !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
					return false, err
				}
				return false, nil
			}
			if err != nil || done {
				return done, err
			}
		}
	}
}

// watchOne shows every version of one object until see says that it is done. It is an error if it is deleted before.
func (c *cluster) watchOne(ctx context.Context, o client.Object, see func(client.Object) (done bool, err error)) error {
	k := kindOf(o)
	return c.watchAll(ctx, k, func(seen client.Object, gone bool) (bool, error) {
		if seen.GetUID() != o.GetUID() {
			return false, nil
		}
		if gone {
			return true, fmt.Errorf("%s %s was deleted before it was over", k.singular, o.GetName())
		}
		return see(seen)
	}, client.InNamespace(o.GetNamespace()), client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", o.GetName())})
}
