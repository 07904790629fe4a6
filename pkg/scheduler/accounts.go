package scheduler

import (
	"context"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/pager"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// A budget is accounted by the leading scheduler alone: every second in memory, every accountingInterval
// in the status of the object that has the budget. A new leader reads what was accounted, adds what ran
// since, and counts on.
const (
	accountingPeriod   = time.Second
	accountingInterval = 10 * time.Second
)

type accountKey struct {
	kind ledger.Kind
	name string
}

// account is the budget of one limit node.
type account struct {
	budget     v1alpha1.Budget
	start, end time.Time
	meter      cost.Meter
	until      time.Time // the meter counts up to here
	// before is the window before this one, which comes back where the clock was ahead for a while.
	before struct {
		start time.Time
		spent cost.Micros
	}
	published v1alpha1.BudgetStatus
}

// closed says why nothing more is admitted, if the budget is used up.
func (a *account) closed() string {
	amount := cost.Of(a.budget.Amount)
	if a.meter.Spent < amount {
		return ""
	}
	if amount == 0 {
		return fmt.Sprintf("budget 0 per %s: nothing is admitted until it is raised", a.budget.Window)
	}
	return fmt.Sprintf("budget %s per %s used up; turns at %s", cost.Format(amount), a.budget.Window, a.end.Format(time.RFC3339))
}

// limits are the bounds of a node, closed while its budget is used up.
func (r *Room) limits(kind ledger.Kind, name string, concurrency *int32, quota *v1alpha1.Quota, status *v1alpha1.BudgetStatus) ledger.Limits {
	l := limits.Of(concurrency, quota)
	key := accountKey{kind, name}
	if quota == nil || quota.Budget == nil {
		delete(r.accounts, key)
		return l
	}
	a := r.accounts[key]
	if a == nil || a.budget.Window != quota.Budget.Window || !r.leading {
		now := r.clock.Now()
		opened, err := openAccount(*quota.Budget, status, now)
		if err != nil {
			l.Closed = err.Error()
			return l
		}
		if r.leading {
			// What ran until now was accounted, or had no budget.
			opened.until = now
			if a != nil && !a.start.Before(opened.start) {
				opened.meter, opened.until = a.meter, a.until
			}
		}
		a = opened
		r.accounts[key] = a
	}
	a.budget = *quota.Budget
	l.Closed = a.closed()
	return l
}

// openAccount counts on from what a status says, if it is of the window of now.
func openAccount(budget v1alpha1.Budget, status *v1alpha1.BudgetStatus, now time.Time) (*account, error) {
	start, end, err := cost.Window(budget.Window, now)
	if err != nil {
		return nil, err
	}
	a := &account{budget: budget, start: start, end: end, until: now}
	if status == nil {
		return a, nil
	}
	a.published = *status
	a.until = later(start, status.AccountedUntil.Time)
	// One that begins later is of a leader whose clock was ahead.
	if !status.WindowStart.Time.Before(start) {
		if spent, err := cost.Parse(status.Spent); err == nil {
			a.meter.Spent = spent
		}
	}
	return a, nil
}

// account brings all accounts up to now, and opens and closes the nodes whose budget that changes.
func (r *Room) account(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, a := range r.accounts {
		before := a.closed()
		_, resources, _ := r.ledger.NodeUsage(key.kind, key.name)
		rate := resources[ledger.CostPerHour]
		a.turn(now)
		a.meter.Add(rate, min(now.Sub(a.until), now.Sub(a.start))) // the first is what passed, whatever the clock was set to
		a.until = now
		changed := a.closed() != before
		if changed {
			r.reapply(key)
			r.signal()
		}
		if changed || now.Sub(a.published.AccountedUntil.Time).Abs() >= accountingInterval {
			r.publish(key, a)
		}
	}
}

// turn opens the window of now. If the clock was set back to one before, what is known of that is spent, and what was
// spent since.
func (a *account) turn(now time.Time) {
	if !now.Before(a.start) && now.Before(a.end) {
		return
	}
	start, end, err := cost.Window(a.budget.Window, now)
	if err != nil {
		return
	}
	if start.After(a.start) {
		a.before.start, a.before.spent = a.start, a.meter.Spent
		a.meter = cost.Meter{}
	} else if start.Equal(a.before.start) {
		a.meter.Spent += min(a.before.spent, cost.Max-a.meter.Spent)
		a.before.spent = 0
	}
	a.start, a.end = start, end
}

// publish has the status writer write an account if it says something new.
func (r *Room) publish(key accountKey, a *account) {
	spent, left := cost.Format(a.meter.Spent), cost.Format(max(0, cost.Of(a.budget.Amount)-a.meter.Spent))
	if a.published.Spent == spent && a.published.Left == left && a.published.WindowStart.Time.Equal(a.start) && a.published.WindowEnd.Time.Equal(a.end) {
		return
	}
	a.published = v1alpha1.BudgetStatus{
		WindowStart: metav1.NewTime(a.start), WindowEnd: metav1.NewTime(a.end),
		Spent: spent, Left: left,
		AccountedUntil: metav1.NewTime(a.until.Truncate(time.Second)), // as the API keeps it
	}
	switch key.kind {
	case ledger.Queue:
		r.changes.queues[key.name] = true
	case ledger.Project:
		r.changes.projects[key.name] = true
	case ledger.Organization:
		r.changes.organizations[key.name] = true
	}
}

// reapply gives the ledger a node's limits again.
func (r *Room) reapply(key accountKey) {
	switch key.kind {
	case ledger.Queue:
		if q := r.directory.queues[key.name]; q != nil {
			r.applyQueue(q)
		}
	case ledger.Project:
		if p, ok := r.directory.Project(key.name); ok {
			r.applyProject(p)
		}
	case ledger.Organization:
		if o, ok := r.directory.Organization(key.name); ok {
			r.applyOrganization(o)
		}
	}
}

// accountant accounts until ctx ends.
func (r *Room) accountant(ctx context.Context) {
	ticker := r.clock.NewTicker(accountingPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			r.account(r.clock.Now())
		}
	}
}

// catchUp accounts what ran while nobody did: pods that still run, and pods that ended meanwhile and
// are still to be seen. From here on this replica's accounts are the truth.
func (r *Room) catchUp(ctx context.Context, client kubernetes.Interface) error {
	ended, err := r.endedPods(ctx, client)
	if err != nil {
		return err
	}
	r.countOn(ended, r.clock.Now())
	return nil
}

func (r *Room) countOn(ended []*v1.Pod, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resolveStale()
	over := map[types.UID]bool{}
	for _, pod := range ended {
		over[pod.UID] = true
	}
	for uid, e := range r.entries {
		if e.listed && e.bound() && !over[uid] {
			r.accountPod(e.pod, e.assignment, now)
		}
	}
	for _, pod := range ended {
		assignment, refusal := r.assign(pod)
		if refusal != nil {
			assignment = r.claimed(pod)
		}
		r.accountPod(pod, assignment, endOf(pod))
	}
	r.leading = true
	for _, e := range r.entries {
		if e.listed {
			r.report(e)
		}
	}
	for key, a := range r.accounts {
		a.until = now
		r.reapply(key)
	}
}

// endedPods are the pods of our profiles that ended and were not deleted yet.
func (r *Room) endedPods(ctx context.Context, client kubernetes.Interface) ([]*v1.Pod, error) {
	r.mu.Lock()
	budgets := len(r.accounts)
	r.mu.Unlock()
	if budgets == 0 {
		return nil, nil
	}
	var ended []*v1.Pod
	for profile := range r.profiles {
		for _, phase := range []v1.PodPhase{v1.PodSucceeded, v1.PodFailed} {
			list := pager.New(func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
				return client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, opts)
			})
			selector := fmt.Sprintf("spec.schedulerName=%s,spec.nodeName!=,status.phase=%s", profile, phase)
			err := list.EachListItem(ctx, metav1.ListOptions{FieldSelector: selector}, func(obj runtime.Object) error {
				ended = append(ended, obj.(*v1.Pod))
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("listing the ended pods of profile %s: %w", profile, err)
			}
		}
	}
	return ended, nil
}

// accountPod adds what a pod cost, up to a time, to the accounts on its path that have not counted it.
func (r *Room) accountPod(pod *v1.Pod, assignment tenancy.Assignment, to time.Time) {
	rate := rateOf(pod, requestsOf(pod), r.prices(assignment.Queue))
	keys := []accountKey{{ledger.Queue, assignment.Queue}, {ledger.Project, assignment.Project}}
	if p, ok := r.directory.Project(assignment.Project); ok {
		keys = append(keys, accountKey{ledger.Organization, p.Spec.Organization})
	}
	for _, key := range keys {
		if a := r.accounts[key]; a != nil {
			a.meter.Add(rate, to.Sub(later(a.until, boundAt(pod))))
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// boundAt is when a pod got its node.
func boundAt(pod *v1.Pod) time.Time {
	for _, c := range pod.Status.Conditions {
		if c.Type == v1.PodScheduled {
			return c.LastTransitionTime.Time
		}
	}
	return pod.CreationTimestamp.Time
}

// endOf is when the last container of a pod ended; a pod that never started one cost nothing.
func endOf(pod *v1.Pod) time.Time {
	end := boundAt(pod)
	for _, s := range pod.Status.ContainerStatuses {
		if t := s.State.Terminated; t != nil {
			end = later(end, t.FinishedAt.Time)
		}
	}
	return end
}
