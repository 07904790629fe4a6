package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// Limits of projects, organizations and queues of several agents hold over clusters together: this one has a share of them. The
// status of the tenant says which limits the ledger goes by, and what it counts under them. Others count on it: what the status of
// a tenant says is no longer enforced may be given to another cluster. So no leader ever goes back to limits from before.

// tenantLimits are the bounds of a tenant here: its own, or this cluster's share of them.
func (r *Room) tenantLimits(kind ledger.Kind, tenant metav1.Object, concurrency *int32, quota *v1alpha1.Quota, status *v1alpha1.TenantStatus) ledger.Limits {
	return r.sharedLimits(kind, tenant, concurrency, quota, status.Budget, status.Local)
}

// sharedLimits are bounds, or this cluster's share of them.
func (r *Room) sharedLimits(kind ledger.Kind, of metav1.Object, concurrency *int32, quota *v1alpha1.Quota, budget *v1alpha1.BudgetStatus, share *v1alpha1.Share) ledger.Limits {
	local := limits.OfShare(share)
	if amount, shared := local[limits.Budget]; shared && quota != nil && quota.Budget != nil && amount < cost.Of(quota.Budget.Amount) {
		quota = quota.DeepCopy()
		quota.Budget.Amount = *limits.ShareOf(local).Budget
	}
	l := limits.Narrow(r.limits(kind, of.GetName(), concurrency, quota, budget), local)
	l.Whole = r.whole(of, l)
	enforced := &v1alpha1.EnforcedLimits{Share: enforcedShare(l, quota), Generation: of.GetGeneration()}
	if share != nil {
		enforced.Revision = share.Revision
	}
	r.enforced[accountKey{kind, of.GetName()}] = enforced
	return l
}

// queueLimits are the bounds of a queue here. Of several agents, or while others have shares of it, they are this cluster's
// share, which is nothing before it has one.
func (r *Room) queueLimits(q *v1alpha1.Queue) ledger.Limits {
	share := q.Status.Local
	if share == nil && len(q.Status.Shares) > 0 {
		none := limits.OfTenant(q.Spec.Concurrency, q.Spec.Quota)
		for dim := range none {
			none[dim] = 0
		}
		share = ptr.To(limits.ShareOf(none))
	}
	_, mirrored := q.Labels[v1alpha1.MirroredLabel]
	if share == nil && !mirrored && !tenancy.Several(q) {
		delete(r.enforced, accountKey{ledger.Queue, q.Name})
		return r.limits(ledger.Queue, q.Name, q.Spec.Concurrency, q.Spec.Quota, q.Status.Budget)
	}
	return r.sharedLimits(ledger.Queue, q, q.Spec.Concurrency, q.Spec.Quota, q.Status.Budget, share)
}

// queueEnforced is the limits of a shared queue that the ledger goes by, or what it holds where that is more; nil of others.
func (r *Room) queueEnforced(queue string) *v1alpha1.EnforcedLimits {
	key := accountKey{ledger.Queue, queue}
	is := r.enforced[key]
	if is == nil {
		return nil
	}
	amounts := limits.OfShare(&is.Share)
	seats, usage, _ := r.ledger.NodeUsage(key.kind, key.name)
	for dim, bound := range amounts {
		used := usage[dim]
		switch dim {
		case limits.Seats:
			used = seats
		case limits.Budget:
			if budget := r.budgetStatus(key); budget != nil {
				used, _ = cost.Parse(budget.Spent)
			}
		}
		amounts[dim] = max(bound, used)
	}
	held := &v1alpha1.EnforcedLimits{Share: limits.ShareOf(amounts), Generation: is.Generation}
	held.Revision = is.Revision
	return held
}

// enforcedShare is limits as the status has them.
func enforcedShare(l ledger.Limits, quota *v1alpha1.Quota) v1alpha1.Share {
	amounts := map[string]int64{}
	for name, n := range l.Resources {
		amounts[name] = n
	}
	if l.Seats >= 0 {
		amounts[limits.Seats] = l.Seats
	}
	if quota != nil && quota.Budget != nil {
		amounts[limits.Budget] = cost.Of(quota.Budget.Amount)
	}
	return limits.ShareOf(amounts)
}

// whole is what the limits of a tenant are this cluster's share of. In the cluster of an agent the tenant has its share
// for limits, and an annotation says of what.
func (r *Room) whole(tenant metav1.Object, l ledger.Limits) map[string]int64 {
	text, shared := tenant.GetAnnotations()[v1alpha1.ShareOfAnnotation]
	if !shared {
		return l.Whole
	}
	var share v1alpha1.Share
	if json.Unmarshal([]byte(text), &share) != nil {
		return l.Whole
	}
	whole := limits.OfShare(&share)
	maps.DeleteFunc(whole, func(name string, n int64) bool {
		bound, bounded := l.Resources[name]
		if name == limits.Seats {
			bound, bounded = l.Seats, l.Seats >= 0
		}
		return !bounded || n <= bound
	})
	return whole
}

// older says whether one version of an object, or of others of its name, is older than another.
func older(o, than metav1.Object) bool {
	order, err := resourceversion.CompareResourceVersion(o.GetResourceVersion(), than.GetResourceVersion())
	return err == nil && order < 0
}

// adoptTenants sees all tenants, and the queues that clusters share, as the API server has them: the watch may show limits from before those that the former
// leader said it enforces.
func (r *Room) adoptTenants(ctx context.Context, client *rest.RESTClient) error {
	projects := &v1alpha1.ProjectList{}
	if err := client.Get().Resource("projects").Do(ctx).Into(projects); err != nil {
		return fmt.Errorf("listing projects: %w", err)
	}
	for i := range projects.Items {
		r.projectSeen(&projects.Items[i])
	}
	organizations := &v1alpha1.OrganizationList{}
	if err := client.Get().Resource("organizations").Do(ctx).Into(organizations); err != nil {
		return fmt.Errorf("listing organizations: %w", err)
	}
	for i := range organizations.Items {
		r.organizationSeen(&organizations.Items[i])
	}
	queues := &v1alpha1.QueueList{}
	if err := client.Get().Resource("queues").Do(ctx).Into(queues); err != nil {
		return fmt.Errorf("listing queues: %w", err)
	}
	for i := range queues.Items {
		r.queueSeen(&queues.Items[i])
	}
	return nil
}

// tenantChange adds what the status of a tenant should say, if it says something else. Only what is counted here is
// written: the rest of that status is the controllers'.
func (r *Room) tenantChange(out []statusChange, key accountKey, resource string, object metav1.ObjectMeta, before *v1alpha1.TenantStatus) []statusChange {
	now := r.tenantStatus(key)
	same := now.Admitted == before.Admitted && now.CostRate == before.CostRate &&
		equality.Semantic.DeepEqual(now.Usage, before.Usage) && equality.Semantic.DeepEqual(now.Demand, before.Demand) &&
		equality.Semantic.DeepEqual(now.Enforced, before.Enforced) && equality.Semantic.DeepEqual(now.Budget, before.Budget)
	if same {
		return out
	}
	patch := map[string]any{
		"admitted": now.Admitted,
		"usage":    explicit(now.Usage, before.Usage),
		"costRate": now.CostRate,
		"demand":   explicitShare(now.Demand, before.Demand),
		"budget":   now.Budget,
	}
	patch["enforced"] = explicitEnforced(now.Enforced, before.Enforced)
	return append(out, statusChange{resource, object, patch})
}

// tenantStatus is what the ledger says of a tenant.
func (r *Room) tenantStatus(key accountKey) v1alpha1.TenantStatus {
	status := v1alpha1.TenantStatus{Enforced: r.enforced[key].DeepCopy(), Budget: r.budgetStatus(key)}
	held, usage, _ := r.ledger.NodeUsage(key.kind, key.name)
	status.Admitted = int32(held)
	status.Usage = limits.Quantities(usage)
	if rate := usage[ledger.CostPerHour]; rate > 0 {
		status.CostRate = cost.Format(rate)
	}
	if wanted, resources := r.ledger.Demand(key.kind, key.name); wanted > 0 || len(resources) > 0 {
		resources[limits.Seats] = wanted
		status.Demand = ptr.To(limits.ShareOf(resources))
	}
	return status
}

func shareOf(e *v1alpha1.EnforcedLimits) *v1alpha1.Share {
	if e == nil {
		return nil
	}
	return &e.Share
}

// explicitEnforced is enforced limits as a merge patch over those before.
func explicitEnforced(now, before *v1alpha1.EnforcedLimits) map[string]any {
	if now == nil {
		return nil
	}
	patch := explicitShare(&now.Share, shareOf(before))
	patch["generation"] = now.Generation
	return patch
}

// explicitShare is a share as a merge patch over the one before.
func explicitShare(now, before *v1alpha1.Share) map[string]any {
	if now == nil {
		return nil
	}
	was := v1alpha1.Share{}
	if before != nil {
		was = *before
	}
	return map[string]any{
		"concurrency": now.Concurrency, "resources": explicit(now.Resources, was.Resources),
		"cost": now.Cost, "budget": now.Budget, "revision": now.Revision,
	}
}

// explicit is resources as a merge patch over those before: one that is gone must be named to be removed.
func explicit(now, before corev1.ResourceList) map[string]any {
	patch := map[string]any{}
	for name := range before {
		patch[string(name)] = nil
	}
	for name, q := range now {
		patch[string(name)] = q
	}
	return patch
}
