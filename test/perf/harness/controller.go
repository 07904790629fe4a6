package harness

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
)

// Inside is what queueyard-controller says of itself.
type Inside struct {
	// Heap is what is alive in its heap, in MiB, as of the last collection: with Go's default, half of
	// the size at which the next one begins.
	Heap float64
	// Requests are its successful requests to the API server, by method.
	Requests map[string]float64
}

// Controller asks the controller.
func (c *Cluster) Controller(ctx context.Context) (Inside, error) {
	url := "http://" + cluster.Loopback(c.Sandbox.Ports().ControllerMetrics) + "/metrics"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Inside{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return Inside{}, fmt.Errorf("read the controller's metrics: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return Inside{}, fmt.Errorf("read the controller's metrics: %s: %w", response.Status, err)
	}
	return parseInside(text), nil
}

func parseInside(text []byte) Inside {
	in := Inside{Requests: map[string]float64{}}
	for _, bytes := range series(text, "go_memstats_next_gc_bytes") {
		in.Heap = bytes / 2 / (1 << 20)
	}
	for labels, n := range series(text, "rest_client_requests_total") {
		if strings.HasPrefix(labels["code"], "2") {
			in.Requests[labels["method"]] += n
		}
	}
	return in
}
