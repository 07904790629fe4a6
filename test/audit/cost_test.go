package audit

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// priced is agent a, unlimited, with a price.
func priced(name corev1.ResourceName, price string) *v1alpha1.Agent {
	a := agent("a", -1)
	a.Spec.Prices = map[corev1.ResourceName]resource.Quantity{name: resource.MustParse(price)}
	return a
}

func costing(amount string) queueOption {
	return func(q *v1alpha1.Queue) {
		cost := resource.MustParse(amount)
		q.Spec.Quota = &v1alpha1.Quota{Cost: &cost}
	}
}

func declaring(cost string) podOption {
	return func(p *corev1.Pod) { p.Annotations = map[string]string{v1alpha1.CostLabel: cost} }
}

// spending has a budget for a window of a minute, of which a status says what is spent. The windows
// begin with the epoch.
func spending(amount, spent string, window int) queueOption {
	return func(q *v1alpha1.Queue) {
		q.Spec.Quota = &v1alpha1.Quota{Budget: &v1alpha1.Budget{Amount: resource.MustParse(amount), Window: "1m"}}
		start := epoch.Add(time.Duration(window) * time.Minute)
		q.Status.Budget = &v1alpha1.BudgetStatus{Spent: spent,
			WindowStart: metav1.NewTime(start), WindowEnd: metav1.NewTime(start.Add(time.Minute)), AccountedUntil: metav1.NewTime(start)}
	}
}

func TestCost(t *testing.T) {
	binds := func(first, second podOption) []step {
		return []step{at(2000, pod("1", first)), at(2000, pod("2", second)), at(2010, pod("1", first, onNode)), at(2020, pod("2", second, onNode))}
	}
	with := func(a *v1alpha1.Agent, steps ...step) []step {
		return append([]step{at(0, a), at(0, queue("q", costing("4")))}, steps...)
	}
	cpu, free := priced("cpu", "1.50"), agent("a", -1)
	runCases(t, []auditCase{
		{name: "within the cost, at prices", steps: with(cpu, binds(asking("cpu", "1"), asking("cpu", "1"))...)},
		{name: "above the cost, at prices", steps: with(cpu, binds(asking("cpu", "2"), asking("cpu", "1"))...),
			want: []found{{OverLimit, "2", "queue q: 4500m/4 cost per hour"}}},
		{name: "a price is of a GiB", steps: with(priced("memory", "1"), binds(asking("memory", "2Gi"), asking("memory", "2Gi"))...)},
		{name: "and a byte more is more", steps: with(priced("memory", "1"), binds(asking("memory", "2Gi"), asking("memory", "2147483649"))...),
			want: []found{{OverLimit, "2", "queue q: 4000001u/4 cost per hour"}}},
		{name: "what has no price costs nothing", steps: with(cpu, binds(asking("memory", "1Ti"), asking("cpu", "2"))...)},
		{name: "a declared cost goes before prices", steps: with(cpu, binds(asking("cpu", "2"), declaring("1"))...)},
		{name: "above the cost, declared", steps: with(free, binds(declaring("2.50"), declaring("1.6"))...),
			want: []found{{OverLimit, "2", "4100m/4 cost per hour"}}},
		{name: "declared as nothing", steps: with(cpu, binds(asking("cpu", "2"), declaring("0"))...)},
		{name: "the project's cost", steps: append([]step{at(0, free), at(0, queue("q")), at(0, func() *v1alpha1.Project {
			p := project("x", "", -1)
			p.Spec.Quota = &v1alpha1.Quota{Cost: resource.NewQuantity(2, resource.DecimalSI)}
			return p
		}())}, binds(declaring("1"), declaring("2"))...),
			want: []found{{OverLimit, "2", "project x: 3/2 cost per hour"}}},
		{name: "freed with the pod", steps: with(free, at(2000, pod("1", declaring("4"))), at(2010, pod("1", declaring("4"), onNode)), at(3000, pod("1", declaring("4"), succeeded)),
			at(3000, pod("2", declaring("4"))), at(3010, pod("2", declaring("4"), onNode)))},
		{name: "prices raised under what runs", steps: with(cpu, append(binds(asking("cpu", "1"), asking("cpu", "1")), at(3000, priced("cpu", "9")), idle(9000))...)},
		{name: "a bind above prices raised before", steps: with(cpu, at(500, priced("cpu", "9")), at(2000, pod("1", asking("cpu", "1"))), at(2010, pod("1", asking("cpu", "1"), onNode))),
			want: []found{{OverLimit, "1", "9/4 cost per hour"}}},
		{name: "the bind crossed the raise", steps: with(cpu, at(2000, pod("1", asking("cpu", "1"))), at(2005, priced("cpu", "9")), at(2010, pod("1", asking("cpu", "1"), onNode)))},
		{name: "waits with room for its cost", steps: with(free, at(100, pod("1", declaring("4"))), idle(20000)), want: []found{{Stuck, "1", "queue q 0/4 cost per hour"}}},
		{name: "waits for cost", steps: with(free, at(0, pod("0", declaring("1"), onNode)), at(100, pod("1", declaring("4"))), idle(20000))},
		{name: "prices made room", steps: with(priced("cpu", "9"), at(100, pod("1", asking("cpu", "1"))), at(15000, cpu), idle(20000), idle(26000)),
			want: []found{{Stuck, "1", ""}}},
		{name: "a cost that cannot be read", steps: with(free, at(100, pod("1", declaring("much"))), idle(20000))},
	})
}

func TestBudget(t *testing.T) {
	with := func(steps ...step) []step { return append([]step{at(0, agent("a", -1))}, steps...) }
	runCases(t, []auditCase{
		{name: "waits for the window to turn", steps: with(at(0, queue("q", spending("1", "1.00", 0))), at(100, pod("1")), idle(59000))},
		{name: "and is forgotten then", steps: with(at(0, queue("q", spending("1", "1.00", 0))), at(100, pod("1")), idle(61000), idle(75000)),
			want: []found{{Stuck, "1", ""}}},
		{name: "something is left", steps: with(at(0, queue("q", spending("1", "0.99", 0))), at(100, pod("1")), idle(20000)),
			want: []found{{Stuck, "1", ""}}},
		{name: "bound though it is used up", steps: with(at(0, queue("q", spending("1", "1.01", 0))), at(2000, pod("1")), at(2010, pod("1", onNode))),
			want: []found{{OverLimit, "1", "queue q: 1/0 operations"}}},
		{name: "the bind crossed the last cent", steps: with(at(0, queue("q", spending("1", "0.99", 0))), at(2000, pod("1")), at(2005, queue("q", spending("1", "1.00", 0))), at(2010, pod("1", onNode)))},
		{name: "bound in the next window", steps: with(at(0, queue("q", spending("1", "1.00", 0))), at(100, pod("1")), at(60100, pod("1", onNode)))},
		{name: "raised, and the status not written again", steps: with(at(0, queue("q", spending("1", "1.00", 0))), at(100, pod("1")), at(1000, queue("q", spending("2", "1.00", 0))), at(2000, pod("1", onNode)))},
		{name: "a level whose budget may be used up is not passed over", steps: []step{at(0, agent("a", 1)), at(0, queue("high", priority(5), spending("1", "0.99", 0))), at(0, queue("low", priority(1))),
			at(100, pod("h", in("high"))), at(100, pod("l", in("low"))), at(3000, pod("l", in("low"), onNode))}},
	})
}
