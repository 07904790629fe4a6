package ledger

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSentences(t *testing.T) {
	for _, test := range []struct {
		name    string
		play    func(f *fixture) // about the pod "x"
		reason  Reason
		message string
	}{
		{"queue full", func(f *fixture) {
			f.queue("gpu", 1, 4)
			for i := range 20 {
				f.enter(fmt.Sprintf("p%d", i), "gpu")
			}
			f.Admit(0)
			f.enter("x", "gpu", priority(1))
			f.enter("y", "gpu", priority(2))
			f.enter("z", "gpu", priority(2))
			f.Remove("p19")
			f.Remove("p18")
		}, QueueFull, "queue gpu: 4/4 operations running; position 3 of 17"},
		{"queue quota", func(f *fixture) {
			f.queue("gpu", 1, Unlimited, quota("nvidia.com/gpu", 8))
			f.Charge(f.pod("a", "gpu", asks("nvidia.com/gpu", 7)))
			f.enter("x", "gpu", asks("nvidia.com/gpu", 2, "cpu", 1500))
			f.enter("b", "gpu", asks("nvidia.com/gpu", 3))
			f.enter("c", "gpu", asks("nvidia.com/gpu", 2))
			f.enter("d", "gpu", asks("nvidia.com/gpu", 2))
		}, QueueQuota, "queue gpu: nvidia.com/gpu 7/8 used, needs 2; position 1 of 4"},
		{"cpu and memory are readable", func(f *fixture) {
			f.queue("q", 1, Unlimited, quota("cpu", 4000))
			f.Charge(f.pod("a", "q", asks("cpu", 2500)))
			f.enter("x", "q", asks("cpu", 2000))
		}, QueueQuota, "queue q: cpu 2500m/4 used, needs 2; position 1 of 1"},
		{"agent full", func(f *fixture) {
			f.SetAgent("default", limited(1))
			f.queue("q", 1, Unlimited)
			f.Charge(f.pod("a", "q"))
			f.enter("x", "q")
		}, AgentFull, "agent default: 1/1 operations running; position 1 of 1"},
		{"agent full and others before it", func(f *fixture) {
			f.SetAgent("default", limited(1))
			f.queue("q", 1, Unlimited)
			f.queue("r", 2, Unlimited)
			f.Charge(f.pod("a", "q"))
			f.enter("x", "q")
			f.enter("y", "r")
			f.enter("z", "r")
		}, AgentFull, "agent default: 1/1 operations running; 2 waiting in queues of higher priority go first; position 1 of 1"},
		{"agent quota", func(f *fixture) {
			f.SetAgent("default", limited(-1, "memory", 8<<30))
			f.queue("q", 1, Unlimited)
			f.Charge(f.pod("a", "q", asks("memory", 6<<30)))
			f.enter("x", "q", asks("memory", 5<<29))
		}, AgentQuota, "agent default: memory 6Gi/8Gi used, needs 2560Mi; position 1 of 1"},
		{"project full", func(f *fixture) {
			f.SetProject("vision", "", limited(1))
			f.queue("q", 1, Unlimited)
			f.Charge(f.pod("a", "q", in("vision")))
			f.enter("x", "q", in("vision"))
		}, ProjectFull, "project vision: 1/1 operations running; position 1 of 1"},
		{"over the limit", func(f *fixture) {
			f.SetProject("vision", "", limited(1))
			f.queue("q", 1, Unlimited)
			f.Charge(f.pod("a", "q", in("vision")))
			f.Charge(f.pod("b", "q", in("vision")))
			f.enter("x", "q", in("vision"))
		}, ProjectFull, "project vision: 2/1 operations running; position 1 of 1"},
		{"project quota", func(f *fixture) {
			f.SetProject("vision", "", limited(-1, "ephemeral-storage", 100))
			f.queue("q", 1, Unlimited)
			f.Charge(f.pod("a", "q", in("vision"), asks("ephemeral-storage", 70)))
			f.enter("x", "q", in("vision"), asks("ephemeral-storage", 31))
		}, ProjectQuota, "project vision: ephemeral-storage 70/100 used, needs 31; position 1 of 1"},
		{"organization full", func(f *fixture) {
			f.SetProject("vision", "lab", limited(-1))
			f.SetOrganization("lab", limited(1))
			f.queue("q", 1, Unlimited)
			f.Charge(f.pod("a", "q", in("vision")))
			f.enter("x", "q", in("vision"))
		}, OrganizationFull, "organization lab: 1/1 operations running; position 1 of 1"},
		{"organization quota", func(f *fixture) {
			f.SetProject("vision", "lab", limited(-1))
			f.SetOrganization("lab", limited(-1, "cpu", 1000))
			f.queue("q", 1, Unlimited)
			f.Charge(f.pod("a", "q", in("vision"), asks("cpu", 1)))
			f.enter("x", "q", in("vision"), asks("cpu", 1000))
		}, OrganizationQuota, "organization lab: cpu 1m/1 used, needs 1; position 1 of 1"},
		{"workflow full, and its parent", func(f *fixture) {
			nested(f, limited(10), limited(-1))
			for i := range 10 {
				f.Charge(f.pod(fmt.Sprint(i), "q", step([]string{"ns/sweep-a/2", "ns/nightly/1"}[i/8])))
			}
			f.enter("x", "q", step("ns/sweep-a/2"))
		}, WorkflowFull, "workflow sweep-a: 8/8 operations running, its parent nightly 10/10; position 1 of 1"},
		{"workflow full, its parent not", func(f *fixture) {
			nested(f, limited(10), limited(-1))
			for i := range 8 {
				f.Charge(f.pod(fmt.Sprint(i), "q", step("ns/sweep-a/2")))
			}
			f.enter("x", "q", step("ns/sweep-a/2"))
		}, WorkflowFull, "workflow sweep-a: 8/8 operations running; position 1 of 1"},
		{"the workflow around it full", func(f *fixture) {
			nested(f, limited(1), limited(-1))
			f.Charge(f.pod("a", "q", step("ns/nightly/1")))
			f.enter("x", "q", step("ns/sweep-a/2"))
		}, WorkflowFull, "workflow nightly: 1/1 operations running; position 1 of 1"},
		{"workflow full, and one farther out", func(f *fixture) {
			nested(f, limited(-1), limited(8))
			for i := range 8 {
				f.Charge(f.pod(fmt.Sprint(i), "q", step("ns/sweep-a/2")))
			}
			f.enter("x", "q", step("ns/sweep-a/2"))
		}, WorkflowFull, "workflow sweep-a: 8/8 operations running, its ancestor all 8/8; position 1 of 1"},
		{"workflow quota", func(f *fixture) {
			nested(f, limited(-1, "cpu", 2000), limited(-1, "cpu", 2500))
			f.Charge(f.pod("a", "q", step("ns/nightly/1"), asks("cpu", 1500)))
			f.enter("x", "q", step("ns/sweep-a/2"), asks("cpu", 2000))
		}, WorkflowQuota, "workflow nightly: cpu 1500m/2 used, needs 2, its parent all 1500m/2500m; position 1 of 1"},
		{"asks more than a workflow allows", func(f *fixture) {
			nested(f, limited(-1, "cpu", 2000), limited(-1))
			f.enter("x", "q", step("ns/sweep-a/2"), asks("cpu", 3000))
		}, NeverFits, "asks cpu 3 but workflow nightly allows at most 2 in all; lower the request or raise the quota"},
		{"workflow closed", func(f *fixture) {
			nested(f, Limits{Seats: Unlimited, Closed: "is being stopped"}, limited(-1))
			f.enter("x", "q", step("ns/sweep-a/2"))
		}, BudgetExhausted, "workflow nightly: is being stopped; position 1 of 1"},
		{"never fits", func(f *fixture) {
			f.SetProject("vision", "", limited(-1, "cpu", 32000))
			f.queue("q", 1, Unlimited)
			f.enter("x", "q", in("vision"), asks("cpu", 64000))
		}, NeverFits, "asks cpu 64 but project vision allows at most 32 in all; lower the request or raise the quota"},
		{"concurrency 0", func(f *fixture) {
			f.queue("q", 1, 0)
			f.enter("x", "q")
		}, NeverFits, "queue q admits no operations: its concurrency is 0; raise it"},
		{"no queue", func(f *fixture) {
			f.enter("x", "q")
		}, QueueNotFound, "queue q does not exist; create it or name another queue; position 1 of 1"},
		{"no agent", func(f *fixture) {
			f.DeleteAgent("default")
			f.queue("q", 1, Unlimited)
			f.enter("x", "q")
		}, AgentNotFound, "agent default of queue q does not exist; create it or give the queue another agent; position 1 of 1"},
		{"paused", func(f *fixture) {
			f.queue("q", 1, 1, paused)
			f.Charge(f.pod("a", "q"))
			f.enter("x", "q")
		}, QueuePaused, "queue q is paused; it admits again when its state is Open; position 1 of 1"},
		{"suspended", func(f *fixture) {
			f.queue("q", 1, 1)
			f.enter("x", "q")
			f.Admit(0)
			f.Suspend("x", "0/3 nodes are available: 3 Insufficient cpu.")
		}, Unschedulable, "in back-off: 0/3 nodes are available: 3 Insufficient cpu."},
		{"suspended for nothing said", func(f *fixture) {
			f.queue("q", 1, 1)
			f.enter("x", "q")
			f.Suspend("x", "")
		}, Unschedulable, "in back-off"},
		{"behind the head", func(f *fixture) {
			f.queue("q", 1, Unlimited, strict, quota("cpu", 4))
			f.Charge(f.pod("a", "q", asks("cpu", 2)))
			f.enter("head", "q", asks("cpu", 3))
			f.enter("x", "q", asks("cpu", 1))
		}, BehindHead, "waits behind the head of StrictFIFO queue q; position 2 of 2"},
		{"behind the head of a full queue", func(f *fixture) {
			f.queue("q", 1, 1, strict)
			f.Charge(f.pod("a", "q"))
			f.enter("head", "q")
			f.enter("x", "q")
		}, QueueFull, "queue q: 1/1 operations running; position 2 of 2"},
		{"budget used up", func(f *fixture) {
			f.queue("q", 1, 1, closed("budget 100.00 per day used up; turns at 2026-12-01T00:00:00Z"))
			f.Charge(f.pod("a", "q"))
			f.enter("x", "q")
		}, BudgetExhausted, "queue q: budget 100.00 per day used up; turns at 2026-12-01T00:00:00Z; position 1 of 1"},
		{"budget of the organization used up", func(f *fixture) {
			f.SetProject("vision", "lab", limited(-1))
			f.SetOrganization("lab", Limits{Seats: Unlimited, Closed: "budget 5.00 per hour used up"})
			f.queue("q", 1, Unlimited)
			f.enter("x", "q", in("vision"))
		}, BudgetExhausted, "organization lab: budget 5.00 per hour used up; position 1 of 1"},
		{"cost quota", func(f *fixture) {
			f.queue("gpu", 1, Unlimited, quota(CostPerHour, 4_000_000))
			f.Charge(f.pod("a", "gpu", asks(CostPerHour, 3_500_000)))
			f.enter("x", "gpu", asks(CostPerHour, 1_000_000))
		}, QueueQuota, "queue gpu: cost 3.50/4.00 per hour, needs 1.00; position 1 of 1"},
		{"costs more than is ever allowed", func(f *fixture) {
			f.queue("gpu", 1, Unlimited, quota(CostPerHour, 4_000_000))
			f.enter("x", "gpu", asks(CostPerHour, 5_250_000))
		}, NeverFits, "asks cost 5.25 per hour but queue gpu allows at most 4.00 per hour in all; lower the cost or raise the quota"},
		{"has room", func(f *fixture) {
			f.queue("q", 1, 1)
			f.queue("r", 2, 1)
			f.enter("x", "q")
			f.enter("y", "r")
		}, Turn, "queue q: has room, waits for its turn; 1 waiting in queues of higher priority go first; position 1 of 1"},
		{"seated operations wait first and for no seat", func(f *fixture) {
			f.queue("q", 1, 1, quota("cpu", 1))
			f.enter("other", "q", priority(5))
			f.Charge(f.pod("a", "q", of("job"), asks("cpu", 1)))
			f.enter("x", "q", of("job"), asks("cpu", 1))
		}, QueueQuota, "queue q: cpu 1m/1m used, needs 1m; position 1 of 2"},
		{"admitted", func(f *fixture) {
			f.queue("q", 1, 1)
			f.enter("x", "q")
			f.Admit(0)
		}, IsAdmitted, "queue q: admitted"},
		{"running", func(f *fixture) {
			f.queue("q", 1, 1)
			f.Charge(f.pod("x", "q"))
		}, IsRunning, "queue q: running"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			test.play(f)
			e, ok := f.Explain("x")
			require.True(t, ok)
			assert.Equal(t, test.reason, e.Reason)
			assert.Equal(t, test.message, e.Message())
			f.Admit(0)
			e, _ = f.Explain("x")
			if test.reason != Turn {
				assert.Equal(t, test.message, e.Message(), "again after an Admit that changes nothing for it")
			}
		})
	}
}

// nested is a sweep of 8 operations in a workflow, in another workflow.
func nested(f *fixture, nightly, all Limits) {
	f.queue("q", 1, Unlimited)
	f.SetWorkflow("all", "", all)
	f.SetWorkflow("ns/nightly/1", "all", nightly)
	f.SetWorkflow("ns/sweep-a/2", "ns/nightly/1", limited(8))
}

func TestExplainListsEveryCheckInOrder(t *testing.T) {
	f := newFixture(t)
	f.SetAgent("default", limited(100))
	f.SetOrganization("lab", limited(-1, "cpu", 9000))
	f.SetProject("vision", "lab", limited(20))
	f.SetWorkflow("outer", "", limited(10))
	f.SetWorkflow("middle", "outer", limited(-1))
	f.SetWorkflow("inner", "middle", limited(8))
	f.queue("gpu", 1, 4, quota("nvidia.com/gpu", 8, "memory", 1<<40))
	f.Charge(f.pod("a", "gpu", in("vision"), step("middle"), asks("nvidia.com/gpu", 7)))
	f.enter("x", "gpu", in("vision"), step("inner"), of("job"), asks("nvidia.com/gpu", 2, "cpu", 1000))
	e, ok := f.Explain("x")
	require.True(t, ok)
	assert.Equal(t, []Check{
		{Queue, "gpu", "", 1, 4, 1, true, 0, 0, nil, 0},
		{Queue, "gpu", "nvidia.com/gpu", 7, 8, 2, false, 0, 0, nil, 0},
		{Agent, "default", "", 1, 100, 1, true, 0, 0, nil, 0},
		{Project, "vision", "", 1, 20, 1, true, 0, 0, nil, 0},
		{Organization, "lab", "cpu", 0, 9000, 1000, true, 0, 0, nil, 0},
		{Workflow, "inner", "", 0, 8, 1, true, 0, 0, nil, 0},
		{Workflow, "outer", "", 1, 10, 1, true, 0, 0, nil, 0},
	}, e.Checks)
	assert.Equal(t, []string{"inner", "middle", "outer"}, e.Workflows)
	assert.Equal(t, [5]string{"job", "gpu", "default", "vision", "lab"}, [5]string{e.Operation, e.Queue, e.Agent, e.Project, e.Organization})
	_, ok = f.Explain("nobody")
	assert.False(t, ok)
}

func TestFormatAmount(t *testing.T) {
	for _, test := range []struct {
		resource string
		amount   int64
		want     string
	}{
		{"cpu", 1500, "1500m"}, {"cpu", 2000, "2"}, {"cpu", 0, "0"},
		{"memory", 4 << 30, "4Gi"}, {"memory", 1536 << 20, "1536Mi"}, {"memory", 1000, "1000"}, {"memory", 0, "0"},
		{"hugepages-2Mi", 2 << 20, "2Mi"}, {"ephemeral-storage", 3 << 40, "3Ti"},
		{"nvidia.com/gpu", 1024, "1024"},
		{CostPerHour, 3_500_000, "3.50"}, {CostPerHour, 0, "0.00"}, {CostPerHour, 1_234_567, "1.234567"}, {CostPerHour, 1_230_000, "1.23"},
	} {
		assert.Equal(t, test.want, FormatAmount(test.resource, test.amount))
	}
}

func TestSharesAreCalledShares(t *testing.T) {
	f := newFixture(t)
	f.queue("q", 1, 10)
	f.SetProject("p", "acme", noLimits)
	f.SetOrganization("acme", Limits{Seats: 1, Resources: map[string]int64{"cpu": 1000}, Whole: map[string]int64{"": 20, "cpu": 8000}})
	f.Charge(f.pod("a", "q", in("p")))
	f.enter("b", "q", in("p"))
	f.enter("c", "q", of("a"), in("p"), asks("cpu", 9000))
	f.enter("d", "q", in("p"), asks("cpu", 8000))
	for _, tt := range []struct {
		uid     string
		reason  Reason
		message string
	}{
		{"b", OrganizationFull, "organization acme: 1/1 operations running (this cluster's share of 20); position 1 of 1"},
		{"c", NeverFits, "asks cpu 9 but organization acme allows at most 8 in all; lower the request or raise the quota"},
		{"d", OrganizationFull, "organization acme: 1/1 operations running (this cluster's share of 20)"},
	} {
		e, _ := f.Explain(tt.uid)
		assert.Equal(t, tt.reason, e.Reason, tt.uid)
		assert.Equal(t, tt.message, e.Message(), tt.uid)
	}
	f.Remove("a")
	e, _ := f.Explain("d")
	assert.Equal(t, OrganizationQuota, e.Reason, "it fits when the share grows")
	assert.Equal(t, "organization acme: cpu 0/1 used, needs 8 (this cluster's share of 8)", e.Message())
	f.SetOrganization("acme", Limits{Seats: 20, Resources: map[string]int64{"cpu": 8000}})
	admitted := f.Admit(0)
	assert.Len(t, admitted, 2, "b and d")
}
