package scheduler

import (
	"context"
	"fmt"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// informerSet watches the objects of our API.
type informerSet struct {
	queues, agents, projects, organizations cache.SharedIndexInformer
}

// newRESTClient speaks to our API group. Its objects are few and small, so JSON will do.
func newRESTClient(base *rest.Config) (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	cfg := rest.CopyConfig(base)
	cfg.GroupVersion = &v1alpha1.GroupVersion
	cfg.APIPath = "/apis"
	cfg.ContentType = runtime.ContentTypeJSON
	cfg.AcceptContentTypes = runtime.ContentTypeJSON
	cfg.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	return rest.RESTClientFor(cfg)
}

func newInformerSet(client *rest.RESTClient) *informerSet {
	informer := func(resource string, example runtime.Object) cache.SharedIndexInformer {
		lw := cache.NewListWatchFromClient(client, resource, metav1.NamespaceAll, fields.Everything())
		return cache.NewSharedIndexInformer(lw, example, 0, nil)
	}
	return &informerSet{
		queues:        informer("queues", &v1alpha1.Queue{}),
		agents:        informer("agents", &v1alpha1.Agent{}),
		projects:      informer("projects", &v1alpha1.Project{}),
		organizations: informer("organizations", &v1alpha1.Organization{}),
	}
}

func (s *informerSet) run(ctx context.Context) {
	for _, informer := range []cache.SharedIndexInformer{s.queues, s.agents, s.projects, s.organizations} {
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
