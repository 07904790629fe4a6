package harness

import (
	"context"
	"fmt"
	"strings"
)

// Writes counts the API server's successful writes by verb and resource. Leases are left out: they
// beat with time, not with pods.
func (c *Cluster) Writes(ctx context.Context) (map[string]float64, error) {
	text, err := c.Client.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the API server's metrics: %w", err)
	}
	return parseWrites(text), nil
}

func parseWrites(text []byte) map[string]float64 {
	counts := map[string]float64{}
	for labels, value := range series(text, "apiserver_request_total") {
		switch labels["verb"] {
		case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
		default:
			continue
		}
		// A review asks and stores nothing.
		if labels["resource"] == "leases" || strings.HasSuffix(labels["resource"], "reviews") || !strings.HasPrefix(labels["code"], "2") {
			continue
		}
		name := labels["verb"] + " " + labels["resource"]
		if s := labels["subresource"]; s != "" {
			name += "/" + s
		}
		counts[name] += value
	}
	return counts
}

// Traffic is what an API server has been asked so far, leases and reviews included, and how many watches are open at it.
type Traffic struct{ Requests, Writes, Watches float64 }

// Traffic reads it.
func (c *Cluster) Traffic(ctx context.Context) (Traffic, error) {
	text, err := c.Client.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return Traffic{}, fmt.Errorf("read the API server's metrics: %w", err)
	}
	return parseTraffic(text), nil
}

func parseTraffic(text []byte) (t Traffic) {
	for labels, value := range series(text, "apiserver_request_total") {
		switch labels["verb"] {
		case "WATCH":
			continue
		case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
			t.Writes += value
		}
		t.Requests += value
	}
	for labels, value := range series(text, "apiserver_longrunning_requests") {
		if labels["verb"] == "WATCH" {
			t.Watches += value
		}
	}
	return t
}

// Each is what was written between two counts, for each of n, and its sum.
func Each(before, after map[string]float64, n int) (map[string]float64, float64) {
	each, sum := map[string]float64{}, 0.0
	for name, count := range after {
		if d := count - before[name]; d > 0 {
			each[name] = d / float64(n)
			sum += each[name]
		}
	}
	return each, sum
}
