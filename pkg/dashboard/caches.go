package dashboard

import (
	"context"
	"errors"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// kind is a kind of objects that are cached for lists.
type kind struct {
	group, resource string
	namespaced      bool
	object          func() client.Object
	list            func() client.ObjectList
	fields          fields.Selector
	// slim leaves out what no list shows.
	slim func(client.Object)
}

var (
	agentKind        = &kind{group: v1alpha1.GroupVersion.Group, resource: "agents", object: func() client.Object { return &v1alpha1.Agent{} }, list: func() client.ObjectList { return &v1alpha1.AgentList{} }}
	queueKind        = &kind{group: v1alpha1.GroupVersion.Group, resource: "queues", object: func() client.Object { return &v1alpha1.Queue{} }, list: func() client.ObjectList { return &v1alpha1.QueueList{} }}
	projectKind      = &kind{group: v1alpha1.GroupVersion.Group, resource: "projects", object: func() client.Object { return &v1alpha1.Project{} }, list: func() client.ObjectList { return &v1alpha1.ProjectList{} }}
	organizationKind = &kind{group: v1alpha1.GroupVersion.Group, resource: "organizations", object: func() client.Object { return &v1alpha1.Organization{} }, list: func() client.ObjectList { return &v1alpha1.OrganizationList{} }}
	operationKind    = &kind{group: v1alpha1.GroupVersion.Group, resource: "operations", namespaced: true, object: func() client.Object { return &v1alpha1.Operation{} }, list: func() client.ObjectList { return &v1alpha1.OperationList{} }, slim: slimOperation}
	workflowKind     = &kind{group: v1alpha1.GroupVersion.Group, resource: "workflows", namespaced: true, object: func() client.Object { return &v1alpha1.Workflow{} }, list: func() client.ObjectList { return &v1alpha1.WorkflowList{} }, slim: slimWorkflow}
	// podKind are the pods that the scheduler of queues places, whatever made them.
	podKind = &kind{resource: "pods", namespaced: true, object: func() client.Object { return &corev1.Pod{} }, list: func() client.ObjectList { return &corev1.PodList{} },
		fields: fields.OneTermEqualSelector("spec.schedulerName", v1alpha1.SchedulerName), slim: slimPod}
	jobKind = &kind{group: batchv1.GroupName, resource: "jobs", namespaced: true, object: func() client.Object { return &batchv1.Job{} }, list: func() client.ObjectList { return &batchv1.JobList{} }, slim: slimJob}
)

func slimOperation(o client.Object) {
	op := o.(*v1alpha1.Operation)
	op.Spec.Template, op.Spec.Environment, op.Spec.Termination = nil, nil, nil
	op.Annotations = keep(op.Annotations, v1alpha1.ApprovedByAnnotation)
}

func slimWorkflow(o client.Object) {
	w := o.(*v1alpha1.Workflow)
	w.Spec.Templates, w.Spec.OnExit, w.Spec.Environment = nil, nil, nil
	w.Annotations = nil
}

func slimPod(o client.Object) {
	pod := o.(*corev1.Pod)
	pod.Annotations = keep(pod.Annotations, v1alpha1.QueueLabel, v1alpha1.ProjectLabel, v1alpha1.PriorityAnnotation, v1alpha1.QueuedTimeAnnotation)
	pod.Spec = corev1.PodSpec{NodeName: pod.Spec.NodeName, Priority: pod.Spec.Priority, SchedulingGates: pod.Spec.SchedulingGates}
	s := corev1.PodStatus{Phase: pod.Status.Phase, Reason: pod.Status.Reason, Conditions: pod.Status.Conditions, StartTime: pod.Status.StartTime}
	for _, c := range pod.Status.ContainerStatuses {
		c.ImageID, c.Resources, c.AllocatedResources, c.VolumeMounts = "", nil, nil, nil
		s.ContainerStatuses = append(s.ContainerStatuses, c)
	}
	pod.Status = s
}

func slimJob(o client.Object) {
	job := o.(*batchv1.Job)
	job.Annotations = keep(job.Annotations, v1alpha1.QueueLabel, v1alpha1.ProjectLabel)
	job.Spec = batchv1.JobSpec{Suspend: job.Spec.Suspend, Completions: job.Spec.Completions, Parallelism: job.Spec.Parallelism}
}

// keep is those of some annotations that are listed.
func keep(annotations map[string]string, keys ...string) map[string]string {
	var kept map[string]string
	for _, key := range keys {
		if value, ok := annotations[key]; ok {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = value
		}
	}
	return kept
}

type cacheKey struct {
	resource  string
	namespace string
}

// cached is what a visitor may list of a kind, kept up to date.
type cached struct {
	informer toolscache.SharedIndexInformer
	stop     context.CancelFunc
	done     <-chan struct{}
	mu       sync.Mutex
	err      error
}

func (c *cached) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *cached) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// mayList says whether a kind may be listed in a namespace, or with none in all.
func (v *visitor) mayList(ctx context.Context, k *kind, namespace string) (bool, error) {
	return v.may(ctx, authorizationv1.ResourceAttributes{Verb: "list", Group: k.group, Resource: k.resource, Namespace: namespace})
}

// objects are those of a kind, in a namespace or in all. They are shared: who changes one copies it.
func objects[T client.Object](ctx context.Context, v *visitor, k *kind, namespace string) ([]T, error) {
	scope := ""
	switch everywhere, err := v.mayList(ctx, k, ""); {
	case err != nil:
		return nil, err
	case !everywhere && (!k.namespaced || namespace == ""):
		return nil, forbidden(k, namespace)
	case !everywhere:
		here, err := v.mayList(ctx, k, namespace)
		if err != nil {
			return nil, err
		}
		if !here {
			return nil, forbidden(k, namespace)
		}
		scope = namespace
	}
	c := v.cache(k, scope)
	if err := c.wait(ctx); err != nil {
		return nil, err
	}
	items := c.informer.GetStore().List()
	out := make([]T, 0, len(items))
	for _, item := range items {
		if o := item.(T); !k.namespaced || namespace == "" || o.GetNamespace() == namespace {
			out = append(out, o)
		}
	}
	return out, nil
}

// wait until all is there.
func (c *cached) wait(ctx context.Context) error {
	synced := c.informer.HasSyncedChecker().Done()
	select {
	case <-synced:
		return c.failure()
	case <-c.done:
		if err := c.failure(); err != nil {
			return err
		}
		return errors.New("the cache was closed: ask again")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cache is that of a kind in a namespace, started when it is first asked for.
func (v *visitor) cache(k *kind, namespace string) *cached {
	key := cacheKey{k.resource, namespace}
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.caches[key]; c != nil {
		return c
	}
	ctx, stop := context.WithCancel(v.ctx)
	options := func(o metav1.ListOptions) *client.ListOptions {
		return &client.ListOptions{Raw: &o, Namespace: namespace, FieldSelector: k.fields, Limit: o.Limit, Continue: o.Continue}
	}
	c := &cached{stop: stop, done: ctx.Done()}
	c.informer = toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list := k.list()
			return list, v.List(ctx, list, options(o))
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return v.Watch(ctx, k.list(), options(o))
		},
	}, k.object(), 0, toolscache.Indexers{})
	// Neither fails: the informer has not begun.
	_ = c.informer.SetTransform(func(o any) (any, error) { return slimmed(k, o), nil })
	_ = c.informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *toolscache.Reflector, err error) {
		// Who may not see it any more sees nothing of it: the next request asks anew.
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || !c.informer.HasSynced() {
			c.fail(err)
			v.drop(key)
		}
	})
	_, _ = c.informer.AddEventHandler(toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc:    func(o any, initial bool) { v.changed(k, o, initial) },
		UpdateFunc: func(_, o any) { v.changed(k, o, false) },
		DeleteFunc: func(o any) { v.changed(k, o, false) },
	})
	v.caches[key] = c
	go c.informer.RunWithContext(ctx)
	return c
}

func (v *visitor) drop(key cacheKey) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.caches[key]; c != nil {
		c.stop()
		delete(v.caches, key)
	}
}

func slimmed(k *kind, o any) any {
	object, ok := o.(client.Object)
	if !ok {
		return o // of what was deleted unseen only the name is known
	}
	object.SetManagedFields(nil)
	if k.slim != nil {
		k.slim(object)
	}
	return object
}

func (v *visitor) changed(k *kind, o any, initial bool) {
	if initial {
		return
	}
	name, err := toolscache.DeletionHandlingMetaNamespaceKeyFunc(o)
	if err == nil {
		v.changes.add(k.resource, name)
	}
}
