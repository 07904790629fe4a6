package sim

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

func planOf(agentSeats int32, queues ...*v1alpha1.Queue) *Plan {
	plan := NewPlan()
	agent := &v1alpha1.Agent{}
	agent.Name = "a"
	agent.Spec.Concurrency = &agentSeats
	plan.Agents["a"] = agent
	for _, q := range queues {
		q.Spec.Agent = "a"
		plan.Queues[q.Name] = q
	}
	return plan
}

func queueOf(name string, priority, concurrency int32) *v1alpha1.Queue {
	q := &v1alpha1.Queue{}
	q.Name = name
	q.Spec.Priority, q.Spec.Concurrency = &priority, &concurrency
	return q
}

func fixed(d time.Duration) Runtime { return Runtime{Fixed: &metav1.Duration{Duration: d}} }

func exponential(d time.Duration) Runtime { return Runtime{Exponential: &metav1.Duration{Duration: d}} }

func loadOf(streams ...Stream) *Load { return &Load{Seed: 1, Streams: streams} }

func TestOneSeatServesOneAfterTheOther(t *testing.T) {
	report := play(t, planOf(1, queueOf("q", 1, 1)), loadOf(Stream{Name: "s", Queue: "q", Count: 3, Runtime: fixed(10 * time.Second)}))
	require.Equal(t, Operations{Arrived: 3, Completed: 3, Pods: 3}, report.Operations)
	require.Equal(t, 30.0, report.Seconds)
	require.Equal(t, 0.1, report.PerSecond)
	require.Equal(t, Waits{Count: 3, Mean: 10, P50: report.Waits.P50, P95: 20, P99: 20, Max: 20}, report.Waits)
	require.InEpsilon(t, 10, report.Waits.P50, 1.0/perDoubling)
	seats := report.Limits[0]
	require.Equal(t, LimitReport{
		Kind: "agent", Name: "a", Resource: "seats", Limit: ptr.To[int64](1), Peak: 1, Average: 1, Utilisation: ptr.To(1.0),
		Backlog: 20, BacklogAverage: 1, BacklogUtilisation: ptr.To(1.0),
	}, seats)
}

func TestHigherLevelsWaitLess(t *testing.T) {
	report := play(t, planOf(1, queueOf("low", 1, 1), queueOf("high", 2, 1)), loadOf(
		Stream{Name: "low", Queue: "low", Count: 5, Runtime: fixed(time.Second)},
		Stream{Name: "high", Queue: "high", Count: 5, Runtime: fixed(time.Second)},
	))
	require.Equal(t, "2", report.Levels[0].Priority)
	require.Equal(t, 4.0, report.Levels[0].Waits.Max)
	require.Equal(t, 9.0, report.Levels[1].Waits.Max)
}

// The mean wait in a line with one server is known when arrivals and run times are exponential.
func TestWaitsAgreeWithQueueingTheory(t *testing.T) {
	load := loadOf(Stream{
		Name: "s", Queue: "q", Count: 300_000, Arrival: Arrival{PoissonPerHour: 42}, Runtime: exponential(time.Minute),
	})
	report := play(t, planOf(1, queueOf("q", 1, 1)), load)
	const arrivals, service = 42.0 / 3600, 1.0 / 60
	require.InEpsilon(t, arrivals/service/(service-arrivals), report.Waits.Mean, 0.03)
	require.InEpsilon(t, arrivals/service, *report.Limits[0].Utilisation, 0.01)
}

func TestLevelIsDividedByWeight(t *testing.T) {
	streams := []Stream{}
	for _, name := range []string{"q1", "q2", "q3"} {
		streams = append(streams, Stream{Name: name, Queue: name, Count: 5000, Runtime: exponential(time.Minute)})
	}
	report := play(t, planOf(18, queueOf("q1", 5, 6), queueOf("q2", 5, 12), queueOf("q3", 5, 18)), loadOf(streams...))
	require.Greater(t, *report.Levels[0].Fairness, 0.999)
	for _, l := range report.Limits {
		if l.Kind == "queue" && l.Name == "q3" && l.Resource == seatsName {
			// Half of 18 seats, while all three have operations waiting.
			require.InDelta(t, 9, l.BacklogAverage, 0.5)
		}
	}
}

func TestFairnessSeesAnUnequalDivision(t *testing.T) {
	v := &level{contended: 100 * time.Second}
	for _, share := range []float64{400, 0, 0, 0} {
		v.queues = append(v.queues, &queue{weight: 1, contended: 100 * time.Second, share: share})
	}
	v.queues = append(v.queues, &queue{weight: 1, contended: 9 * time.Second, share: 9})
	index, ok := v.fairness()
	require.True(t, ok)
	require.Equal(t, 0.25, index, "one of four has all; the fifth competed too briefly to count")
}

func TestPodsOfAnOperationShareASeat(t *testing.T) {
	q := queueOf("q", 1, 1)
	report := play(t, planOf(10, q), loadOf(Stream{Name: "s", Queue: "q", Count: 2, PodsPerOperation: 8, Runtime: fixed(time.Minute)}))
	require.Equal(t, Operations{Arrived: 2, Completed: 2, Pods: 16}, report.Operations)
	require.Equal(t, 120.0, report.Seconds)

	// Two pods of 8 fit at a time; the operation keeps its seat as long as one of them runs.
	q.Spec.Quota = &v1alpha1.Quota{Resources: map[corev1.ResourceName]resource.Quantity{"cpu": resource.MustParse("2")}}
	requests := map[corev1.ResourceName]resource.Quantity{"cpu": resource.MustParse("1")}
	report = play(t, planOf(10, q), loadOf(Stream{Name: "s", Queue: "q", Count: 2, PodsPerOperation: 8, Runtime: fixed(time.Minute), Requests: requests}))
	require.Equal(t, int64(2), report.Operations.Completed)
	require.Equal(t, 480.0, report.Seconds)
}

func TestWhatCanNeverRunIsNamed(t *testing.T) {
	paused := queueOf("paused", 1, 1)
	paused.Spec.State = v1alpha1.QueuePaused
	small := queueOf("small", 1, 1)
	small.Spec.Quota = &v1alpha1.Quota{Resources: map[corev1.ResourceName]resource.Quantity{"cpu": resource.MustParse("1")}}
	report := play(t, planOf(10, paused, small, queueOf("closed", 1, 0)), loadOf(
		Stream{Name: "paused", Queue: "paused", Count: 2, Runtime: fixed(0)},
		Stream{Name: "large", Queue: "small", Count: 3, Runtime: fixed(0), Requests: map[corev1.ResourceName]resource.Quantity{"cpu": resource.MustParse("2")}},
		Stream{Name: "fits", Queue: "small", Count: 4, Runtime: fixed(0)},
		Stream{Name: "closed", Queue: "closed", Count: 1, Runtime: fixed(0), PodsPerOperation: 2},
	))
	require.Equal(t, Operations{Arrived: 10, Completed: 4, Stuck: 6, Pods: 4}, report.Operations)
	reasons := map[string]ledger.Reason{}
	for _, s := range report.Stuck {
		reasons[s.Queue] = s.Reason
	}
	require.Equal(t, map[string]ledger.Reason{"paused": ledger.QueuePaused, "small": ledger.NeverFits, "closed": ledger.NeverFits}, reasons)
}

func TestRunTimesLongerThanTimeItself(t *testing.T) {
	s, err := New(planOf(1, queueOf("q", 1, 1)))
	require.NoError(t, err)
	require.NoError(t, s.AddLoad(loadOf(Stream{Name: "s", Queue: "q", Count: 4, Runtime: fixed(maxTime)})))
	_, err = s.Run()
	require.ErrorContains(t, err, "would end after virtual time does")
}

func TestSeedDecidesEverything(t *testing.T) {
	scaled := func(seed uint64) string {
		plan, load := Scale(3000, 30, 60)
		load.Seed = seed
		return inJSON(t, play(t, plan, load))
	}
	require.Equal(t, scaled(7), scaled(7))
	require.NotEqual(t, scaled(7), scaled(8))
}

func TestStreamsHaveTheirOwnNumbers(t *testing.T) {
	draw := func(s Stream) (arrivals, runtimes []time.Duration) {
		from := newStreamSource(&Load{Seed: 3}, &s, nil)
		for range 50 {
			a, more, err := from.next()
			require.True(t, more)
			require.NoError(t, err)
			arrivals, runtimes = append(arrivals, a.at), append(runtimes, a.runtime)
		}
		return arrivals, runtimes
	}
	one := Stream{Name: "one", Arrival: Arrival{PoissonPerHour: 10}, Runtime: exponential(time.Minute)}
	slower := one
	slower.Runtime = Runtime{Lognormal: &Lognormal{Median: metav1.Duration{Duration: time.Hour}, Sigma: 1}}
	other := one
	other.Name = "other"
	arrivals, runtimes := draw(one)
	sameArrivals, otherRuntimes := draw(slower)
	require.Equal(t, arrivals, sameArrivals)
	require.NotEqual(t, runtimes, otherRuntimes)
	otherArrivals, _ := draw(other)
	require.NotEqual(t, arrivals, otherArrivals)
}

func TestDistributionsHaveTheirMeans(t *testing.T) {
	mean := func(r Runtime) float64 {
		numbers, sum := random(1, "test"), 0.0
		for range 200_000 {
			sum += r.draw(numbers).Seconds()
		}
		return sum / 200_000
	}
	require.Equal(t, 5.0, mean(fixed(5*time.Second)))
	require.InEpsilon(t, 60, mean(exponential(time.Minute)), 0.01)
	lognormal := Runtime{Lognormal: &Lognormal{Median: metav1.Duration{Duration: time.Minute}, Sigma: 0.5}}
	require.InEpsilon(t, 60*math.Exp(0.125), mean(lognormal), 0.01)
}
