package scheduler

import (
	"context"
	"fmt"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// What queues are made of, beside what kube-scheduler itself may see.
//
// +kubebuilder:rbac:groups=queueyard.io,resources=agents;queues;projects;organizations,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=scheduling.x-k8s.io,resources=podgroups,verbs=get;list;watch

// informerSet watches the objects of our API, and the PodGroups of gangs.
type informerSet struct {
	queues, agents, projects, organizations, podGroups cache.SharedIndexInformer
}

// newRESTClient speaks to our API group.
func newRESTClient(base *rest.Config) (*rest.RESTClient, error) {
	return newGroupClient(base, v1alpha1.GroupVersion, v1alpha1.AddToScheme)
}

// newPodGroupClient speaks to the API group of PodGroups.
func newPodGroupClient(base *rest.Config) (*rest.RESTClient, error) {
	return newGroupClient(base, podgroups.SchemeGroupVersion, podgroups.AddToScheme)
}

// newGroupClient speaks to one API group. The objects are few and small, so JSON will do.
func newGroupClient(base *rest.Config, group schema.GroupVersion, addToScheme func(*runtime.Scheme) error) (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	if err := addToScheme(scheme); err != nil {
		return nil, err
	}
	cfg := rest.CopyConfig(base)
	cfg.GroupVersion = &group
	cfg.APIPath = "/apis"
	cfg.ContentType = runtime.ContentTypeJSON
	cfg.AcceptContentTypes = runtime.ContentTypeJSON
	cfg.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	return rest.RESTClientFor(cfg)
}

func newInformerSet(client, groups *rest.RESTClient) *informerSet {
	informer := func(client *rest.RESTClient, resource string, example runtime.Object) cache.SharedIndexInformer {
		lw := cache.NewListWatchFromClient(client, resource, metav1.NamespaceAll, fields.Everything())
		return cache.NewSharedIndexInformer(lw, example, 0, nil)
	}
	return &informerSet{
		queues:        informer(client, "queues", &v1alpha1.Queue{}),
		agents:        informer(client, "agents", &v1alpha1.Agent{}),
		projects:      informer(client, "projects", &v1alpha1.Project{}),
		organizations: informer(client, "organizations", &v1alpha1.Organization{}),
		podGroups:     informer(groups, "podgroups", &podgroups.PodGroup{}),
	}
}

func (s *informerSet) run(ctx context.Context) {
	for _, informer := range []cache.SharedIndexInformer{s.queues, s.agents, s.projects, s.organizations, s.podGroups} {
		go informer.RunWithContext(ctx)
	}
}

// adopt charges every pod that is on a node according to the API server itself, not to a watch
// that may lag behind what the former leader did last. What the watch has already seen end is
// charged for a moment more, until the sweep: too few admissions are no harm, too many are.
func (r *Room) adopt(ctx context.Context, client kubernetes.Interface) error {
	for profile := range r.profiles {
		list := pager.New(func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			return client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, opts)
		})
		list.PageSize = 1000
		err := list.EachListItem(ctx, metav1.ListOptions{
			FieldSelector: fmt.Sprintf("spec.schedulerName=%s,spec.nodeName!=,status.phase!=%s,status.phase!=%s", profile, v1.PodSucceeded, v1.PodFailed),
		}, func(obj runtime.Object) error {
			r.podSeen(obj.(*v1.Pod))
			return nil
		})
		if err != nil {
			return fmt.Errorf("listing the bound pods of profile %s: %w", profile, err)
		}
	}
	return nil
}
