package sim

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestManifestsThatCannotBeRead(t *testing.T) {
	const queue = "apiVersion: queueyard.io/v1alpha1\nkind: Queue\nmetadata: {name: q}\n"
	for _, c := range []struct{ name, text, want string }{
		{"unknown field", queue + "spec: {concurency: 3}", `unknown field "concurency"`},
		{"no name", "apiVersion: queueyard.io/v1alpha1\nkind: Agent", "metadata.name is missing"},
		{"twice", queue + "---\n" + queue, "document 2: q is given twice"},
		{"twice in a list", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: queueyard.io/v1alpha1, kind: Project, metadata: {name: p}}\n- {apiVersion: queueyard.io/v1alpha1, kind: Project, metadata: {name: p}}", "document 1: item 2: p is given twice"},
		{"concurrency", queue + "spec: {concurrency: -2}", "spec.concurrency: -2 must be -1 or more"},
		{"priority", queue + "spec: {priority: -2}", "spec.priority: -2 must be -1 or more"},
		{"strategy", queue + "spec: {strategy: LIFO}", `spec.strategy: "LIFO" must be BestEffortFIFO or StrictFIFO`},
		{"state", queue + "spec: {state: Shut}", `spec.state: "Shut" must be Open, Paused or Draining`},
		{"negative quota", queue + "spec: {quota: {resources: {cpu: -5}}}", "spec.quota.resources[cpu]: -5 must be 0 or more, or -1 for unlimited"},
		{"vast quota", queue + "spec: {quota: {resources: {memory: 90P}}}", "spec.quota.resources[memory]: 90P must be at most 9P"},
		{"no YAML", "a: b: c", "document 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.ErrorContains(t, NewPlan().Read(strings.NewReader(c.text)), c.want)
		})
	}
}

func TestManifestsThatBoundNothingArePassedOver(t *testing.T) {
	plan := NewPlan()
	require.NoError(t, plan.Read(strings.NewReader("# nothing\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n---\napiVersion: queueyard.io/v1alpha1\nkind: Unheard\n")))
	require.Equal(t, NewPlan(), plan)
}

func TestFieldsWithoutEffectAreNamed(t *testing.T) {
	plan := NewPlan()
	require.NoError(t, plan.noteUnsimulated([]byte(`{kind: Queue, metadata: {name: q}, spec: {priority: 1, quota: {cost: 3, resources: {cpu: 1}}, guaranteed: 2, state: null}}`)))
	require.Equal(t, []string{"Queue q: spec.quota.cost"}, plan.Unsimulated)
	report := play(t, plan, loadOf(Stream{Name: "s", Count: 1, Runtime: fixed(0)}))
	require.Contains(t, inTable(t, report, 0), "Not simulated: Queue q: spec.quota.cost\n")
}

func TestPlansThatLackAnObject(t *testing.T) {
	plan := NewPlan()
	require.NoError(t, plan.Read(strings.NewReader(`
apiVersion: queueyard.io/v1alpha1
kind: Queue
metadata: {name: q}
spec: {agent: gone}
---
apiVersion: queueyard.io/v1alpha1
kind: Project
metadata: {name: p}
spec: {organization: missing}
`)))
	_, err := New(plan)
	require.ErrorContains(t, err, "queue q: there is no agent gone: add its manifest")
	require.ErrorContains(t, err, "project p: there is no organization missing: add its manifest")
}

func TestLoadsThatCannotBeUsed(t *testing.T) {
	const plan = `
apiVersion: queueyard.io/v1alpha1
kind: Queue
metadata: {name: drained}
spec: {state: Draining}
---
apiVersion: queueyard.io/v1alpha1
kind: Queue
metadata: {name: q}
---
apiVersion: queueyard.io/v1alpha1
kind: Project
metadata: {name: p}
spec: {allowedQueues: [other-*]}
`
	const stream = "streams: [{name: s, runtime: {fixed: 1s}, "
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "seed: 1", "the load has no streams"},
		{"unknown field", stream + "cuont: 1}]", `unknown field "cuont"`},
		{"no name", "streams: [{runtime: {fixed: 1s}, count: 1}]", "stream 1: name is missing"},
		{"same name", "streams: [{name: s, runtime: {fixed: 1s}, count: 1}, {name: s, runtime: {fixed: 1s}, count: 1}]", `stream "s": another has the same name`},
		{"no run time", "streams: [{name: s, count: 1}]", "runtime: 0 of fixed, exponential and lognormal are set"},
		{"two run times", "streams: [{name: s, count: 1, runtime: {fixed: 1s, exponential: 1s}}]", "runtime: 2 of fixed"},
		{"negative run time", "streams: [{name: s, count: 1, runtime: {fixed: -1s}}]", "runtime.fixed: -1s must be between 0s"},
		{"no spread", "streams: [{name: s, count: 1, runtime: {lognormal: {median: 1s, sigma: -1}}}]", "runtime.lognormal.sigma: -1 must be"},
		{"no median", "streams: [{name: s, count: 1, runtime: {lognormal: {sigma: 1}}}]", "runtime.lognormal.median: 0s must be between 1ns"},
		{"two arrivals", stream + "count: 1, arrival: {every: 1s, poissonPerHour: 1}}]", "poissonPerHour and every exclude each other"},
		{"negative rate", stream + "count: 1, arrival: {poissonPerHour: -1}}]", "arrival.poissonPerHour: -1 must be between 0"},
		{"rate of almost never", stream + "count: 1, arrival: {poissonPerHour: 1e-9}}]", "arrival.poissonPerHour: 1e-09 must be at least"},
		{"no count", stream + "}]", "count is missing"},
		{"no end", stream + "arrival: {every: 1s}}]", "the stream never ends: set its count, or until"},
		{"negative count", stream + "count: -1}]", "count: -1 must be 0 or more"},
		{"too many pods", stream + "count: 1, podsPerOperation: 100001}]", "podsPerOperation: 100001 must be between 1 and 100000"},
		{"negative request", stream + "count: 1, requests: {cpu: -1}}]", "requests[cpu]: -1 must be 0 or more"},
		{"vast request", stream + "count: 1, requests: {cpu: 10P}}]", "requests[cpu]: 10P must be at most 9P"},
		{"late end", "until: 1000000h\n" + stream + "count: 1}]", "until: 1000000h0m0s must be between 0s"},
		{"unknown queue", stream + "count: 1, queue: gone}]", `stream "s": queue "gone" does not exist`},
		{"unknown project", stream + "count: 1, project: gone}]", `stream "s": there is no project gone: add its manifest`},
		{"draining queue", stream + "count: 1, queue: drained}]", `queue "drained" is draining and takes no new operations`},
		{"queue not allowed", stream + "count: 1, queue: q, project: p}]", `project "p"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := NewPlan()
			require.NoError(t, p.Read(strings.NewReader(plan)))
			s, err := New(p)
			require.NoError(t, err)
			load, err := ReadLoad(strings.NewReader(c.text))
			if err == nil {
				err = s.AddLoad(load)
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}
