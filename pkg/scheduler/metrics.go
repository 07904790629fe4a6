package scheduler

import (
	"sync"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
)

const subsystem = "queueyard"

var (
	admissions = metrics.NewCounterVec(&metrics.CounterOpts{
		Subsystem: subsystem, Name: "admissions_total", StabilityLevel: metrics.ALPHA,
		Help: "Pods admitted, per queue. A pod that gave its room back and was admitted again counts again.",
	}, []string{"queue"})
	waitSeconds = metrics.NewHistogramVec(&metrics.HistogramOpts{
		Subsystem: subsystem, Name: "wait_seconds", StabilityLevel: metrics.ALPHA,
		Help:    "Time from a pod's creation to the moment it was seen on a node, per queue.",
		Buckets: metrics.ExponentialBuckets(0.05, 4, 12),
	}, []string{"queue"})
	noFitReturns = metrics.NewCounter(&metrics.CounterOpts{
		Subsystem: subsystem, Name: "no_fit_returns_total", StabilityLevel: metrics.ALPHA,
		Help: "Admitted pods that gave their room back because no node fitted them.",
	})
	repairs = metrics.NewCounterVec(&metrics.CounterOpts{
		Subsystem: subsystem, Name: "repairs_total", StabilityLevel: metrics.ALPHA,
		Help: "Differences between ledger, waiting room and API that the sweep repaired. Normally 0.",
	}, []string{"kind"})
	pumpDuration = metrics.NewHistogram(&metrics.HistogramOpts{
		Subsystem: subsystem, Name: "pump_duration_seconds", StabilityLevel: metrics.ALPHA,
		Help:    "Time one run of the pump took.",
		Buckets: metrics.ExponentialBuckets(0.00001, 4, 10),
	})
	evictions = metrics.NewCounterVec(&metrics.CounterOpts{
		Subsystem: subsystem, Name: "evictions_total", StabilityLevel: metrics.ALPHA,
		Help: "Pods that made way for a queue that preempts, per queue they were in: preempted (evicted from a node), returned (had no node yet, and wait again), refused (an eviction was refused; the pod stays).",
	}, []string{"queue", "reason"})
	turnoverSeconds = metrics.NewHistogramVec(&metrics.HistogramOpts{
		Subsystem: subsystem, Name: "turnover_seconds", StabilityLevel: metrics.ALPHA,
		Help:    "Time from the moment a seat became free for which others waited to the moment the next pod was seen on a node, per queue.",
		Buckets: metrics.ExponentialBuckets(0.005, 3, 10),
	}, []string{"queue"})
)

// kept are the metrics whose values are kept between two scrapes.
var kept = []metrics.Registerable{admissions, waitSeconds, noFitReturns, repairs, pumpDuration, evictions, turnoverSeconds}

var registerMetrics = sync.OnceFunc(func() {
	legacyregistry.MustRegister(kept...)
	for _, kind := range []string{kindGone, kindUnknown, kindPlaced, kindLost} {
		repairs.WithLabelValues(kind)
	}
})

// announceMetrics begins the series of a queue that alerts go by. One that began with 1 would not be seen to rise.
func announceMetrics(queue string) { admissions.WithLabelValues(queue) }

// forgetMetrics ends the series of a queue that is gone, so that their number stays that of the
// queues.
func forgetMetrics(queue string) {
	labels := map[string]string{"queue": queue}
	admissions.Delete(labels)
	waitSeconds.Delete(labels)
	for _, reason := range []string{"preempted", "returned", "refused"} {
		evictions.Delete(map[string]string{"queue": queue, "reason": reason})
	}
	turnoverSeconds.Delete(labels)
}
