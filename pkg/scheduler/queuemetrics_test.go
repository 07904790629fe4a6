package scheduler

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/component-base/metrics/testutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func (w *world) scraped(t *testing.T, want string, names ...string) {
	t.Helper()
	registry := metrics.NewKubeRegistry()
	registry.CustomMustRegister(&queueMetrics{room: w.room})
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(want), names...))
}

const operationsHelp = `# HELP queueyard_operations [ALPHA] Operations of a queue by state: pending (waits for room), admitted (holds a seat), running (holds a seat and has a pod on a node).
# TYPE queueyard_operations gauge
`

func TestGaugesSayHowQueuesStand(t *testing.T) {
	w := newStandby(testContext(t))
	w.queue("q", 1, func(q *v1alpha1.Queue) {
		q.Spec.Quota = &v1alpha1.Quota{Budget: &v1alpha1.Budget{Amount: resource.MustParse("5"), Window: "day"}}
	})
	w.create(testPod("a", "q", func(pod *v1.Pod) {
		pod.Labels[v1alpha1.CostLabel] = "2"
		pod.Spec.Containers[0].Resources.Requests[v1.ResourceCPU] = resource.MustParse("1500m")
	}))
	w.create(testPod("b", "q"))
	w.settle()
	w.scraped(t, "", "queueyard_operations", "queueyard_usage")

	w.room.countOn(nil, w.clock.Now())
	w.clock.Step(time.Hour)
	w.room.account(w.clock.Now())
	w.scraped(t, operationsHelp+`queueyard_operations{queue="q",state="admitted"} 1
queueyard_operations{queue="q",state="pending"} 1
queueyard_operations{queue="q",state="running"} 0
`, "queueyard_operations")
	for name, want := range map[string]float64{
		`queueyard_usage{queue="q",resource="cpu"}`:        1.5,
		`queueyard_oldest_wait_seconds{queue="q"}`:         3600,
		`queueyard_cost_rate{queue="q"}`:                   2,
		`queueyard_budget_spent{kind="Queue",name="q"}`:    2,
		`queueyard_budget_left{kind="Queue",name="q"}`:     3,
		`queueyard_operations{queue="q",state="admitted"}`: 1,
	} {
		require.InDelta(t, want, w.gauge(t, name), 0.001, name)
	}

	w.remove("a")
	w.remove("b")
	w.settle()
	require.Zero(t, w.gauge(t, `queueyard_oldest_wait_seconds{queue="q"}`))
	w.room.queueGone(w.room.directory.queues["q"])
	w.scraped(t, "", "queueyard_operations", "queueyard_usage", "queueyard_oldest_wait_seconds", "queueyard_cost_rate", "queueyard_budget_spent", "queueyard_budget_left")
}

// gauge is the value of one series, as it is scraped.
func (w *world) gauge(t *testing.T, series string) float64 {
	t.Helper()
	registry := metrics.NewKubeRegistry()
	registry.CustomMustRegister(&queueMetrics{room: w.room})
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, m := range family.Metric {
			if nameOf(family.GetName(), m) == series {
				return m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no series %s", series)
	return 0
}

// nameOf is a series as it is written.
func nameOf(name string, m *dto.Metric) string {
	var labels []string
	for _, l := range m.Label {
		labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	return name + "{" + strings.Join(labels, ",") + "}"
}

// observed is how many values a histogram of a queue has, and their sum; 0 where there is no series.
func observed(t *testing.T, name, queue string) (count uint64, sum float64) {
	t.Helper()
	families, err := legacyregistry.DefaultGatherer.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, m := range family.Metric {
			if family.GetName() == name && nameOf(name, m) == name+`{queue="`+queue+`"}` {
				if h := m.GetHistogram(); h != nil {
					return h.GetSampleCount(), h.GetSampleSum()
				}
				return 1, m.GetCounter().GetValue()
			}
		}
	}
	return 0, 0
}

// A seat that others wait for is free from the end of a pod until the next is seen on a node.
func TestTurnoverIsMeasuredWhereOthersWait(t *testing.T) {
	registerMetrics()
	w := newWorld(testContext(t))
	const queue = "turns-over"
	w.queue(queue, 1)
	place := func(pod string) {
		t.Helper()
		w.settle()
		_, flies := w.cycle(t, true, "")
		require.True(t, flies, pod)
		w.bind(t, true)
		w.settle()
	}
	for _, name := range []string{"a", "b", "c"} {
		w.create(testPod(name, queue))
	}
	place("a")
	count, _ := observed(t, "queueyard_turnover_seconds", queue)
	require.Zero(t, count, "nobody left the first seat")

	w.remove("a")
	w.settle()
	w.clock.Step(3 * time.Second)
	place("b")
	count, sum := observed(t, "queueyard_turnover_seconds", queue)
	require.EqualValues(t, 1, count)
	require.InDelta(t, 3, sum, 0.001)

	w.remove("c") // nobody waits any more
	w.settle()
	w.remove("b")
	w.settle()
	w.clock.Step(time.Hour)
	w.create(testPod("d", queue))
	place("d")
	count, _ = observed(t, "queueyard_turnover_seconds", queue)
	require.EqualValues(t, 1, count, "a seat that nobody wanted is not slow")
	count, _ = observed(t, "queueyard_wait_seconds", queue)
	require.EqualValues(t, 3, count)

	w.room.queueGone(w.room.directory.queues[queue])
	for _, name := range []string{"queueyard_turnover_seconds", "queueyard_wait_seconds", "queueyard_admissions_total"} {
		count, _ := observed(t, name, queue)
		require.Zero(t, count, "%s goes with its queue", name)
	}
}

// An alert sees a counter rise, and not that it begins with 1.
func TestCountersOfAlertsBeginWithNothing(t *testing.T) {
	registerMetrics()
	w := newWorld(testContext(t))
	w.queue("announced", 1)
	series, value := observed(t, "queueyard_admissions_total", "announced")
	require.EqualValues(t, 1, series)
	require.Zero(t, value)
	families, err := legacyregistry.DefaultGatherer.Gather()
	require.NoError(t, err)
	i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "queueyard_repairs_total" })
	require.GreaterOrEqual(t, i, 0)
	require.Len(t, families[i].GetMetric(), 4)
}

// What docs/metrics.md lists is what there is. Alerts and the Grafana dashboard are held to that page.
func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	ofScheduler, _, found := strings.Cut(string(page), "The controller serves")
	require.True(t, found)
	var documented, there []string
	name := regexp.MustCompile(`queueyard_[a-z_]+`)
	for _, cell := range regexp.MustCompile("(?m)^\\| `queueyard_[^|]*").FindAllString(ofScheduler, -1) {
		documented = append(documented, name.FindAllString(cell, -1)...)
	}
	for _, m := range kept {
		there = append(there, m.FQName())
	}
	descriptions := make(chan *metrics.Desc, 100)
	(&queueMetrics{}).DescribeWithStability(descriptions)
	close(descriptions)
	for d := range descriptions {
		there = append(there, name.FindString(d.String()))
	}
	require.ElementsMatch(t, documented, there)
}

// What pods name makes no series: after a restart, what runs is charged to whatever its label says.
func TestLabelsMakeNoSeries(t *testing.T) {
	registerMetrics()
	w := newWorld(testContext(t))
	w.create(testPod("stray", "no-such-queue", func(pod *v1.Pod) { pod.Spec.NodeName = "node" }))
	w.settle()
	count, _ := observed(t, "queueyard_wait_seconds", "no-such-queue")
	require.Zero(t, count)
}

// What ran before this replica led has waited under another: its age is no wait.
func TestWaitsAreMeasuredOnce(t *testing.T) {
	registerMetrics()
	w := newStandby(testContext(t))
	const queue = "restarted"
	w.queue(queue, 2)
	w.create(testPod("old", queue, func(p *v1.Pod) { p.Spec.NodeName = "node" }))
	w.clock.Step(72 * time.Hour)
	w.deliverFeed()
	w.room.countOn(nil, w.clock.Now())
	w.create(testPod("new", queue))
	w.settle()
	w.clock.Step(2 * time.Second)
	w.run(t)
	count, sum := observed(t, "queueyard_wait_seconds", queue)
	require.EqualValues(t, 1, count)
	require.InDelta(t, 2, sum, 0.001)
}
