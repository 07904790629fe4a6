package agent

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// confirmed knows which copies may begin: those that the hub has been seen to count as this cluster's. It is of this process
// alone, so that nothing begins by what an old backup says.
type confirmed struct {
	changed chan event.TypedGenericEvent[client.Object]

	mu sync.Mutex
	// said holds what was decided, by the name of the assignment.
	said map[string]verdict
	// settled says that what was not decided yet will not be soon: the hub does not answer.
	settled bool
}

type verdict struct {
	may bool
	uid types.UID // of the assignment
	of  types.NamespacedName
}

func verdictOf(a *v1alpha1.Assignment, may bool) verdict {
	return verdict{may: may, uid: a.UID, of: types.NamespacedName{Namespace: a.Spec.Namespace, Name: a.Name}}
}

func newConfirmed() *confirmed {
	return &confirmed{changed: make(chan event.TypedGenericEvent[client.Object], 1024), said: map[string]verdict{}}
}

// May implements operation.Copies. While nothing has been heard of the hub, what waits is left as it is for a moment: most
// often this process has only been started again.
func (c *confirmed) May(op *v1alpha1.Operation, waits bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, said := c.said[op.Annotations[v1alpha1.AssignmentAnnotation]]
	if !said {
		return waits && !c.settled
	}
	return v.may && string(v.uid) == op.Annotations[v1alpha1.AssignmentUIDAnnotation] && v.of == client.ObjectKeyFromObject(op)
}

// Changed implements operation.Copies.
func (c *confirmed) Changed() <-chan event.TypedGenericEvent[client.Object] { return c.changed }

// say notes whether the copy of an assignment may begin.
func (c *confirmed) say(ctx context.Context, assignment string, now verdict) {
	c.mu.Lock()
	before, said := c.said[assignment]
	c.said[assignment] = now
	c.mu.Unlock()
	if !said || before != now {
		c.tell(ctx, now.of)
	}
}

// is says whether this is what was said last.
func (c *confirmed) is(v verdict) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said[v.of.Name] == v
}

// forget drops what there is no copy of.
func (c *confirmed) forget(assignment string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.said, assignment)
}

// settle ends the moment in which what waits is left as it is.
func (c *confirmed) settle(ctx context.Context, copies []v1alpha1.Operation) {
	c.mu.Lock()
	c.settled = true
	c.mu.Unlock()
	for i := range copies {
		c.tell(ctx, client.ObjectKeyFromObject(&copies[i]))
	}
}

// revoke takes back all that was said: another cluster serves.
func (c *confirmed) revoke(ctx context.Context, copies []v1alpha1.Operation) {
	c.mu.Lock()
	c.said = map[string]verdict{}
	c.mu.Unlock()
	c.settle(ctx, copies)
}

// tell has the operation controller look at a copy.
func (c *confirmed) tell(ctx context.Context, of types.NamespacedName) {
	op := &v1alpha1.Operation{}
	op.Namespace, op.Name = of.Namespace, of.Name
	select {
	case c.changed <- event.TypedGenericEvent[client.Object]{Object: op}:
	case <-ctx.Done():
	}
}
