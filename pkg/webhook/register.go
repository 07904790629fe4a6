package webhook

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// ConfigurationName is the name of the mutating and of the validating webhook configuration.
const ConfigurationName = "queueyard"

// The paths that the webhook configurations call.
const (
	podsPath       = "/pods"
	jobsPath       = "/jobs"
	bindingsPath   = "/bindings"
	objectsPath    = "/objects"
	operationsPath = "/operations"
	componentsPath = "/components"
	workflowsPath  = "/workflows"
)

// What answers are made of; whose pod another scheduler is about to bind; whether a user may create what an
// operation would run as.
//
// +kubebuilder:rbac:groups=queueyard.io,resources=queues;projects;organizations;components;operations;workflows,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get
// +kubebuilder:rbac:groups=batch,resources=jobs,verbs=get
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// Register serves all admission handlers. Cached answers from informers, live from the API server.
func Register(server webhook.Server, cached client.Client, live client.Reader, defaultQueue string) {
	decoder := admission.NewDecoder(cached.Scheme())
	assigner := newAssigner(cached, live, defaultQueue)
	marker := &marker{cached: cached, live: live}
	operations := &operationHandler{decoder: decoder, assigner: assigner, client: cached, live: live}
	for path, handler := range map[string]admission.Handler{
		podsPath:       &podHandler{decoder: decoder, assigner: assigner, marker: marker},
		jobsPath:       &jobHandler{decoder: decoder, assigner: assigner, marker: marker},
		bindingsPath:   &bindingHandler{decoder: decoder, live: live},
		objectsPath:    &objectHandler{decoder: decoder},
		operationsPath: operations,
		workflowsPath:  &workflowHandler{decoder: decoder, operations: operations},
		componentsPath: &componentHandler{decoder: decoder, live: live, operations: operations},
	} {
		failures.WithLabelValues(path) // begins with 0, so that the first is seen
		server.Register(path, &admission.Webhook{Handler: counted{handler, path}})
	}
}

// CachedObjects are what the handlers read from the cache. Their informers run before the first
// request, so that it does not wait for them.
func CachedObjects() []client.Object {
	return []client.Object{&v1alpha1.Queue{}, &v1alpha1.Project{}, &v1alpha1.Organization{}, &v1alpha1.Component{}, &v1alpha1.Operation{}, namespaceMetadata()}
}

// namespaceMetadata asks for the labels of a namespace without the rest.
func namespaceMetadata() *metav1.PartialObjectMetadata {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return ns
}
