package scheduler

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// written applies what the status writer would patch, as the API server and the watch would.
func (w *world) written(t *testing.T) (names []string) {
	t.Helper()
	for _, change := range w.room.statusChanges() {
		text, err := json.Marshal(change.status)
		require.NoError(t, err)
		names = append(names, change.resource+"/"+change.object.Name)
		if change.resource == "agents" {
			a := w.room.directory.agents[change.object.Name].DeepCopy()
			a.Status = v1alpha1.AgentStatus{}
			require.NoError(t, json.Unmarshal(text, &a.Status))
			w.room.agentSeen(a)
			continue
		}
		switch change.resource {
		case "projects":
			p, _ := w.room.directory.Project(change.object.Name)
			p = p.DeepCopy()
			mergeStatus(t, &p.Status, text)
			w.room.projectSeen(p)
			continue
		case "organizations":
			o, _ := w.room.directory.Organization(change.object.Name)
			o = o.DeepCopy()
			mergeStatus(t, &o.Status, text)
			w.room.organizationSeen(o)
			continue
		}
		q := w.room.directory.queues[change.object.Name].DeepCopy()
		q.Status = v1alpha1.QueueStatus{}
		require.NoError(t, json.Unmarshal(text, &q.Status))
		for name, quantity := range q.Status.Usage {
			if quantity.IsZero() { // null in the patch: removed
				delete(q.Status.Usage, name)
			}
		}
		w.room.queueSeen(q)
	}
	return names
}

// mergeStatus does to a status what a merge patch does.
func mergeStatus(t *testing.T, status *v1alpha1.TenantStatus, patch []byte) {
	t.Helper()
	text, err := json.Marshal(status)
	require.NoError(t, err)
	var before, change map[string]any
	require.NoError(t, json.Unmarshal(text, &before))
	require.NoError(t, json.Unmarshal(patch, &change))
	text, err = json.Marshal(merged(before, change))
	require.NoError(t, err)
	*status = v1alpha1.TenantStatus{}
	require.NoError(t, json.Unmarshal(text, status))
}

func merged(before any, change map[string]any) map[string]any {
	out, _ := before.(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	for key, value := range change {
		switch inner, nested := value.(map[string]any); {
		case value == nil:
			delete(out, key)
		case nested:
			out[key] = merged(out[key], inner)
		default:
			out[key] = value
		}
	}
	return out
}

func TestStatusFollowsTheLedger(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	require.ElementsMatch(t, []string{"queues/q", "agents/default"}, w.written(t))
	require.Empty(t, w.written(t), "what was written is not written again")

	w.create(testPod("a", "q"))
	w.create(testPod("b", "q"))
	w.settle()
	require.ElementsMatch(t, []string{"queues/q", "agents/default"}, w.written(t))
	status := w.room.directory.queues["q"].Status
	require.EqualValues(t, 1, status.Pending)
	require.EqualValues(t, 1, status.Admitted)
	require.EqualValues(t, 0, status.Running, "it has no node yet")
	require.Equal(t, "1", status.Usage.Cpu().String())
	created := w.pods["b"].CreationTimestamp.Truncate(time.Second)
	require.True(t, status.OldestPending.Equal(&metav1.Time{Time: created}), "%s, not %s", status.OldestPending, created)
	agent := w.room.directory.agents["default"].Status
	require.EqualValues(t, 1, agent.Queues)
	require.EqualValues(t, 1, agent.Pending)
	require.Equal(t, []v1alpha1.LevelStatus{{Priority: -1, Seats: 1, Demand: 1, Used: 1}}, agent.Levels)

	w.clock.Step(time.Hour)
	w.settle()
	require.Empty(t, w.written(t), "that somebody waits longer is no news")

	w.remove("a")
	w.remove("b")
	w.settle()
	w.written(t)
	require.Empty(t, w.room.directory.queues["q"].Status.Usage, "a resource nobody uses any more is taken out")
	require.Nil(t, w.room.directory.queues["q"].Status.OldestPending, "nobody waits any more")
}

func TestAgentStatusDividesSeatsAmongLevels(t *testing.T) {
	w := newWorld(testContext(t))
	w.room.agentSeen(&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: v1alpha1.AgentSpec{Concurrency: ptr.To[int32](3)}})
	w.queue("low", 5, func(q *v1alpha1.Queue) { q.Spec.Priority = ptr.To[int32](1) })
	w.queue("high", 2, func(q *v1alpha1.Queue) { q.Spec.Priority = ptr.To[int32](7) })
	for i := range 3 {
		w.create(testPod(fmt.Sprintf("low-%d", i), "low"))
	}
	w.settle()
	for i := range 3 {
		w.create(testPod(fmt.Sprintf("high-%d", i), "high"))
	}
	w.settle()
	w.written(t)
	require.Equal(t, []v1alpha1.LevelStatus{
		{Priority: 7, Seats: 2, Demand: 2, Used: 0},
		{Priority: 1, Seats: 1, Demand: 3, Used: 3},
	}, w.room.directory.agents["default"].Status.Levels)
}

func TestStatusWrittenByHandIsCorrected(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.written(t)
	edited := w.room.directory.queues["q"].DeepCopy()
	edited.Status.Pending = 99
	w.room.queueSeen(edited)
	require.Equal(t, []string{"queues/q"}, w.written(t))
	require.EqualValues(t, 0, w.room.directory.queues["q"].Status.Pending)
}

func TestQueueOfAMissingAgentSaysSo(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1, func(q *v1alpha1.Queue) { q.Spec.Agent = "elsewhere" })
	w.written(t)
	ready := meta.FindStatusCondition(w.room.directory.queues["q"].Status.Conditions, v1alpha1.ReadyCondition)
	require.Equal(t, metav1.ConditionFalse, ready.Status)
	require.Contains(t, ready.Message, `agent "elsewhere" does not exist`)

	w.room.agentSeen(&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "elsewhere"}})
	w.written(t)
	require.True(t, meta.IsStatusConditionTrue(w.room.directory.queues["q"].Status.Conditions, v1alpha1.ReadyCondition))
}

// The count of Operations is the controller's.
func TestStatusLeavesTheCountOfOperations(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.written(t)
	counted := w.room.directory.queues["q"].DeepCopy()
	counted.Status.Operations = &v1alpha1.QueueOperations{Waiting: 5}
	w.room.queueSeen(counted)
	require.Empty(t, w.written(t), "it is no difference")

	w.create(testPod("a", "q"))
	w.settle()
	for _, change := range w.room.statusChanges() {
		if change.resource == "queues" {
			require.NotContains(t, change.status, "operations", "nor is it written")
			return
		}
	}
	t.Fatal("the queue's status is not written")
}
