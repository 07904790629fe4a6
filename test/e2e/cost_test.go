package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/test/audit"
)

func quantity(amount string) *resource.Quantity {
	q := resource.MustParse(amount)
	return &q
}

func costQuota(amount string) func(*v1alpha1.QueueSpec) {
	return func(s *v1alpha1.QueueSpec) { s.Quota = &v1alpha1.Quota{Cost: quantity(amount)} }
}

func budget(amount, window string) func(*v1alpha1.QueueSpec) {
	return func(s *v1alpha1.QueueSpec) {
		s.Quota = &v1alpha1.Quota{Budget: &v1alpha1.Budget{Amount: *quantity(amount), Window: window}}
	}
}

// declaring adds what a pod says it costs per hour.
func declaring(t corev1.PodTemplateSpec, cost string) corev1.PodTemplateSpec {
	t.Annotations[v1alpha1.CostLabel] = cost
	return t
}

// accounts is what the status of a queue says of its budget.
func (s *scenario) accounts(queue string) (v1alpha1.BudgetStatus, string) {
	s.Helper()
	q := &v1alpha1.Queue{}
	require.NoError(s, s.objects.Get(s.Context(), client.ObjectKey{Name: queue}, q))
	if q.Status.Budget == nil {
		return v1alpha1.BudgetStatus{}, q.Status.CostRate
	}
	return *q.Status.Budget, q.Status.CostRate
}

// The audit adds up on its own what runs at the prices, or as declared, and reports any bind above the quota.
func TestCostQuota(t *testing.T) {
	const jobs = 8
	s := begin(t, "cost")
	edit(s, &v1alpha1.Agent{}, s.agent, func(a *v1alpha1.Agent) {
		a.Spec.Prices = map[corev1.ResourceName]resource.Quantity{"cpu": *quantity("0.50"), "nvidia.com/gpu": *quantity("2")}
	})
	for _, c := range []struct {
		name             string
		pod              func(seconds string) corev1.PodTemplateSpec
		tooMuch          corev1.PodTemplateSpec
		peak             int
		each, full, most string // what one costs, as many as fit together, and the one that never fits
	}{
		{"prices", func(seconds string) corev1.PodTemplateSpec { return asking(simulated(seconds), "nvidia.com/gpu", "1") },
			asking(simulated("1"), "cpu", "11"), 2, "2.00", "4.00", "5.50"},
		{"declared", func(seconds string) corev1.PodTemplateSpec {
			return declaring(asking(simulated(seconds), "cpu", "8"), "1.25")
		},
			declaring(simulated("1"), "7"), 4, "1.25", "5.00", "7.00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := s.queue(c.name, costQuota("5"))
			s.create(s.pod(c.name+"-too-much", q, c.tooMuch))
			for i := range c.peak {
				s.create(s.pod(fmt.Sprintf("%s-holds-%d", c.name, i), q, c.pod("600")))
			}
			s.until("as many run as it pays for", q, func(n counts) bool { return n.running == c.peak })
			s.create(s.pod(c.name+"-waits", q, c.pod("1")))
			require.Equal(t, fmt.Sprintf("queue %s: cost %s/5.00 per hour, needs %s; position 1 of 1", q, c.full, c.each), s.says(c.name+"-waits", "QueueQuota"))
			require.Equal(t, fmt.Sprintf("asks cost %s per hour but queue %s allows at most 5.00 per hour in all; lower the cost or raise the quota", c.most, q),
				s.says(c.name+"-too-much", "NeverFits"))
			s.eventually("the status says what runs costs", func() (bool, any) {
				_, rate := s.accounts(q)
				return rate == c.full, rate
			})
			var all []client.Object
			for i := range jobs {
				all = append(all, s.job(fmt.Sprintf("%s-%d", c.name, i), q, c.pod("1")))
			}
			s.createTogether(all)
			for i := range c.peak {
				require.NoError(t, s.objects.Delete(t.Context(), s.get(fmt.Sprintf("%s-holds-%d", c.name, i)), client.GracePeriodSeconds(0)))
			}
			s.until("all that can succeed", q, succeed(jobs+1))
			require.Equal(t, c.peak, s.peak(q))
		})
	}
}

// A project's cost binds beside its queue's: whichever has less left.
func TestProjectCost(t *testing.T) {
	s := begin(t, "project-cost")
	s.create(&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: s.agent}, Spec: v1alpha1.ProjectSpec{
		Namespaces: v1alpha1.ProjectNamespaces{Names: []string{s.namespace}}, Quota: &v1alpha1.Quota{Cost: quantity("3")}}})
	narrow, wide := s.queue("narrow", costQuota("1")), s.queue("wide", costQuota("9"))
	var all []client.Object
	for i := range 6 {
		all = append(all, s.job(fmt.Sprintf("wide-%d", i), wide, declaring(simulated("600"), "1")))
	}
	s.createTogether(all[:2])
	s.until("2 run", wide, func(c counts) bool { return c.running == 2 })
	s.create(s.pod("first", narrow, declaring(simulated("600"), "1")))
	s.until("1 runs", narrow, func(c counts) bool { return c.running == 1 })
	s.create(s.pod("second", narrow, declaring(simulated("600"), "1")))
	require.Contains(t, s.says("second", "QueueQuota"), "queue "+narrow+": cost 1.00/1.00 per hour, needs 1.00")
	s.createTogether(all[2:])
	s.create(s.pod("third", wide, declaring(simulated("600"), "0.01")))
	require.Contains(t, s.says("third", "ProjectQuota"), "project "+s.agent+": cost 3.00/3.00 per hour, needs 0.01")
	require.Equal(t, 2, s.peak(wide))
	// Raised while it binds, it lets the next in at once.
	edit(s, &v1alpha1.Project{}, s.agent, func(p *v1alpha1.Project) { p.Spec.Quota.Cost = quantity("7") })
	s.until("all run", wide, func(c counts) bool { return c.running >= 5 })
}

// A budget that is used up stops admission, not what runs, and says when its window turns; the next
// window admits again.
func TestBudgetTurns(t *testing.T) {
	s := begin(t, "budget")
	// 36 per hour is a hundredth a second.
	q := s.queue("q", budget("0.02", "1m"))
	s.eventually("a window has time left for what follows", func() (bool, any) { return time.Now().Second() < 35, nil })
	s.create(s.pod("runs", q, declaring(simulated("600"), "36")))
	s.eventually("the budget is used up", func() (bool, any) {
		b, _ := s.accounts(q)
		return b.Left == "0.00", b
	})
	s.create(s.job("waits", q, declaring(simulated("1"), "36")))
	s.until("it waits", q, func(c counts) bool { return c.waiting == 1 && c.running == 1 })
	var waiting string
	for _, p := range s.pods(t.Context()) {
		if p.Spec.NodeName == "" {
			waiting = p.Name
		}
	}
	used, _ := s.accounts(q)
	require.Equal(t, fmt.Sprintf("queue %s: budget 0.02 per 1m used up; turns at %s; position 1 of 1", q, used.WindowEnd.UTC().Format(time.RFC3339)),
		s.says(waiting, "BudgetExhausted"))
	// What runs goes on, and would spend the next window too.
	require.Equal(t, corev1.PodRunning, s.get("runs").Status.Phase)
	require.NoError(t, s.objects.Delete(t.Context(), s.get("runs"), client.GracePeriodSeconds(0)))
	s.until("the next window admits it", q, func(c counts) bool { return c.succeeded == 1 })
	started := s.get(waiting).Status.StartTime
	require.NotNil(t, started)
	require.False(t, started.Time.Before(used.WindowEnd.Time), "started at %s, before the window turned at %s", started, used.WindowEnd)
	s.eventually("the status speaks of the new window", func() (bool, any) {
		b, _ := s.accounts(q)
		return b.WindowStart.Time.After(used.WindowStart.Time) && b.Spent != used.Spent, b
	})
}

// The scheduler is killed while a budget is half used: the next one counts on, from the pods that ran
// meanwhile, with nothing lost and nothing counted twice.
func TestBudgetAcrossRestart(t *testing.T) {
	const rate, interval, amount = 36.0, 10.0, 0.60 // per hour; seconds; a minute's worth
	config := audit.DefaultConfig()
	config.StuckAfter = time.Minute
	s := beginWith(t, "accounts", true, config)
	q := s.queue("q", budget("0.60", "day"))
	s.create(s.pod("runs", q, declaring(simulated("600"), "36")))
	s.until("it runs", q, func(c counts) bool { return c.running == 1 })
	from := boundAt(s.get("runs"))
	spentUntil := func(after time.Time) v1alpha1.BudgetStatus {
		var last v1alpha1.BudgetStatus
		s.eventually("the budget is accounted", func() (bool, any) {
			last, _ = s.accounts(q)
			return last.AccountedUntil.After(after), last
		})
		return last
	}
	check := func(b v1alpha1.BudgetStatus) {
		t.Helper()
		spent := quantity(b.Spent).AsApproximateFloat64()
		want := rate * b.AccountedUntil.Sub(from).Hours()
		if b.WindowStart.After(from) {
			want = rate * b.AccountedUntil.Sub(b.WindowStart.Time).Hours()
		}
		require.InDelta(t, want, spent, rate*interval/3600, "spent of %s since %s", q, from)
		require.InDelta(t, amount-spent, quantity(b.Left).AsApproximateFloat64(), 1e-6, "what is left of %s", q)
		t.Logf("accounted until %s: spent %s, expected %.4f", b.AccountedUntil.UTC().Format(time.RFC3339), b.Spent, want)
	}
	before := spentUntil(from.Add(time.Second))
	check(before)
	require.NoError(t, s.sandbox.Kill(sandbox.Scheduler))
	after := spentUntil(before.AccountedUntil.Add(time.Second))
	check(after)
	require.Positive(t, quantity(after.Spent).Cmp(*quantity(before.Spent)))
}

func boundAt(p *corev1.Pod) time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

func TestCostRefused(t *testing.T) {
	s := begin(t, "bad-cost")
	q := s.queue("q")
	for name, c := range map[string]struct{ cost, sentence string }{
		"no number": {"cheap", `queueyard.io/cost: "cheap" is no amount: write a number such as 2.50`},
		"negative":  {"-1", `queueyard.io/cost: "-1" is negative: write 0 or more`},
		"empty":     {"", `queueyard.io/cost: "" is no amount: write a number such as 2.50`},
		"two":       {"2.50", `label and annotation queueyard.io/cost differ ("3", "2.50"): keep one`},
	} {
		t.Run(name, func(t *testing.T) {
			template := declaring(simulated("1"), c.cost)
			pod := s.pod("p", q, template)
			if name == "two" {
				pod.Labels[v1alpha1.CostLabel] = "3"
				template.Labels = map[string]string{v1alpha1.CostLabel: "3"}
			}
			require.ErrorContains(t, s.objects.Create(t.Context(), pod), c.sentence)
			require.ErrorContains(t, s.objects.Create(t.Context(), s.job("j", q, template)), c.sentence)
		})
	}
	s.create(s.pod("p", q, declaring(simulated("600"), "1")))
	s.until("it runs", q, func(c counts) bool { return c.running == 1 })
	p := s.get("p")
	p.Annotations[v1alpha1.CostLabel] = "0"
	require.ErrorContains(t, s.objects.Update(t.Context(), p), `annotation queueyard.io/cost may not change from "1" to "0": the pod is on node "`)
}

// A low queue gets the seats kept for it under a stream of Jobs of a higher level, which never takes them.
func TestGuaranteedSeats(t *testing.T) {
	s := begin(t, "guaranteed")
	edit(s, &v1alpha1.Agent{}, s.agent, func(a *v1alpha1.Agent) { a.Spec.Concurrency = new(int32(4)) })
	high := s.queue("high", priority(10))
	low := s.queue("low", priority(1), func(q *v1alpha1.QueueSpec) { q.Guaranteed = 1 })
	var stream []client.Object
	for i := range 24 {
		stream = append(stream, s.job(fmt.Sprintf("high-%d", i), high, simulated("1")))
	}
	s.createTogether(stream)
	s.until("3 run and one seat is kept", high, func(c counts) bool { return c.running == 3 && c.waiting > 12 })
	var few []client.Object
	for i := range 4 {
		few = append(few, s.job(fmt.Sprintf("low-%d", i), low, simulated("1")))
	}
	s.createTogether(few)
	s.until("all succeed", low, succeed(4))
	require.NotZero(t, s.count(high).waiting, "the low queue was served while the high one waited")
	s.until("all succeed", high, succeed(24))
	require.Equal(t, 3, s.peak(high))
	require.Equal(t, 1, s.peak(low))
}
