// Package api tests what the CRDs themselves refuse, on a real API server.
package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/testenv"
)

func TestValidation(t *testing.T) {
	env := testenv.Start(t, testenv.WithCRDs())
	client, err := dynamic.NewForConfig(env.Config)
	require.NoError(t, err)
	long := strings.Repeat("x", 1000)
	tests := []struct {
		name, resource, object string
		refused                string // part of the sentence; empty: accepted
	}{
		{name: "empty spec", resource: "queues", object: `metadata: {name: empty}`},
		{name: "all fields", resource: "queues", object: `
metadata: {name: full}
spec: {agent: elsewhere, priority: 0, concurrency: 0, strategy: StrictFIFO, state: Paused, quota: {resources: {cpu: "1.5", memory: 1Ti, nvidia.com/gpu: 8, example.com/license: -1}}}`},
		{name: "-1 is unlimited", resource: "queues", object: `{metadata: {name: unlimited}, spec: {priority: -1, concurrency: -1}}`},
		{name: "negative concurrency", resource: "queues", object: `{metadata: {name: q}, spec: {concurrency: -2}}`,
			refused: "spec.concurrency: Invalid value: -2: spec.concurrency in body should be greater than or equal to -1"},
		{name: "negative priority", resource: "queues", object: `{metadata: {name: q}, spec: {priority: -2}}`,
			refused: "spec.priority in body should be greater than or equal to -1"},
		{name: "negative quota", resource: "queues", object: `{metadata: {name: q}, spec: {quota: {resources: {cpu: -2}}}}`,
			refused: "a resource bound must be 0 or more, or -1 for unlimited"},
		{name: "negative quota in text", resource: "queues", object: `{metadata: {name: q}, spec: {quota: {resources: {cpu: "-500m"}}}}`,
			refused: "a resource bound must be 0 or more, or -1 for unlimited"},
		{name: "quota that overflows", resource: "queues", object: `{metadata: {name: q}, spec: {quota: {resources: {memory: 10P}}}}`,
			refused: "a resource bound must be at most 9P"},
		{name: "quota that is huge", resource: "queues", object: `{metadata: {name: q}, spec: {quota: {resources: {memory: "1e30"}}}}`,
			refused: "a resource bound must be at most 9P"},
		{name: "quota that is no quantity", resource: "queues", object: `{metadata: {name: q}, spec: {quota: {resources: {memory: much}}}}`,
			refused: "a resource bound must be 0 or more, or -1 for unlimited: a number such as 8, 500m or 16Gi"},
		{name: "quota of what no pod can ask for", resource: "queues", object: `{metadata: {name: q}, spec: {quota: {resources: {gpu: 8}}}}`,
			refused: "no pod can ask for such a resource: write cpu, memory, ephemeral-storage, pods, hugepages-SIZE, or a name with its domain, such as nvidia.com/gpu"},
		{name: "quota of huge pages", resource: "queues", object: `{metadata: {name: pages}, spec: {quota: {resources: {hugepages-2Mi: 1Gi, pods: 3}}}}`},
		{name: "concurrency that overflows", resource: "queues", object: `{metadata: {name: q}, spec: {concurrency: 3000000000}}`,
			refused: "spec.concurrency"},
		{name: "unknown strategy", resource: "queues", object: `{metadata: {name: q}, spec: {strategy: LIFO}}`,
			refused: `Unsupported value: "LIFO": supported values: "BestEffortFIFO", "StrictFIFO"`},
		{name: "unknown state", resource: "queues", object: `{metadata: {name: q}, spec: {state: Closed}}`,
			refused: `supported values: "Open", "Paused", "Draining"`},
		{name: "name with a dot", resource: "queues", object: `{metadata: {name: lab.gpu}}`,
			refused: "a queue's name is a DNS label: at most 63 characters, no dots"},
		{name: "name of 64 characters", resource: "queues", object: `{metadata: {name: ` + long[:64] + `}}`,
			refused: "a queue's name is a DNS label: at most 63 characters, no dots"},
		{name: "name of 1,000 characters", resource: "queues", object: `{metadata: {name: ` + long + `}}`,
			refused: "metadata.name: Invalid value"},
		{name: "agent of 1,000 characters", resource: "queues", object: `{metadata: {name: q}, spec: {agent: ` + long + `}}`,
			refused: "spec.agent: Too long"},
		{name: "misspelt field", resource: "queues", object: `{metadata: {name: q}, spec: {concurency: 1}}`,
			refused: `unknown field "spec.concurency"`},
		{name: "agent with a negative cap", resource: "agents", object: `{metadata: {name: a}, spec: {concurrency: -5}}`,
			refused: "should be greater than or equal to -1"},
		{name: "agent name with a dot", resource: "agents", object: `{metadata: {name: a.b}}`, refused: "no dots"},
		{name: "project", resource: "projects", object: `
metadata: {name: vision}
spec: {organization: acme, defaultQueue: gpu, allowedQueues: [gpu, "cpu-*"], namespaces: {names: [ml], selector: {matchLabels: {team: vision}}}, concurrency: 3}`},
		{name: "project that allows a queue twice", resource: "projects", object: `{metadata: {name: p}, spec: {allowedQueues: [a, a]}}`,
			refused: "Duplicate value"},
		{name: "project that allows the empty name", resource: "projects", object: `{metadata: {name: p}, spec: {allowedQueues: [""]}}`,
			refused: "spec.allowedQueues"},
		{name: "cost and budget", resource: "queues", object: `{metadata: {name: costly}, spec: {quota: {cost: "2.50", budget: {amount: 1000, window: 168h}}}}`},
		{name: "cost without limit", resource: "queues", object: `{metadata: {name: uncosted}, spec: {quota: {cost: -1}}}`},
		{name: "negative cost", resource: "queues", object: `{metadata: {name: q}, spec: {quota: {cost: "-2.5"}}}`,
			refused: "cost must be 0 or more, or -1 for unlimited"},
		{name: "negative budget", resource: "queues", object: `{metadata: {name: q}, spec: {quota: {budget: {amount: -1, window: day}}}}`,
			refused: "amount must be 0 or more"},
		{name: "unknown window", resource: "queues", object: `{metadata: {name: q}, spec: {quota: {budget: {amount: 1, window: week}}}}`,
			refused: `spec.quota.budget.window: Invalid value: "week": a window is hour, day, month, or a duration of at least 1m, such as 168h`},
		{name: "window too short", resource: "queues", object: `{metadata: {name: q}, spec: {quota: {budget: {amount: 1, window: 30s}}}}`,
			refused: "a window is hour, day, month, or a duration of at least 1m"},
		{name: "budget without a window", resource: "queues", object: `{metadata: {name: q}, spec: {quota: {budget: {amount: 1}}}}`,
			refused: "spec.quota.budget.window: Required value"},
		{name: "prices", resource: "agents", object: `{metadata: {name: priced}, spec: {prices: {cpu: "0.04", memory: "0.005", nvidia.com/gpu: 2}}}`},
		{name: "negative price", resource: "agents", object: `{metadata: {name: a}, spec: {prices: {cpu: "-0.04"}}}`,
			refused: "a price must be 0 or more"},
		{name: "price of what no pod can ask for", resource: "agents", object: `{metadata: {name: a}, spec: {prices: {gpu: 2}}}`,
			refused: "no pod can ask for such a resource"},
		{name: "organization with a negative quota", resource: "organizations", object: `{metadata: {name: o}, spec: {quota: {resources: {cpu: -3}}}}`,
			refused: "a resource bound must be 0 or more, or -1 for unlimited"},
	}
	kinds := map[string]string{"queues": "Queue", "agents": "Agent", "projects": "Project", "organizations": "Organization"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			object := &unstructured.Unstructured{}
			require.NoError(t, yaml.Unmarshal([]byte(tt.object), &object.Object))
			object.SetAPIVersion(v1alpha1.GroupVersion.String())
			object.SetKind(kinds[tt.resource])
			resource := schema.GroupVersionResource{Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Resource: tt.resource}
			_, err := client.Resource(resource).Create(t.Context(), object, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
			if tt.refused == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.refused)
		})
	}

	t.Run("defaults", func(t *testing.T) {
		resource := schema.GroupVersionResource{Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Resource: "queues"}
		queue, err := client.Resource(resource).Get(t.Context(), "empty", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, map[string]any{"agent": "default", "strategy": "BestEffortFIFO", "state": "Open", "preemption": "Never"}, queue.Object["spec"])
	})
}
