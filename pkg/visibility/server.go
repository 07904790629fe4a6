// Package visibility serves visibility.queueyard.io out of a scheduler's memory, as an API aggregated
// into the cluster's: who waits, why, and until when. The generic API server of Kubernetes does
// discovery, authentication, authorization and encoding; what is known comes from a Source.
package visibility

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/emicklei/go-restful/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	apiopenapi "k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/pkg/server/options"
	restclient "k8s.io/client-go/rest"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/klog/v2"

	"github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
	"github.com/queueyard/queueyard/pkg/visibility/openapi"
)

// Source knows who waits. Its errors are API errors.
type Source interface {
	// PendingOperations is a page of a queue, at most limit long, that begins where from, the
	// continue of the page before, ends.
	PendingOperations(queue, from string, limit int) (*v1alpha1.PendingOperationList, error)
	// ExplainPod and ExplainOperation say why a pod, or the operation of that name and kind, stands where
	// it stands. Names of holders in other namespaces are for those only who may see everything in
	// the holder's queue. An empty kind is any.
	ExplainPod(namespace, name string, sees func(queue string) bool) (*v1alpha1.Explanation, error)
	ExplainOperation(namespace, kind, name string, sees func(queue string) bool) (*v1alpha1.Explanation, error)
}

var (
	scheme         = runtime.NewScheme()
	codecs         = serializer.NewCodecFactory(scheme)
	parameterCodec = runtime.NewParameterCodec(scheme)
)

func init() {
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	utilruntime.Must(scheme.SetVersionPriority(v1alpha1.GroupVersion))
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
}

const (
	// requestTimeout and maxInFlight bound what clients can ask of a process that has other work.
	requestTimeout = 10 * time.Second
	maxInFlight    = 40
	// startRetry is how long to wait before trying again to read how clients authenticate.
	startRetry = 5 * time.Second
)

// Delegation is how clients of the process's other endpoints are known and what they may do.
type Delegation struct {
	SecureServing  *options.SecureServingOptions
	Authentication *options.DelegatingAuthenticationOptions
	Authorization  *options.DelegatingAuthorizationOptions
	Version        basecompatibility.EffectiveVersion
}

// Server serves the API. Every replica serves; only the leader is published.
type Server struct {
	options     *Options
	delegation  Delegation
	source      Source
	listener    net.Listener
	certificate *certificate
}

// Listen takes the port. Run must follow.
func Listen(o *Options, d Delegation, source Source) (*Server, error) {
	certificate, err := newCertificate(defaultHost)
	if err != nil {
		return nil, fmt.Errorf("making a serving certificate for %s: %w", v1alpha1.GroupVersion.Group, err)
	}
	listener, err := o.listen()
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", v1alpha1.GroupVersion.Group, err)
	}
	return &Server{o, d, source, listener, certificate}, nil
}

// Port is the one listened on.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Run serves until ctx ends. While it can't be known how clients authenticate, nothing is served, and
// the rest of the process goes on.
func (s *Server) Run(ctx context.Context) {
	logger := klog.FromContext(ctx)
	var server *genericapiserver.GenericAPIServer
	err := wait.PollUntilContextCancel(ctx, startRetry, true, func(context.Context) (bool, error) {
		var err error
		if server, err = s.build(); err != nil {
			logger.Error(err, "Cannot serve yet; tried again", "api", v1alpha1.GroupVersion)
		}
		return err == nil, nil
	})
	if err != nil {
		_ = s.listener.Close()
		return
	}
	logger.Info("Serving", "api", v1alpha1.GroupVersion, "address", s.listener.Addr())
	if err := server.PrepareRun().RunWithContext(ctx); err != nil && ctx.Err() == nil {
		logger.Error(err, "Serving ended", "api", v1alpha1.GroupVersion)
	}
}

func (s *Server) build() (*genericapiserver.GenericAPIServer, error) {
	config := genericapiserver.NewConfig(codecs)
	config.EffectiveVersion = s.delegation.Version
	config.LoopbackClientConfig = &restclient.Config{}
	config.RequestTimeout = requestTimeout
	config.MaxRequestsInFlight = maxInFlight
	config.EnableProfiling, config.EnableMetrics = false, false // the process's other port has them
	namer := apiopenapi.NewDefinitionNamer(scheme)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(openapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(openapi.GetOpenAPIDefinitions, namer) // API servers ask for it again and again
	config.OpenAPIConfig.GetOperationIDAndTags, config.OpenAPIV3Config.GetOperationIDAndTags = operationID, operationID
	config.OpenAPIConfig.Info.Title, config.OpenAPIV3Config.Info.Title = "Queueyard visibility", "Queueyard visibility"
	if err := s.secure(config); err != nil {
		return nil, err
	}
	server, err := config.Complete(nil).New("queueyard-visibility", genericapiserver.NewEmptyDelegate())
	if err != nil {
		return nil, err
	}
	group := genericapiserver.NewDefaultAPIGroupInfo(v1alpha1.GroupVersion.Group, scheme, parameterCodec, codecs)
	group.VersionedResourcesStorageMap[v1alpha1.GroupVersion.Version] = storage(s.source, config.Authorization.Authorizer)
	return server, server.InstallAPIGroup(&group)
}

// secure has clients known as on the process's other port. The configuration of the front proxy, through
// which everybody comes, must be there: without it all would be anonymous.
func (s *Server) secure(config *genericapiserver.Config) error {
	serving := *s.delegation.SecureServing
	serving.Listener = s.listener
	serving.ServerCert = options.GeneratableKeyCert{GeneratedCert: s.certificate}
	serving.SNICertKeys = nil
	if err := serving.ApplyTo(&config.SecureServing); err != nil {
		return err
	}
	authentication := *s.delegation.Authentication
	authentication.TolerateInClusterLookupFailure = false
	if err := authentication.ApplyTo(&config.Authentication, config.SecureServing, nil); err != nil {
		return err
	}
	return s.delegation.Authorization.ApplyTo(&config.Authorization)
}

// operationID tells apart the two resources whose explanations are of one kind.
func operationID(r *restful.Route) (string, []string, error) {
	id, tags, err := apiopenapi.GetOperationIDAndTags(r)
	if strings.Contains(r.Path, "/"+v1alpha1.OperationsResource+"/") {
		id += "OfOperation"
	}
	return id, tags, err
}

var _ dynamiccertificates.CertKeyContentProvider = (*certificate)(nil)

// storage is what answers, by resource.
func storage(source Source, authorizer authorizer.Authorizer) map[string]rest.Storage {
	explanations := explanations{source, authorizer}
	return map[string]rest.Storage{
		v1alpha1.QueuesResource: parent{singular: "queue", kind: func() runtime.Object { return &v1alpha1.PendingOperationList{} }},
		v1alpha1.QueuesResource + "/" + v1alpha1.PendingOperationsResource: pendingOperations{source: source},

		v1alpha1.PodsResource: parent{singular: "pod", kind: newExplanation, namespaced: true},
		v1alpha1.PodsResource + "/" + v1alpha1.ExplanationResource:       podExplanation{explanations},
		v1alpha1.OperationsResource:                                      parent{singular: "operation", kind: newExplanation, namespaced: true},
		v1alpha1.OperationsResource + "/" + v1alpha1.ExplanationResource: operationExplanation{explanations},
	}
}
