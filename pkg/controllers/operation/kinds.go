package operation

import (
	"context"
	"fmt"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/lru"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
)

// keptConditions bounds the operations whose conditions are kept compiled.
const keptConditions = 10000

// kinds watches objects of other kinds than pods and Jobs, from the first operation on that runs as one.
type kinds struct {
	client     client.Client
	mapper     meta.RESTMapper
	cache      cache.Cache
	controller controller.Controller

	// conditions that were compiled, by the operation's UID.
	conditions *lru.Cache

	mu      sync.Mutex
	watched map[schema.GroupVersionKind]bool
}

func newKinds(mgr ctrl.Manager) (*kinds, error) {
	objects, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
		DefaultLabelSelector: ofOperations(), DefaultTransform: light,
	})
	if err != nil {
		return nil, err
	}
	k := &kinds{client: mgr.GetClient(), mapper: mgr.GetRESTMapper(), cache: objects, watched: map[schema.GroupVersionKind]bool{}, conditions: lru.New(keptConditions)}
	return k, mgr.Add(objects)
}

// errKind says that objects of a kind can't be read, and why.
type errKind struct{ cause operation.Cause }

func (e *errKind) Error() string { return e.cause.Message }

// reader reads objects of a kind, which it watches from now on.
func (k *kinds) reader(ctx context.Context, kind schema.GroupVersionKind) (client.Reader, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.watched[kind] {
		return k.cache, nil
	}
	if cause, err := k.check(ctx, kind); err != nil || cause != nil {
		if err == nil {
			err = &errKind{*cause}
		}
		return nil, err
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	if err := k.cache.IndexField(ctx, object, byOperation, operationKey); err != nil {
		return nil, err
	}
	if err := k.controller.Watch(source.Kind(k.cache, client.Object(object), handler.EnqueueRequestsFromMapFunc(operationOf))); err != nil {
		return nil, err
	}
	k.watched[kind] = true
	return k.cache, nil
}

// runsAsOther says whether an operation runs as an object of another kind.
func runsAsOther(op *v1alpha1.Operation) bool {
	run := op.Status.Run
	return run != nil && run.Kind != "Pod" && run.Kind != "Job" && !isAssignment(run)
}

// check says why operations can't run as a kind: the cluster has no such kind, or this controller may
// not make it.
func (k *kinds) check(ctx context.Context, kind schema.GroupVersionKind) (*operation.Cause, error) {
	mapping, err := k.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		return &operation.Cause{Class: operation.Configuration, Reason: reasonUnknownKind, Message: fmt.Sprintf(
			"the cluster has no kind %s: install its controller and CRDs, or correct apiVersion and kind of the manifest", kind)}, nil
	}
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return &operation.Cause{Class: operation.Configuration, Reason: reasonUnknownKind, Message: fmt.Sprintf(
			"%s is not in a namespace, and operations are: use a kind that is", kind.Kind)}, nil
	}
	for _, verb := range []string{"create", "delete", "get", "list", "watch", "patch"} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: mapping.Resource.Group, Version: mapping.Resource.Version, Resource: mapping.Resource.Resource},
		}}
		if err := k.client.Create(ctx, review); err != nil {
			return nil, err
		}
		if !review.Status.Allowed {
			return &operation.Cause{Class: operation.Configuration, Reason: reasonNotPermitted, Message: fmt.Sprintf(
				"queueyard-controller may not %s %s.%s: give a ClusterRole with verbs create, delete, get, list, patch and watch on it the label %s: \"true\"",
				verb, mapping.Resource.Resource, mapping.Resource.Group, aggregateLabel)}, nil
		}
	}
	return nil, nil
}

// aggregateLabel on a ClusterRole makes its rules the controller's.
const aggregateLabel = "queueyard.io/aggregate-to-controller"

// each reads all objects of the kinds that are watched.
func (k *kinds) each(ctx context.Context, do func(client.Object) error, options ...client.ListOption) error {
	k.mu.Lock()
	var watched []schema.GroupVersionKind
	for kind := range k.watched {
		watched = append(watched, kind)
	}
	k.mu.Unlock()
	for _, kind := range watched {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := k.cache.List(ctx, list, options...); err != nil {
			return err
		}
		for i := range list.Items {
			if err := do(&list.Items[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
