package webhook

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/directory"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// confirmedFor is how long the API server's word that no project claims a namespace is good for.
const confirmedFor = time.Second

// assigner asks tenancy which queue an object gets. It asks the cache first, and the API server
// before it acts on an absence: a queue, project or namespace may have been created a moment ago,
// in the same file as the Job.
type assigner struct {
	cached       client.Reader
	live         client.Reader
	defaultQueue string
	// withoutProject holds namespaces of which the API server said just now that no project claims them.
	withoutProject *cache.Expiring
	// asking lets one of those that come at the same time ask that for all.
	asking singleflight.Group
}

func newAssigner(cached, live client.Reader, defaultQueue string) *assigner {
	return &assigner{cached: cached, live: live, defaultQueue: defaultQueue, withoutProject: cache.NewExpiring()}
}

// assign resolves the claim of an object. enters tells whether it would be a new operation of the
// queue found. The error is a *tenancy.Refusal, or says that something could not be read.
func (a *assigner) assign(ctx context.Context, c tenancy.Claim, enters func(queue string) bool) (tenancy.Assignment, error) {
	assignment, refusal, err := a.ask(ctx, a.cached, c, enters)
	if err != nil {
		return assignment, err
	}
	absent := refusal == nil && assignment.Project == "" && enters(assignment.Queue)
	live := func() {
		assignment, refusal, err = a.ask(ctx, a.live, c, enters)
		if absent && err == nil && refusal == nil && assignment.Project == "" {
			a.withoutProject.Set(c.Namespace, true, confirmedFor)
		}
	}
	switch {
	case refusal != nil:
		live()
	case absent && !a.confirmed(c.Namespace):
		first := false
		_, _, _ = a.asking.Do(c.Namespace, func() (any, error) {
			first = true
			live()
			return nil, nil
		})
		if !first && !a.confirmed(c.Namespace) {
			live()
		}
	}
	if err != nil {
		return assignment, err
	}
	if refusal != nil {
		return tenancy.Assignment{}, refusal
	}
	return assignment, nil
}

func (a *assigner) confirmed(namespace string) bool {
	_, confirmed := a.withoutProject.Get(namespace)
	return confirmed
}

func (a *assigner) ask(ctx context.Context, reader client.Reader, c tenancy.Claim, enters func(string) bool) (tenancy.Assignment, *tenancy.Refusal, error) {
	var err error
	if c.NamespaceLabels, err = a.namespaceLabels(ctx, reader, c.Namespace); err != nil {
		return tenancy.Assignment{}, nil, fmt.Errorf("namespace %q could not be read: %w", c.Namespace, err)
	}
	dir := directory.New(ctx, reader)
	assignment, refusal := tenancy.Resolve(dir, a.defaultQueue, c)
	if refusal == nil && enters(assignment.Queue) {
		queue, _ := dir.Queue(assignment.Queue)
		refusal = tenancy.CheckAccepting(queue)
	}
	if dir.Err() != nil {
		return tenancy.Assignment{}, nil, fmt.Errorf("queues and projects could not be read: %w", dir.Err())
	}
	return assignment, refusal, nil
}

func (a *assigner) namespaceLabels(ctx context.Context, reader client.Reader, name string) (map[string]string, error) {
	ns := namespaceMetadata()
	err := reader.Get(ctx, client.ObjectKey{Name: name}, ns)
	if apierrors.IsNotFound(err) {
		err = a.live.Get(ctx, client.ObjectKey{Name: name}, ns)
	}
	return ns.Labels, err
}
