package audit

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// observeWorld takes a change of an object that says where pods wait or bounds them.
func (a *Auditor) observeWorld(e Event) {
	switch o := e.Object.(type) {
	case *v1alpha1.Queue:
		old := a.world.queues[o.Name]
		key := nodeKey{queueKind, o.Name}
		a.budget(key, old != nil && !sameBudget(old.Spec.Quota, o.Spec.Quota), o.Spec.Quota, o.Status.Budget)
		if old != nil && !e.Deleted && equality.Semantic.DeepEqual(old.Spec, o.Spec) && (old.DeletionTimestamp == nil) == (o.DeletionTimestamp == nil) {
			a.world.queues[o.Name] = o
			a.limit(e.Time, key, a.node(key).limits)
			break
		}
		put(a.world.queues, o.Name, o, e.Deleted)
		a.redivided(e.Time, old, o)
		b := limitsOf(o.Spec.Concurrency, o.Spec.Quota)
		if e.Deleted || o.Spec.State == v1alpha1.QueuePaused {
			b = closed()
		}
		a.limit(e.Time, key, b)
		a.edited[o.Name] = e.Time
		for _, s := range a.shapes {
			if s.key.queue == o.Name {
				s.forget()
			}
		}
		if old != nil && old.Spec.Agent != o.Spec.Agent {
			a.doubt(e.Time, agentKind)
		}
		if old == nil || e.Deleted || old.Spec.Agent != o.Spec.Agent {
			a.reprice(e.Time)
		}
	case *v1alpha1.Agent:
		old := a.world.agents[o.Name]
		put(a.world.agents, o.Name, o, e.Deleted)
		a.limit(e.Time, nodeKey{agentKind, o.Name}, unless(e.Deleted, limitsOf(o.Spec.Concurrency, nil)))
		if old == nil || e.Deleted || !equality.Semantic.DeepEqual(old.Spec.Concurrency, o.Spec.Concurrency) {
			a.divided[o.Name] = e.Time
		}
		if old == nil || e.Deleted || !equality.Semantic.DeepEqual(old.Spec.Prices, o.Spec.Prices) {
			a.reprice(e.Time)
		}
	case *v1alpha1.Project:
		old := a.world.projects[o.Name]
		put(a.world.projects, o.Name, o, e.Deleted)
		a.budget(nodeKey{projectKind, o.Name}, old != nil && !sameBudget(old.Spec.Quota, o.Spec.Quota), o.Spec.Quota, o.Status.Budget)
		a.limit(e.Time, nodeKey{projectKind, o.Name}, unless(e.Deleted, limitsOf(o.Spec.Concurrency, o.Spec.Quota)))
		if old != nil && old.Spec.Organization != o.Spec.Organization {
			a.doubt(e.Time, organizationKind)
		}
		if old == nil || e.Deleted || old.Spec.Organization != o.Spec.Organization {
			a.recharge()
		}
	case *v1alpha1.Organization:
		old := a.world.organizations[o.Name]
		put(a.world.organizations, o.Name, o, e.Deleted)
		a.budget(nodeKey{organizationKind, o.Name}, old != nil && !sameBudget(old.Spec.Quota, o.Spec.Quota), o.Spec.Quota, o.Status.Budget)
		a.limit(e.Time, nodeKey{organizationKind, o.Name}, unless(e.Deleted, limitsOf(o.Spec.Concurrency, o.Spec.Quota)))
	case *corev1.Namespace:
		put(a.world.namespaces, o.Name, labels.Set(o.Labels), e.Deleted)
	}
	a.refreshAll(e.Time)
}

func put[T any](m map[string]T, name string, o T, deleted bool) {
	if deleted {
		delete(m, name)
		return
	}
	m[name] = o
}

func unless(deleted bool, b bounds) bounds {
	if deleted {
		return nil
	}
	return b
}

func sameBudget(a, b *v1alpha1.Quota) bool {
	var x, y *v1alpha1.Budget
	if a != nil {
		x = a.Budget
	}
	if b != nil {
		y = b.Budget
	}
	return equality.Semantic.DeepEqual(x, y)
}

// limit puts new bounds in force; while a budget is used up nothing is admitted.
func (a *Auditor) limit(now time.Time, k nodeKey, b bounds) {
	n := a.node(k)
	n.limits = b
	if delete(a.shut, k); now.Before(n.shutUntil) {
		a.shut[k], b = true, closed()
	}
	n.history.set(now, b, 4*a.config.EditWindow)
	if k.kind == queueKind {
		a.stats.limits(k.name, b)
	}
}

// doubt lets all bounds of a kind admit everything for a moment: after a queue has changed its agent
// or a project its organization, nobody outside can say which of the two the scheduler counted against.
func (a *Auditor) doubt(now time.Time, kind string) {
	for k, n := range a.nodes {
		if k.kind == kind {
			current := n.history.current()
			n.history.set(now, nil, 4*a.config.EditWindow)
			n.history.set(now, current, 4*a.config.EditWindow)
		}
	}
}

// recharge counts anew what every bound pod holds, along the paths of now.
func (a *Auditor) recharge() {
	for _, n := range a.nodes {
		clear(n.ops)
		clear(n.sums)
	}
	for _, r := range a.pods {
		if r.phase == podBound {
			for _, k := range a.world.path(r.queue, r.project) {
				a.node(k).charge(r.op, r.requests)
			}
		}
	}
}
