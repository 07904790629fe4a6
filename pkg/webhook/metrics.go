package webhook

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// failures counts what controller-runtime does not tell apart: to HTTP every answer is a success.
var failures = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "queueyard_webhook_failures_total",
	Help: "Requests that a webhook could not decide, and answered with an error of its own, by its path.",
}, []string{"webhook"})

func init() { metrics.Registry.MustRegister(failures) }

// counted counts the failures of a handler.
type counted struct {
	admission.Handler
	path string
}

// Handle implements admission.Handler.
func (c counted) Handle(ctx context.Context, req admission.Request) (response admission.Response) {
	failed := true // also if it panics
	defer func() {
		if failed {
			failures.WithLabelValues(c.path).Inc()
		}
	}()
	response = c.Handler.Handle(ctx, req)
	failed = response.Result != nil && response.Result.Code >= http.StatusInternalServerError
	return response
}
