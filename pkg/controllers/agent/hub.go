package agent

import (
	"context"
	"net/http"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// hubQPS and hubBurst bound what is asked of the hub; an operation takes about ten requests.
const hubQPS, hubBurst = 400, 800

// connect makes clients and a cache of the hub, of the agent's namespace alone. Nothing is asked of the hub yet.
func connect(config *rest.Config, agent string, options ...cluster.Option) (cluster.Cluster, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = hubQPS, hubBurst
	return cluster.New(config, append([]cluster.Option{func(o *cluster.Options) {
		o.Scheme = scheme
		o.MapperProvider = func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return kindsOfHub(), nil }
		o.Cache.DefaultNamespaces = map[string]cache.Config{v1alpha1.AgentNamespace(agent): {}}
		o.Cache.DefaultTransform = cache.TransformStripManagedFields()
	}}, options...)...)
}

// kindsOfHub are known beforehand: the agent may ask for nothing else.
func kindsOfHub() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{v1alpha1.GroupVersion, coordinationv1.SchemeGroupVersion})
	for _, kind := range []schema.GroupVersionKind{
		v1alpha1.GroupVersion.WithKind("Assignment"), v1alpha1.GroupVersion.WithKind("Mirror"), coordinationv1.SchemeGroupVersion.WithKind("Lease"),
	} {
		mapper.Add(kind, meta.RESTScopeNamespace)
	}
	return mapper
}

// synced waits for the cache of the hub, however long that takes.
func synced(ctx context.Context, hub cluster.Cluster) bool {
	for _, object := range []client.Object{&v1alpha1.Assignment{}, &v1alpha1.Mirror{}} {
		if _, err := hub.GetCache().GetInformer(ctx, object); err != nil {
			return false
		}
	}
	return hub.GetCache().WaitForCacheSync(ctx)
}
