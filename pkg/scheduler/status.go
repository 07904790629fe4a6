package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// statusPeriod is how often at most a queue's or an agent's status is written.
const statusPeriod = time.Second

// +kubebuilder:rbac:groups=queueyard.io,resources=agents/status;queues/status;projects/status;organizations/status,verbs=update;patch

// statusWriter is the one writer of the status of queues and agents of this cluster, but for the count of Operations, and of what
// the status of tenants counts.
type statusWriter struct {
	room   *Room
	client *rest.RESTClient
}

// statusChange is a status that differs from the one the API has.
type statusChange struct {
	resource string
	object   metav1.ObjectMeta
	status   any
}

func (w *statusWriter) run(ctx context.Context) {
	ticker := w.room.clock.NewTicker(statusPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
		if !w.room.fence.holds() {
			continue
		}
		for _, change := range w.room.statusChanges() {
			if err := w.write(ctx, change); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				klog.FromContext(ctx).Error(err, "Cannot write a status; the next second tries again", "resource", change.resource, "name", change.object.Name)
				w.room.changedAgain(change)
			}
		}
	}
}

func (w *statusWriter) write(ctx context.Context, change statusChange) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": change.object.UID},
		"status":   change.status,
	})
	if err != nil {
		return fmt.Errorf("encoding a status: %w", err)
	}
	return w.client.Patch(types.MergePatchType).Resource(change.resource).Name(change.object.Name).
		SubResource("status").Body(patch).Do(ctx).Error()
}

// changes names the objects whose status may differ from the one the API has: what the ledger
// counts in them changed, or they were seen anew (and with them whatever a hand wrote into them).
type changes struct {
	queues, agents, projects, organizations map[string]bool
}

func newChanges() changes {
	return changes{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
}

func (r *Room) changedAgain(change statusChange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	map[string]map[string]bool{
		"queues": r.changes.queues, "agents": r.changes.agents,
		"projects": r.changes.projects, "organizations": r.changes.organizations,
	}[change.resource][change.object.Name] = true
}

// statusChanges compares what the ledger says with what the API has, for all that changed.
func (r *Room) statusChanges() []statusChange {
	r.mu.Lock()
	defer r.mu.Unlock()
	queues, agents := r.ledger.Changed()
	for _, name := range queues {
		r.changes.queues[name] = true
	}
	for _, name := range agents {
		r.changes.agents[name] = true
	}
	projects, organizations := r.ledger.ChangedTenants()
	for _, name := range projects {
		r.changes.projects[name] = true
	}
	for _, name := range organizations {
		r.changes.organizations[name] = true
	}
	now := metav1.NewTime(r.clock.Now())
	var out []statusChange
	for name := range r.changes.queues {
		q := r.directory.queues[name]
		if q == nil {
			continue
		}
		if _, here := r.agentHere(q); !here {
			out = r.leftChange(out, q)
			continue
		}
		status := r.queueStatus(q, now)
		if !equality.Semantic.DeepEqual(status, q.Status) {
			out = append(out, statusChange{"queues", q.ObjectMeta, explicitUsage(status, q.Status)})
		}
	}
	for name := range r.changes.agents {
		if a := r.directory.agents[name]; a != nil && !a.Spec.Remote {
			if status := r.agentStatus(a, now); !equality.Semantic.DeepEqual(status, a.Status) {
				out = append(out, statusChange{"agents", a.ObjectMeta, status})
			}
		}
	}
	for name := range r.changes.projects {
		if p, ok := r.directory.Project(name); ok {
			out = r.tenantChange(out, accountKey{ledger.Project, name}, "projects", p.ObjectMeta, &p.Status)
		}
	}
	for name := range r.changes.organizations {
		if o, ok := r.directory.Organization(name); ok {
			out = r.tenantChange(out, accountKey{ledger.Organization, name}, "organizations", o.ObjectMeta, &o.Status)
		}
	}
	r.changes = newChanges()
	return out
}

// leftChange adds what this cluster still holds of a queue that it does not serve any more.
func (r *Room) leftChange(out []statusChange, q *v1alpha1.Queue) []statusChange {
	if q.Status.Local == nil {
		return out
	}
	enforced := r.queueEnforced(q.Name)
	if equality.Semantic.DeepEqual(enforced, q.Status.Enforced) {
		return out
	}
	return append(out, statusChange{"queues", q.ObjectMeta, map[string]any{"enforced": explicitEnforced(enforced, q.Status.Enforced)}})
}

// servedElsewhere says that an agent in another cluster serves queues: it tells their status.
func (r *Room) servedElsewhere(agent string) bool {
	a := r.directory.agents[agent]
	return a != nil && a.Spec.Remote
}

// budgetStatus is what was last published of an account; nil if there is none.
func (r *Room) budgetStatus(key accountKey) *v1alpha1.BudgetStatus {
	a := r.accounts[key]
	if a == nil || a.published.Spent == "" {
		return nil
	}
	return a.published.DeepCopy()
}

// explicitUsage is a queue's status as a merge patch.
func explicitUsage(status, before v1alpha1.QueueStatus) any {
	return map[string]any{
		"observedGeneration": status.ObservedGeneration,
		"pending":            status.Pending,
		"oldestPending":      status.OldestPending,
		"admitted":           status.Admitted,
		"running":            status.Running,
		"usage":              explicit(status.Usage, before.Usage),
		"conditions":         status.Conditions,
		"costRate":           status.CostRate,
		"budget":             status.Budget,
		"enforced":           explicitEnforced(status.Enforced, before.Enforced),
	}
}

func (r *Room) queueStatus(q *v1alpha1.Queue, now metav1.Time) v1alpha1.QueueStatus {
	status := v1alpha1.QueueStatus{
		ObservedGeneration: q.Generation, Conditions: append([]metav1.Condition(nil), q.Status.Conditions...),
		// The controllers'; they are not written.
		Operations: q.Status.Operations, Agents: q.Status.Agents, Local: q.Status.Local, Shares: q.Status.Shares, Withheld: q.Status.Withheld,
		Enforced: r.queueEnforced(q.Name),
	}
	if stats, ok := r.ledger.QueueStats(q.Name); ok {
		status.Pending = int32(stats.Pending + stats.Suspended)
		status.OldestPending = oldestPending(stats)
		status.Admitted = int32(stats.Admitted)
		status.Running = int32(stats.Running)
		status.Usage = limits.Quantities(stats.Usage)
		if rate := stats.Usage[ledger.CostPerHour]; rate > 0 {
			status.CostRate = cost.Format(rate)
		}
	}
	if tenancy.Several(q) {
		status.AddAgents()
	}
	status.Budget = r.budgetStatus(accountKey{ledger.Queue, q.Name})
	info := tenancy.InfoOf(q)
	agent, _ := r.agentHere(q)
	ready := metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionTrue, Reason: "Serving", Message: "admits what waits as room allows"}
	switch {
	case r.directory.agents[agent] == nil:
		ready.Status, ready.Reason = metav1.ConditionFalse, "AgentNotFound"
		ready.Message = fmt.Sprintf("agent %q does not exist: create it, or set spec.agent to one that does", agent)
		if tenancy.Several(q) {
			ready.Message = fmt.Sprintf("agent %q does not exist: create it, or take it out of spec.agents", agent)
		}
	case info.State == v1alpha1.QueuePaused:
		ready.Reason, ready.Message = "Paused", "accepts operations and admits none: set spec.state to Open"
	case info.Deleting:
		ready.Reason, ready.Message = "Deleting", "is deleted when nothing waits or runs in it"
	}
	accepting := metav1.Condition{Type: v1alpha1.AcceptingCondition, Status: metav1.ConditionTrue, Reason: "Open", Message: "takes new operations"}
	if refusal := tenancy.CheckAccepting(info); refusal != nil {
		accepting.Status, accepting.Reason, accepting.Message = metav1.ConditionFalse, refusal.Reason, refusal.Message
	}
	setConditions(&status.Conditions, q.Generation, now, ready, accepting)
	return status
}

func (r *Room) agentStatus(a *v1alpha1.Agent, now metav1.Time) v1alpha1.AgentStatus {
	status := v1alpha1.AgentStatus{ObservedGeneration: a.Generation, Conditions: append([]metav1.Condition(nil), a.Status.Conditions...)}
	if stats, ok := r.ledger.AgentStats(a.Name); ok {
		status.Queues = int32(stats.Queues)
		status.Pending = int32(stats.Pending + stats.Suspended)
		status.Admitted = int32(stats.Admitted)
		status.Levels = levelStatuses(stats.Levels)
	}
	setConditions(&status.Conditions, a.Generation, now, metav1.Condition{
		Type: v1alpha1.ReadyCondition, Status: metav1.ConditionTrue, Reason: "Serving", Message: "serves its queues in this cluster",
	})
	return status
}

// oldestPending is since when a queue has kept somebody waiting. A time changes less often than how
// long ago it was.
func oldestPending(stats ledger.QueueStats) *metav1.Time {
	if stats.Pending+stats.Suspended == 0 {
		return nil
	}
	at := metav1.NewTime(time.Unix(0, stats.Oldest).Truncate(time.Second)) // as the API keeps it
	return &at
}

func levelStatuses(levels []ledger.LevelStats) []v1alpha1.LevelStatus {
	var out []v1alpha1.LevelStatus
	for _, l := range levels {
		status := v1alpha1.LevelStatus{Priority: -1, Seats: int32(l.Seats), Demand: int32(l.Demand), Used: int32(l.Used)}
		if l.Level != ledger.HighestLevel {
			status.Priority = int32(l.Level)
		}
		out = append(out, status)
	}
	return out
}

func setConditions(conditions *[]metav1.Condition, generation int64, now metav1.Time, wanted ...metav1.Condition) {
	for _, c := range wanted {
		c.ObservedGeneration = generation
		c.LastTransitionTime = now
		meta.SetStatusCondition(conditions, c)
	}
}
