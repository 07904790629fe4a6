package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Two hundred Jobs of three levels arrive together in random order. The audit judges every bind.
func TestLevels(t *testing.T) {
	s := begin(t, "levels")
	// The agent has fewer seats than its queues ask for, and is shut until all Jobs are there.
	agent := func(n int32) {
		edit(s, &v1alpha1.Agent{}, s.agent, func(a *v1alpha1.Agent) { a.Spec.Concurrency = &n })
	}
	agent(0)
	queues := []string{
		s.queue("high", priority(10), seats(4)),
		s.queue("middle", priority(5), seats(6)),
		s.queue("low", priority(1), seats(8)),
	}
	const jobs = 200
	all := make([]client.Object, jobs)
	for i := range all {
		all[i] = s.job(fmt.Sprintf("job-%d", i), queues[i%3], simulated("1"))
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(jobs, func(i, j int) { all[i], all[j] = all[j], all[i] })
	s.createTogether(all)
	want := []int{67, 67, 66}
	for i, q := range queues {
		s.until("all wait", q, func(c counts) bool { return c.waiting == want[i] })
	}
	agent(10)
	for i, q := range queues {
		s.until("all succeed", q, succeed(want[i]))
	}
	for i, seats := range []int{4, 6, 8} {
		require.Equal(t, seats, s.peak(queues[i]), queues[i])
	}
}

func TestQuota(t *testing.T) {
	s := begin(t, "quota")
	for _, c := range []struct {
		name            string
		resource        corev1.ResourceName
		quota, each     string
		peak            int
		tooMuch, answer string
	}{
		{"cpu", "cpu", "4", "1", 4, "5", "asks cpu 5 but queue %s allows at most 4 in all; lower the request or raise the quota"},
		{"gpu", "nvidia.com/gpu", "8", "3", 2, "9", "asks nvidia.com/gpu 9 but queue %s allows at most 8 in all; lower the request or raise the quota"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := s.queue(c.name, quota(c.resource, c.quota))
			// What can never fit is told so and keeps nobody waiting.
			s.create(s.pod(c.name+"-too-much", q, asking(simulated("1"), c.resource, c.tooMuch)))
			var all []client.Object
			for i := range 12 {
				all = append(all, s.job(fmt.Sprintf("%s-%d", c.name, i), q, asking(simulated("1"), c.resource, c.each)))
			}
			s.createTogether(all)
			s.until("all that can succeed", q, succeed(12))
			require.Equal(t, c.peak, s.peak(q))
			require.Contains(t, s.says(c.name+"-too-much", "NeverFits"), fmt.Sprintf(c.answer, q))
		})
	}
}

// The concurrency of a running queue goes up, down, to nothing and away.
func TestConcurrencyEdited(t *testing.T) {
	s := begin(t, "edited")
	q := s.queue("q", seats(2))
	var all []client.Object
	for i := range 60 {
		all = append(all, s.job(fmt.Sprintf("job-%d", i), q, simulated("2")))
	}
	s.createTogether(all)
	running := func(n int) func(counts) bool { return func(c counts) bool { return c.running == n } }
	s.until("2 run of 60", q, func(c counts) bool { return c.running == 2 && c.all() == 60 })
	s.editQueue(q, seats(8))
	s.until("8 run", q, running(8))
	// Lowering a limit drains and kills nothing.
	s.editQueue(q, seats(1))
	s.until("1 runs", q, running(1))
	require.Equal(t, 60, s.count(q).all())
	require.Zero(t, s.count(q).failed)
	s.editQueue(q, seats(0))
	s.until("nothing runs", q, running(0))
	require.NotZero(t, s.count(q).waiting)
	s.editQueue(q, seats(-1))
	s.until("all succeed", q, succeed(60))
	require.GreaterOrEqual(t, s.peak(q), 8)
}

// A pod that no node fits gives its seat back, says so, and others run.
func TestNoNodeFits(t *testing.T) {
	s := begin(t, "no-node")
	q := s.queue("q", seats(1))
	s.create(s.pod("huge", q, asking(simulated("1"), "cpu", "1000")))
	s.eventually("the scheduler tries the huge pod", func() (bool, any) {
		p := s.get("huge")
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable {
				return true, nil
			}
		}
		return false, p.Status.Conditions
	})
	var all []client.Object
	for i := range 5 {
		all = append(all, s.job(fmt.Sprintf("small-%d", i), q, simulated("1")))
	}
	s.createTogether(all)
	s.until("the small ones succeed", q, succeed(5))
	require.Contains(t, s.says("huge", "Unschedulable"), "no node fits it; ")
	require.Empty(t, s.get("huge").Spec.NodeName)
}
