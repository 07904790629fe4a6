package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
)

const (
	// quiet is the number of writes in a second below which a cluster with operations counts as at rest:
	// more than the scheduler's telling waiting pods why they wait.
	quiet = 30
	// quietWithin bounds the wait for that.
	quietWithin = 2 * time.Minute
)

// ManagedNamespace makes a namespace whose objects have queues.
func (c *Cluster) ManagedNamespace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.ManagedLabel: "true"}}}
	if err := c.Objects.Create(ctx, ns); err != nil {
		return err
	}
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := c.Client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("no service account in namespace %s: %w", name, err)
	}
	return nil
}

// Quiet waits until operations are at rest.
func (c *Cluster) Quiet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, quietWithin)
	defer cancel()
	return c.Rest(ctx, quiet)
}

// Template is of an operation that runs for a second on a simulated node, with the param rate.
func Template() *v1alpha1.RunTemplate {
	raw, err := json.Marshal(map[string]any{"spec": map[string]any{
		"nodeSelector": map[string]any{simulation.Label: simulation.LabelValue},
		"tolerations":  []any{map[string]any{"key": simulation.Taint, "operator": "Exists"}},
		"containers": []any{map[string]any{
			"name": "main", "image": "none", "command": []any{"train", "--rate", "{{ params.rate }}", "--try", "{{ globals.attempt }}"},
			"resources": map[string]any{"requests": map[string]any{"cpu": 1}},
		}},
	}})
	if err != nil {
		panic(err) // it is a constant
	}
	return &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: raw}}
}
