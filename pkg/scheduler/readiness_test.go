package scheduler

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
)

func TestReadyOnceEverythingIsSeenAndTheLeaderServes(t *testing.T) {
	seen := map[string]bool{}
	r := newReadiness()
	for _, resource := range []string{"pods", "queues.queueyard.io", "agents.queueyard.io"} {
		r.feeds = append(r.feeds, feed{resource, func() bool { return seen[resource] }})
	}
	gate := readyGate{authorizerfactory.NewAlwaysAllowAuthorizer(), r}
	ask := func(path string) error {
		decision, _, err := gate.Authorize(t.Context(), authorizer.AttributesRecord{Path: path})
		require.Equal(t, err == nil, decision == authorizer.DecisionAllow)
		return err
	}
	seen["pods"] = true
	r.troubles["queues.queueyard.io"] = apierrors.NewNotFound(schema.GroupResource{Group: "queueyard.io", Resource: "queues"}, "")
	r.troubles["agents.queueyard.io"] = errors.New("connection refused")
	err := ask("/readyz")
	state := func(wantReady, wantLeads bool) {
		ready, leads := r.state()
		require.Equal(t, []bool{wantReady, wantLeads}, []bool{ready, leads})
	}
	state(false, false)
	require.ErrorContains(t, err, "not yet seen are queues.queueyard.io, agents.queueyard.io")
	require.ErrorContains(t, err, "install its CustomResourceDefinition")
	require.ErrorContains(t, err, "connection refused")
	require.NoError(t, ask("/livez"), "it is to wait, not to be started anew")

	seen["queues.queueyard.io"], seen["agents.queueyard.io"] = true, true
	require.NoError(t, ask("/readyz"), "a standby that has seen everything is ready")
	state(true, false)
	r.elected()
	state(false, true)
	require.ErrorContains(t, ask("/readyz"), "this replica leads and has not yet seen")
	r.serving()
	state(true, true)
	require.NoError(t, ask("/readyz"))
}
