package scheduler

import (
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
)

// queueMetrics says at each scrape how this replica and the queues stand. Nothing is kept between two scrapes, so there
// are as many series of queues as there are queues, and none on a standby.
type queueMetrics struct {
	metrics.BaseStableCollector
	room *Room
}

func gaugeDesc(name, help string, labels ...string) *metrics.Desc {
	return metrics.NewDesc(metrics.BuildFQName("", subsystem, name), help, labels, nil, metrics.ALPHA, "")
}

var (
	readyDesc = gaugeDesc("ready",
		"1 if this replica has seen everything that queues are made of and, if it leads, serves them; else 0, and /readyz says what is missing.")
	leadingDesc = gaugeDesc("leading",
		"1 on the replica that leads, 0 on the others.")
	operationsDesc = gaugeDesc("operations",
		"Operations of a queue by state: pending (waits for room), admitted (holds a seat), running (holds a seat and has a pod on a node).", "queue", "state")
	usageDesc = gaugeDesc("usage",
		"What the admitted pods of a queue ask for, by resource: cores of cpu, bytes of memory and storage, units of everything else.", "queue", "resource")
	oldestDesc = gaugeDesc("oldest_wait_seconds",
		"For how long the oldest pending operation of a queue has waited; 0 if none is pending.", "queue")
	costRateDesc = gaugeDesc("cost_rate",
		"What the admitted pods of a queue cost per hour.", "queue")
	budgetSpentDesc = gaugeDesc("budget_spent",
		"What has been spent of a budget in its window of now. kind is Queue, Project or Organization.", "kind", "name")
	budgetLeftDesc = gaugeDesc("budget_left",
		"What is left of a budget in its window of now; 0 if it is used up. kind is Queue, Project or Organization.", "kind", "name")
)

// DescribeWithStability implements metrics.StableCollector.
func (m *queueMetrics) DescribeWithStability(to chan<- *metrics.Desc) {
	for _, desc := range []*metrics.Desc{readyDesc, leadingDesc, operationsDesc, usageDesc, oldestDesc, costRateDesc, budgetSpentDesc, budgetLeftDesc} {
		to <- desc
	}
}

// CollectWithStability implements metrics.StableCollector.
func (m *queueMetrics) CollectWithStability(to chan<- metrics.Metric) {
	ready, leading := m.room.ready.state()
	to <- metrics.NewLazyConstMetric(readyDesc, metrics.GaugeValue, oneIf(ready))
	to <- metrics.NewLazyConstMetric(leadingDesc, metrics.GaugeValue, oneIf(leading))
	for _, metric := range m.room.gauges() {
		to <- metric
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// gauges is how all queues and budgets stand, as far as this replica leads.
func (r *Room) gauges() (out []metrics.Metric) {
	gauge := func(desc *metrics.Desc, value float64, labels ...string) {
		out = append(out, metrics.NewLazyConstMetric(desc, metrics.GaugeValue, value, labels...))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.leading {
		return nil
	}
	now := r.clock.Now()
	for name := range r.directory.queues {
		stats, _ := r.ledger.QueueStats(name)
		pending := stats.Pending + stats.Suspended
		gauge(operationsDesc, float64(pending), name, "pending")
		gauge(operationsDesc, float64(stats.Admitted), name, "admitted")
		gauge(operationsDesc, float64(stats.Running), name, "running")
		oldest := time.Duration(0)
		if pending > 0 {
			oldest = max(now.Sub(time.Unix(0, stats.Oldest)), 0)
		}
		gauge(oldestDesc, oldest.Seconds(), name)
		gauge(costRateDesc, money(stats.Usage[ledger.CostPerHour]), name)
		for resource, amount := range stats.Usage {
			switch resource {
			case ledger.CostPerHour:
			case string(v1.ResourceCPU):
				gauge(usageDesc, float64(amount)/1000, name, resource)
			default:
				gauge(usageDesc, float64(amount), name, resource)
			}
		}
	}
	for key, a := range r.accounts {
		kind := map[ledger.Kind]string{ledger.Queue: "Queue", ledger.Project: "Project", ledger.Organization: "Organization"}[key.kind]
		gauge(budgetSpentDesc, money(a.meter.Spent), kind, key.name)
		gauge(budgetLeftDesc, money(max(0, cost.Of(a.budget.Amount)-a.meter.Spent)), kind, key.name)
	}
	return out
}

func money(micros cost.Micros) float64 { return float64(micros) / 1e6 }

// registerQueueMetrics has the room asked at each scrape.
func registerQueueMetrics(r *Room) { legacyregistry.CustomMustRegister(&queueMetrics{room: r}) }

// vacancyLimit bounds the seats of a queue whose turnover is measured at a time.
const vacancyLimit = 256

// vacated notes that a seat of a queue became free for which others wait.
func (r *Room) vacated(queue string, admittedBefore int) {
	pending, admitted := r.ledger.Counts(queue)
	switch {
	case pending == 0:
		delete(r.vacancies, queue)
	case admitted < admittedBefore && len(r.vacancies[queue]) < vacancyLimit:
		r.vacancies[queue] = append(r.vacancies[queue], r.clock.Now())
	}
}

// fills gives an admitted pod the seat of its queue that is free for longest, to be measured when the
// pod is seen on a node.
func (r *Room) fills(e *entry) {
	e.vacant = time.Time{}
	if free := r.vacancies[e.assignment.Queue]; len(free) > 0 {
		e.vacant = free[0]
		r.vacancies[e.assignment.Queue] = free[1:]
	}
}

// observePlaced measures a pod that is seen on a node for the first time. What a label names that is no
// queue makes no series.
func (r *Room) observePlaced(e *entry) {
	queue := e.assignment.Queue
	if r.directory.queues[queue] == nil {
		return
	}
	waitSeconds.WithLabelValues(queue).Observe(r.clock.Since(e.pod.CreationTimestamp.Time).Seconds())
	if !e.vacant.IsZero() {
		turnoverSeconds.WithLabelValues(queue).Observe(r.clock.Since(e.vacant).Seconds())
		e.vacant = time.Time{}
	}
}
