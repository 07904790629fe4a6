package tenant

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func queueNames(ctx context.Context, reader client.Reader) (map[string]bool, error) {
	return names(ctx, reader, &v1alpha1.QueueList{})
}

// names are the names of all objects of a list's kind.
func names(ctx context.Context, reader client.Reader, list client.ObjectList) (map[string]bool, error) {
	if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	found := map[string]bool{}
	err := meta.EachListItem(list, func(o runtime.Object) error {
		found[o.(client.Object).GetName()] = true
		return nil
	})
	return found, err
}

// enqueueAll asks for every object of a list's kind.
func enqueueAll(reader client.Reader, kind client.ObjectList) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []ctrl.Request {
		found, err := names(ctx, reader, kind.DeepCopyObject().(client.ObjectList))
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "What refers to a changed object could not be listed")
			return nil
		}
		requests := make([]ctrl.Request, 0, len(found))
		for name := range found {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKey{Name: name}})
		}
		return requests
	})
}
