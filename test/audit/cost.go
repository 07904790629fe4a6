package audit

import (
	"cmp"
	"maps"
	"math"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// costPerHour is the dimension of what pods cost. No resource can have a name with spaces.
const costPerHour = "cost per hour"

// declaredCost is what an object says it costs per hour. What cannot be read, or says two things, is
// no cost: such a pod is refused.
func declaredCost(o metav1.Object) (q resource.Quantity, declared, readable bool) {
	label, annotation := o.GetLabels()[v1alpha1.CostLabel], o.GetAnnotations()[v1alpha1.CostLabel]
	_, labelled := o.GetLabels()[v1alpha1.CostLabel]
	_, annotated := o.GetAnnotations()[v1alpha1.CostLabel]
	if !labelled && !annotated {
		return q, false, true
	}
	q, err := resource.ParseQuantity(cmp.Or(annotation, label))
	contradicts := labelled && annotated && label != annotation
	return q, true, err == nil && q.Sign() >= 0 && !contradicts
}

// price makes the requests of a record those of its pod and their cost at the prices of now.
func (w *world) price(r *podRecord) {
	r.requests = r.resources
	cost := w.cost(r)
	if cost.Sign() <= 0 {
		return
	}
	r.requests = maps.Clone(r.resources)
	if r.requests == nil {
		r.requests = corev1.ResourceList{}
	}
	r.requests[costPerHour] = cost
}

// cost is what a pod declares, else what its requests cost at the prices of its queue's agent: per
// cpu, per GiB of memory and storage, per one of all else. It is rounded up to a millionth.
func (w *world) cost(r *podRecord) resource.Quantity {
	if r.declared != nil {
		return micros(exact(*r.declared))
	}
	q := w.queues[r.queue]
	if q == nil || w.agents[w.agent(q)] == nil {
		return resource.Quantity{}
	}
	sum := new(big.Rat)
	for name, price := range w.agents[w.agent(q)].Spec.Prices {
		part := new(big.Rat).Mul(exact(r.resources[name]), exact(price))
		if name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage {
			part.Quo(part, big.NewRat(1<<30, 1))
		}
		sum.Add(sum, part)
	}
	return micros(sum)
}

func exact(q resource.Quantity) *big.Rat {
	r, ok := new(big.Rat).SetString(q.AsDec().String())
	if !ok {
		return new(big.Rat)
	}
	return r
}

func micros(r *big.Rat) resource.Quantity {
	scaled := new(big.Rat).Mul(r, big.NewRat(1_000_000, 1))
	whole := new(big.Int).Div(scaled.Num(), scaled.Denom())
	if !scaled.IsInt() {
		whole.Add(whole, big.NewInt(1))
	}
	if !whole.IsInt64() || whole.Int64() > math.MaxInt64/4 {
		whole.SetInt64(math.MaxInt64 / 4)
	}
	return *resource.NewScaledQuantity(whole.Int64(), resource.Micro)
}

// reprice counts anew what everything costs, after prices have changed or a queue its agent. For a
// moment nobody outside can say which prices the scheduler counted with.
func (a *Auditor) reprice(now time.Time) {
	var waiting []*podRecord
	for _, r := range a.pods {
		if r.phase == podEnded {
			continue
		}
		a.world.price(r)
		if r.shape != nil {
			waiting = append(waiting, r)
		}
	}
	a.recharge()
	for _, r := range waiting {
		a.leave(r)
		a.enter(now, r)
	}
	for _, n := range a.nodes {
		current := n.history.current()
		free := maps.Clone(current)
		delete(free, costPerHour)
		n.history.set(now, free, 4*a.config.EditWindow)
		n.history.set(now, current, 4*a.config.EditWindow)
	}
}

// budget keeps in mind until when a status says that the budget of an object is used up. After an edit
// the status still speaks of the budget before, so nothing is concluded until it says something else.
func (a *Auditor) budget(k nodeKey, edited bool, quota *v1alpha1.Quota, status *v1alpha1.BudgetStatus) {
	n := a.node(k)
	n.budgeted = quota != nil && quota.Budget != nil
	if edited {
		n.outdated = status
	}
	n.shutUntil = time.Time{}
	if !n.budgeted || status == nil || n.outdated != nil && status.AccountedUntil.Equal(&n.outdated.AccountedUntil) {
		return
	}
	spent, err := resource.ParseQuantity(status.Spent)
	if err == nil && spent.Cmp(quota.Budget.Amount) >= 0 {
		n.shutUntil = status.WindowEnd.Time
	}
}

// reopen ends what budgets shut until their window turned.
func (a *Auditor) reopen(now time.Time) {
	for k := range a.shut {
		if n := a.node(k); !now.Before(n.shutUntil) {
			a.limit(now, k, n.limits)
			a.refreshAll(now)
		}
	}
}

// budgeted reports whether a budget bounds the operations of a queue and project. What is spent
// between two looks at a status is not known, so such an operation is never said to be passed over.
func (a *Auditor) budgeted(queue, project string) bool {
	for _, k := range a.world.path(queue, project) {
		if a.node(k).budgeted {
			return true
		}
	}
	return false
}
