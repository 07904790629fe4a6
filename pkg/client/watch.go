package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
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

// rewatch is how long to wait before a watch that ended is begun anew.
const rewatch = time.Second

// Watch shows every object of a list and every later version of it, until see says that it is done. What was deleted is
// shown with gone. A watch that ends is begun anew; versions that were shown are not shown again.
func (c *Client) Watch(ctx context.Context, list client.ObjectList, see func(o client.Object, gone bool) (done bool, err error), options ...client.ListOption) error {
	return c.watch(ctx, list, nil, see, options...)
}

// watch also tells what a list says, each time that it is read: which objects there are.
func (c *Client) watch(ctx context.Context, list client.ObjectList, listed func(map[types.UID]bool) (bool, error), see func(client.Object, bool) (bool, error), options ...client.ListOption) error {
	shown := map[types.UID]string{}
	look := func(o client.Object, gone bool) (bool, error) {
		if !gone && shown[o.GetUID()] == o.GetResourceVersion() {
			return false, nil
		}
		shown[o.GetUID()] = o.GetResourceVersion()
		return see(o, gone)
	}
	for {
		list := list.DeepCopyObject().(client.ObjectList)
		if err := c.Objects.List(ctx, list, options...); err != nil {
			return err
		}
		done, there := false, map[types.UID]bool{}
		err := meta.EachListItem(list, func(item runtime.Object) (err error) {
			o := item.(client.Object)
			there[o.GetUID()] = true
			if !done {
				done, err = look(o, false)
			}
			return err
		})
		if err == nil && !done && listed != nil {
			done, err = listed(there)
		}
		if err != nil || done {
			return err
		}
		from := &client.ListOptions{}
		from.ApplyOptions(options)
		from.Raw = &metav1.ListOptions{ResourceVersion: list.GetResourceVersion(), AllowWatchBookmarks: true}
		watcher, err := c.Objects.Watch(ctx, list, from)
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
		case <-time.After(rewatch):
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

// errGone: what was watched was deleted.
var errGone = errors.New("was deleted before it was over")

// watchOne shows every version of one object until see says that it is done. It is errGone if it is deleted before.
func (c *Client) watchOne(ctx context.Context, o client.Object, see func(client.Object) (done bool, err error)) error {
	gone := fmt.Errorf("%s %s %w", KindOf(o), o.GetName(), errGone)
	return c.watch(ctx, listOf(o),
		func(there map[types.UID]bool) (bool, error) {
			if !there[o.GetUID()] {
				return true, gone
			}
			return false, nil
		},
		func(seen client.Object, deleted bool) (bool, error) {
			switch {
			case seen.GetUID() != o.GetUID():
				return false, nil
			case deleted:
				return true, gone
			}
			return see(seen)
		}, client.InNamespace(o.GetNamespace()), client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", o.GetName())})
}

// Versions are an operation or workflow as it is and each later version of it, until it is over. The last is followed by an
// error where it can't be watched any longer or is deleted before.
func (c *Client) Versions(ctx context.Context, o client.Object) iter.Seq2[client.Object, error] {
	return func(yield func(client.Object, error) bool) {
		err := c.watchOne(ctx, o, func(seen client.Object) (bool, error) {
			return !yield(seen, nil) || Over(seen), nil
		})
		if err != nil {
			yield(nil, err)
		}
	}
}
