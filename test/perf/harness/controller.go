package harness

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

const (
	readerNamespace = "queueyard-system"
	// readerRole may read metrics and nothing else.
	readerRole = "queueyard-metrics-reader"
	// tokenLifetime is longer than any benchmark takes.
	tokenLifetime = 24 * time.Hour
)

// metricsReader makes a service account that may read metrics, and is its token.
func (c *Cluster) metricsReader(ctx context.Context) (string, error) {
	name := metav1.ObjectMeta{Name: "benchmark"}
	if _, err := c.Client.CoreV1().ServiceAccounts(readerNamespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: name}, metav1.CreateOptions{}); err != nil {
		return "", err
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: name,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: readerRole},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: readerNamespace, Name: name.Name}},
	}
	if _, err := c.Client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return "", err
	}
	return cluster.Token(ctx, c.Client, readerNamespace, name.Name, tokenLifetime)
}

// loopback trusts what this machine itself serves.
var loopback = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

// Controller asks the controller.
func (c *Cluster) Controller(ctx context.Context) (Inside, error) {
	url := "https://" + cluster.Loopback(c.Sandbox.Ports().ControllerMetrics) + "/metrics"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Inside{}, err
	}
	request.Header.Set("Authorization", "Bearer "+c.metricsToken)
	response, err := loopback.Do(request)
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
