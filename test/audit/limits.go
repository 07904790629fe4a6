package audit

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// The kinds of objects that limit, in the order in which a path is checked.
const (
	queueKind        = "queue"
	agentKind        = "agent"
	projectKind      = "project"
	organizationKind = "organization"
)

// nodeKey names an object that limits.
type nodeKey struct{ kind, name string }

func (k nodeKey) String() string { return k.kind + " " + k.name }

// opKey names what shares a seat: the pods of one gang or controller in one queue of one namespace, or a
// pod alone.
type opKey struct{ namespace, queue, owner string }

// node is a limit and what is held under it by bound pods that have not ended.
type node struct {
	history *history
	ops     map[opKey]int
	sums    map[string]resource.Quantity

	limits    bounds                 // while no budget is used up
	budgeted  bool                   // it has a budget
	shutUntil time.Time              // its budget is used up until then
	outdated  *v1alpha1.BudgetStatus // speaks of a budget before an edit
}

func newNode(absent bounds) *node {
	return &node{history: newHistory(absent), ops: map[opKey]int{}, sums: map[string]resource.Quantity{}}
}

func (n *node) charge(op opKey, requests corev1.ResourceList) {
	n.ops[op]++
	for name, q := range requests {
		sum := n.sums[string(name)].DeepCopy()
		sum.Add(q)
		n.sums[string(name)] = sum
	}
}

func (n *node) free(op opKey, requests corev1.ResourceList) {
	if n.ops[op]--; n.ops[op] <= 0 {
		delete(n.ops, op)
	}
	for name, q := range requests {
		sum := n.sums[string(name)].DeepCopy()
		sum.Sub(q)
		n.sums[string(name)] = sum
	}
}

// seatsWith is the number of seats held, with so many more.
func (n *node) seatsWith(more int) resource.Quantity {
	return *resource.NewQuantity(int64(len(n.ops)+more), resource.DecimalSI)
}

// hasSeat reports room for one more operation beside the seats kept for others.
func (n *node) hasSeat(kept int64) bool {
	bound, bounded := n.history.current()[operations]
	want := n.seatsWith(1 + int(kept))
	return !bounded || want.Cmp(bound) <= 0
}

// hasAmounts reports room for the requests beside what is held for others.
func (n *node) hasAmounts(requests, held corev1.ResourceList) bool {
	for d, bound := range n.history.current() {
		q, asked := requests[corev1.ResourceName(d)]
		if d == operations || !asked || q.IsZero() {
			continue
		}
		sum := n.sums[d].DeepCopy()
		sum.Add(q)
		sum.Add(held[corev1.ResourceName(d)])
		if sum.Cmp(bound) > 0 {
			return false
		}
	}
	return true
}

// couldHold reports whether the requests fit when nothing else is held.
func (n *node) couldHold(requests corev1.ResourceList) bool {
	for d, bound := range n.history.current() {
		q, asked := requests[corev1.ResourceName(d)]
		if d != operations && asked && !q.IsZero() && q.Cmp(bound) > 0 {
			return false
		}
	}
	return true
}

// limitsOf is what a concurrency and a quota allow; unset and -1 are unlimited.
func limitsOf(concurrency *int32, quota *v1alpha1.Quota) bounds {
	b := bounds{}
	if concurrency != nil && *concurrency >= 0 {
		b[operations] = *resource.NewQuantity(int64(*concurrency), resource.DecimalSI)
	}
	if quota != nil {
		for name, q := range quota.Resources {
			if q.Sign() >= 0 {
				b[string(name)] = q
			}
		}
		if quota.Cost != nil && quota.Cost.Sign() >= 0 {
			b[costPerHour] = *quota.Cost
		}
	}
	return b
}

// dimensions are the names of what a pod adds to a sum, in a fixed order.
func dimensions(requests corev1.ResourceList) []string {
	var names []string
	for name, q := range requests {
		if !q.IsZero() {
			names = append(names, string(name))
		}
	}
	slices.Sort(names)
	return names
}

// suspicion is a limit that was exceeded by a bind or a release, kept until no edit of the limit that the
// other watch may still show can explain it.
type suspicion struct {
	violation Violation
	what      string // the object that limits
	history   *history
	dimension string
	value     resource.Quantity
	from, at  time.Time // when it was decided and, at the latest, done
}
