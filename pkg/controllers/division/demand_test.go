package division

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/shares"
)

func TestDemandOfOperations(t *testing.T) {
	var told []tenant
	d := newDemands(func(t tenant) { told = append(told, t) })
	op := func(uid, queue string, phase v1alpha1.Status, declared string) *v1alpha1.Operation {
		return &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)}, Status: v1alpha1.OperationStatus{
			Queue: queue, Project: "vision", Organization: "acme", Phase: phase, Cost: declared,
			Requests: limits.ShareOf(shares.Share{"cpu": 2000}).Resources,
		}}
	}
	served := func(of at) (string, cost.Prices) {
		if of.agent != "" {
			return of.agent, nil
		}
		return "agent of " + of.queue, cost.Prices(limits.ShareOf(shares.Share{"cpu": 1000}).Resources)
	}
	project, organization := tenant{ledger.Project, "vision"}, tenant{ledger.Organization, "acme"}
	d.seen(op("a", "gpu", v1alpha1.StatusQueued, ""))
	d.seen(op("b", "gpu", v1alpha1.StatusRunning, "3"))
	d.seen(op("c", "cpu", v1alpha1.StatusCompiled, ""))
	want := map[string]shares.Share{"agent of gpu": {limits.Seats: 2, "cpu": 4000, ledger.CostPerHour: 5_000_000}}
	require.Equal(t, want, d.by(project, served))
	require.Equal(t, want, d.by(organization, served))
	require.Equal(t, want, d.by(tenant{ledger.Queue, "gpu"}, served))
	sent := op("d", "gpu", v1alpha1.StatusQueued, "1")
	sent.Status.Run, sent.Status.Agent = &v1alpha1.RunReference{}, "east"
	d.seen(sent)
	require.Equal(t, shares.Share{limits.Seats: 1, "cpu": 2000, ledger.CostPerHour: 1_000_000}, d.by(tenant{ledger.Queue, "gpu"}, served)["east"])
	d.gone(sent)

	told = nil
	d.seen(op("a", "gpu", v1alpha1.StatusStarting, ""))
	require.Empty(t, told, "it wants the same")
	d.seen(op("a", "cpu", v1alpha1.StatusRunning, ""))
	require.Contains(t, told, organization)
	d.gone(op("b", "gpu", v1alpha1.StatusRunning, "3"))
	require.Equal(t, map[string]shares.Share{"agent of cpu": {limits.Seats: 1, "cpu": 2000, ledger.CostPerHour: 2_000_000}}, d.by(project, served))
	d.seen(op("a", "cpu", v1alpha1.StatusSucceeded, ""))
	require.Empty(t, d.by(project, served))
	require.Empty(t, d.ops)
	require.Empty(t, d.sum)
}
