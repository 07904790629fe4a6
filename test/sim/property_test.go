package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

func drawConcurrency(t *rapid.T, what string) *int32 {
	n := rapid.SampledFrom([]int32{-2, -1, 0, 1, 2, 3, 5, 9}).Draw(t, what)
	if n == -2 {
		return nil
	}
	return &n
}

func drawQuota(t *rapid.T) *v1alpha1.Quota {
	q := &v1alpha1.Quota{Resources: map[corev1.ResourceName]resource.Quantity{}}
	for _, name := range []corev1.ResourceName{"cpu", "nvidia.com/gpu"} {
		if rapid.IntRange(0, 2).Draw(t, "bounded") == 0 {
			bound := rapid.SampledFrom([]int64{-1, 0, 1, 2, 3, 6}).Draw(t, string(name))
			q.Resources[name] = *resource.NewQuantity(bound, resource.DecimalSI)
		}
	}
	return q
}

func drawPlan(t *rapid.T) *Plan {
	plan := NewPlan()
	for i := range 2 {
		a := &v1alpha1.Agent{}
		a.Name = fmt.Sprintf("a%d", i)
		a.Spec.Concurrency = drawConcurrency(t, "agent")
		plan.Agents[a.Name] = a
		o := &v1alpha1.Organization{}
		o.Name = fmt.Sprintf("o%d", i)
		o.Spec.Concurrency, o.Spec.Quota = drawConcurrency(t, "organization"), drawQuota(t)
		plan.Organizations[o.Name] = o
	}
	for i := range 3 {
		p := &v1alpha1.Project{}
		p.Name = fmt.Sprintf("p%d", i)
		p.Spec.Organization = rapid.SampledFrom([]string{"", "o0", "o1"}).Draw(t, "organization")
		p.Spec.Concurrency, p.Spec.Quota = drawConcurrency(t, "project"), drawQuota(t)
		plan.Projects[p.Name] = p
	}
	for i := range 4 {
		q := &v1alpha1.Queue{}
		q.Name = fmt.Sprintf("q%d", i)
		q.Spec.Agent = rapid.SampledFrom([]string{"a0", "a0", "a1"}).Draw(t, "agent")
		if rapid.Bool().Draw(t, "has a level") {
			level := rapid.Int32Range(-1, 2).Draw(t, "level")
			q.Spec.Priority = &level
		}
		q.Spec.Concurrency, q.Spec.Quota = drawConcurrency(t, "queue"), drawQuota(t)
		q.Spec.Strategy = rapid.SampledFrom([]v1alpha1.QueueStrategy{"", v1alpha1.BestEffortFIFO, v1alpha1.StrictFIFO}).Draw(t, "strategy")
		q.Spec.State = rapid.SampledFrom([]v1alpha1.QueueState{"", v1alpha1.QueueOpen, v1alpha1.QueueOpen, v1alpha1.QueuePaused}).Draw(t, "state")
		plan.Queues[q.Name] = q
	}
	return plan
}

func drawLoad(t *rapid.T) *Load {
	load := &Load{Seed: rapid.Uint64().Draw(t, "seed")}
	for i := range rapid.IntRange(1, 6).Draw(t, "streams") {
		s := Stream{
			Name:             fmt.Sprintf("s%d", i),
			Queue:            rapid.SampledFrom([]string{"q0", "q1", "q2", "q3", ""}).Draw(t, "queue"),
			Project:          rapid.SampledFrom([]string{"", "p0", "p1", "p2"}).Draw(t, "project"),
			Priority:         rapid.Int64Range(0, 1).Draw(t, "priority"),
			Count:            rapid.Int64Range(1, 30).Draw(t, "count"),
			PodsPerOperation: rapid.SampledFrom([]int32{0, 1, 1, 3}).Draw(t, "pods"),
			Start:            metav1.Duration{Duration: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "start")},
			Runtime: rapid.SampledFrom([]Runtime{
				fixed(0), fixed(30 * time.Second), exponential(time.Minute),
				{Lognormal: &Lognormal{Median: metav1.Duration{Duration: time.Minute}, Sigma: 1}},
			}).Draw(t, "runtime"),
			Arrival: rapid.SampledFrom([]Arrival{
				{}, {PoissonPerHour: 60}, {Every: metav1.Duration{Duration: 10 * time.Second}},
			}).Draw(t, "arrival"),
			Requests: map[corev1.ResourceName]resource.Quantity{},
		}
		for _, name := range []corev1.ResourceName{"cpu", "nvidia.com/gpu"} {
			s.Requests[name] = *resource.NewQuantity(rapid.SampledFrom([]int64{0, 0, 1, 2, 3}).Draw(t, string(name)), resource.DecimalSI)
		}
		load.Streams = append(load.Streams, s)
	}
	return load
}

// No limit is exceeded at any virtual moment (Run would return an error: it counts for itself), and
// exactly what does not fit even alone is left at the end, with all room given back.
func TestLimitsHoldAndWhatCanRunEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, load := drawPlan(t), drawLoad(t)
		s, err := New(plan)
		require.NoError(t, err)
		require.NoError(t, s.AddLoad(load))
		report, err := s.Run()
		require.NoError(t, err)
		require.NoError(t, s.ledger.CheckInvariants())

		for _, w := range s.waiting() {
			require.True(t, w.never, "operation %d of %s fits alone and never ran", w.number, w.name)
		}
		stuck := int64(0)
		for _, left := range report.Stuck {
			require.Contains(t, []ledger.Reason{ledger.NeverFits, ledger.QueuePaused}, left.Reason)
			stuck += left.Operations
		}
		require.Equal(t, report.Operations.Stuck, stuck)
		require.EqualValues(t, report.Operations.Completed, report.Waits.Count)

		for _, l := range report.Limits {
			require.True(t, l.Limit == nil || l.Peak <= *l.Limit, "%+v", l)
			kind := map[string]ledger.Kind{"agent": ledger.Agent, "queue": ledger.Queue, "project": ledger.Project, "organization": ledger.Organization}[l.Kind]
			held, resources, _ := s.ledger.NodeUsage(kind, l.Name)
			require.Zero(t, held)
			require.Empty(t, resources)
		}
		require.Equal(t, inJSON(t, report), inJSON(t, play(t, plan, load)), "the same seed gives the same report")
	})
}
