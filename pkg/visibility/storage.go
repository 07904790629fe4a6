package visibility

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
)

// parent is a resource that has only subresources.
type parent struct {
	singular   string
	kind       func() runtime.Object
	namespaced bool
}

var (
	_ rest.Scoper               = parent{}
	_ rest.SingularNameProvider = parent{}
)

func (p parent) New() runtime.Object     { return p.kind() }
func (p parent) Destroy()                {}
func (p parent) NamespaceScoped() bool   { return p.namespaced }
func (p parent) GetSingularName() string { return p.singular }

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// pendingOperations answers queues/pendingoperations.
type pendingOperations struct{ source Source }

var _ rest.GetterWithOptions = pendingOperations{}

func (pendingOperations) New() runtime.Object { return &v1alpha1.PendingOperationList{} }
func (pendingOperations) Destroy()            {}

func (pendingOperations) NewGetOptions() (runtime.Object, bool, string) {
	return &v1alpha1.PendingOperationOptions{}, false, ""
}

func (p pendingOperations) Get(_ context.Context, queue string, given runtime.Object) (runtime.Object, error) {
	o := given.(*v1alpha1.PendingOperationOptions)
	limit := int(min(o.Limit, maxLimit))
	if limit <= 0 {
		limit = defaultLimit
	}
	return p.source.PendingOperations(queue, o.Continue, limit)
}

// explanations answers pods/explanation and operations/explanation.
type explanations struct {
	source     Source
	authorizer authorizer.Authorizer
}

var (
	_ rest.Getter            = podExplanation{}
	_ rest.GetterWithOptions = operationExplanation{}
)

func newExplanation() runtime.Object     { return &v1alpha1.Explanation{} }
func (explanations) New() runtime.Object { return newExplanation() }
func (explanations) Destroy()            {}

type podExplanation struct{ explanations }

func (e podExplanation) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	return e.source.ExplainPod(request.NamespaceValue(ctx), name, e.sees(ctx))
}

type operationExplanation struct{ explanations }

func (operationExplanation) NewGetOptions() (runtime.Object, bool, string) {
	return &v1alpha1.ExplanationOptions{}, false, ""
}

func (e operationExplanation) Get(ctx context.Context, name string, given runtime.Object) (runtime.Object, error) {
	kind := given.(*v1alpha1.ExplanationOptions).OperationKind
	return e.source.ExplainOperation(request.NamespaceValue(ctx), kind, name, e.sees(ctx))
}

// sees says whether who asks may see the names in a queue whatever their namespace: whether they may
// list what waits there. Each queue is asked about once.
func (e explanations) sees(ctx context.Context) func(queue string) bool {
	known := map[string]bool{}
	return func(queue string) bool {
		allowed, ok := known[queue]
		if !ok {
			allowed = e.maySee(ctx, queue)
			known[queue] = allowed
		}
		return allowed
	}
}

func (e explanations) maySee(ctx context.Context, queue string) bool {
	user, ok := request.UserFrom(ctx)
	if !ok {
		return false
	}
	decision, _, err := e.authorizer.Authorize(ctx, authorizer.AttributesRecord{
		User:            user,
		Verb:            "get",
		APIGroup:        v1alpha1.GroupVersion.Group,
		APIVersion:      v1alpha1.GroupVersion.Version,
		Resource:        v1alpha1.QueuesResource,
		Subresource:     v1alpha1.PendingOperationsResource,
		Name:            queue,
		ResourceRequest: true,
		Path:            fmt.Sprintf("/apis/%s/%s/%s/%s", v1alpha1.GroupVersion, v1alpha1.QueuesResource, queue, v1alpha1.PendingOperationsResource),
	})
	return err == nil && decision == authorizer.DecisionAllow
}
