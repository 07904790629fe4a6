package operation

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
)

// What waits is made anew when its cost changes, and not because its template says one where the operation says none: it would
// be made and taken back without end.
func TestStaleCost(t *testing.T) {
	for name, c := range map[string]struct {
		made, before, now string
		want              bool
	}{
		"none":                 {"", "", "", false},
		"its own":              {"2", "2", "2", false},
		"changed":              {"2", "2", "3", true},
		"changed, seen before": {"2", "3", "3", true},
		"given up":             {"2", "2", "", true},
		"the template's":       {"2", "", "", false},
		"first the template's": {"2", "", "3", true},
	} {
		op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "x"}}
		op.Status.Cost = c.before
		op.Status.Run = &v1alpha1.RunReference{APIVersion: "v1", Kind: "Pod", Namespace: "team", Name: "x-1"}
		pod := &corev1.Pod{}
		pod.Labels = map[string]string{v1alpha1.QueueLabel: "gpu"}
		pod.Annotations = map[string]string{v1alpha1.PriorityAnnotation: "0"}
		if c.made != "" {
			pod.Annotations[v1alpha1.CostLabel] = c.made
		}
		w := &work{Reconciler: &Reconciler{client: fake.NewClientBuilder().WithScheme(scheme()).Build()}, op: op}
		require.Equal(t, c.want, w.stale(t.Context(), sight{object: pod}, &operation.Compilation{Queue: "gpu", Cost: c.now}), name)
	}
}
