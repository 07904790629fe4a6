package operation

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func editAgent(t *testing.T, name string, edit func(*v1alpha1.AgentSpec)) {
	t.Helper()
	agent := &v1alpha1.Agent{}
	require.NoError(t, admin.Get(t.Context(), client.ObjectKey{Name: name}, agent))
	before := agent.DeepCopy()
	edit(&agent.Spec)
	require.NoError(t, admin.Patch(t.Context(), agent, client.MergeFrom(before)))
}

// A queue overflows from one agent to the next; no more than it may run are anywhere, and but a few wait at an agent that is full. What waits
// at one that is drained goes to another.
func TestQueueOfSeveralAgents(t *testing.T) {
	for name, seats := range map[string]int32{"group-a": 1, "group-b": 2} {
		elsewhere(t, name)
		editAgent(t, name, func(a *v1alpha1.AgentSpec) { a.Concurrency = &seats })
	}
	start(t, interceptor.Funcs{})
	queue := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "group"}, Spec: v1alpha1.QueueSpec{Agents: []string{"group-a", "group-b"}, Concurrency: ptr.To[int32](4)}}
	require.NoError(t, admin.Create(t.Context(), queue))
	var ops []*v1alpha1.Operation
	create := func(name string) {
		op := podOperation(name, "group")
		require.NoError(t, admin.Create(t.Context(), op))
		ops = append(ops, op)
	}
	var at []*v1alpha1.Assignment
	for i, agent := range []string{"group-a", "group-b", "group-b", "group-a"} {
		create(fmt.Sprint("group-", i))
		at = append(at, assigned(t, ops[i], agent))
		assert.Equal(t, agent, read(t, ops[i]).Agent)
	}
	for i, reason := range []string{
		"agent group-a: 1 of 1 seats free", "agent group-b: 2 of 2 seats free; agent group-a: none of 1 seats free", "agent group-b: 1 of 2 seats free; agent group-a: none of 1 seats free",
		"agent group-a: it is next there, and no agent has a free seat",
	} {
		assert.Contains(t, fmt.Sprint(read(t, ops[i]).Timeline), "waits in queue group; "+reason)
	}
	create("group-4")
	create("group-5")
	eventually(t, "it waits for the queue's limit", func() bool {
		return read(t, ops[4]).Phase == v1alpha1.StatusQueued && read(t, ops[5]).Phase == v1alpha1.StatusQueued
	})
	for i := range 3 {
		claim(t, at[i])
		begins(t, at[i])
		reaches(t, ops[i], v1alpha1.StatusRunning)
	}
	claim(t, at[3])
	tell(t, at[3], there(v1alpha1.StatusQueued, ""))
	assert.Empty(t, assignments(t, ops[4]), "four are what the queue may run")

	editAgent(t, "group-a", func(a *v1alpha1.AgentSpec) { a.State = v1alpha1.AgentDraining })
	eventually(t, "what waits there is asked back", func() bool {
		require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(at[3]), at[3]))
		return at[3].Spec.Withdrawn
	})
	assert.Len(t, assignments(t, ops[3]), 1, "it is at one place at a time")
	tell(t, at[3], func(s *v1alpha1.AssignmentStatus) { s.Returned = true })
	finished(t, at[3])
	at[3] = assigned(t, ops[3], "group-b")
	assert.Contains(t, fmt.Sprint(read(t, ops[3]).Timeline), "agent group-b: it is next there, and no agent has a free seat; agent group-a is draining")

	// The next one goes when there is room in the queue.
	tell(t, at[1], there(v1alpha1.StatusSucceeded, ""))
	reaches(t, ops[1], v1alpha1.StatusSucceeded)
	finished(t, at[1])
	assigned(t, ops[4], "group-b")
	assert.Equal(t, "group-a", read(t, ops[0]).Agent, "what runs stays")
	assert.Empty(t, assignments(t, ops[5]))

	// In this cluster it runs as any other.
	before := queue.DeepCopy()
	queue.Spec.Agents = []string{"group-a", "group-b", "default"}
	require.NoError(t, admin.Patch(t.Context(), queue, client.MergeFrom(before)))
	tell(t, at[0], there(v1alpha1.StatusSucceeded, ""))
	reaches(t, ops[0], v1alpha1.StatusSucceeded)
	podOf(t, ops[5], "1")
	assert.Empty(t, assignments(t, ops[5]))
}

// What no node of an agent fits goes to another that has room, once; what an agent has not claimed that is silent goes at once, and what it
// has claimed stays.
func TestHandBackToAnotherAgent(t *testing.T) {
	elsewhere(t, "back-a")
	elsewhere(t, "back-b")
	start(t, interceptor.Funcs{})
	require.NoError(t, admin.Create(t.Context(), &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "back"}, Spec: v1alpha1.QueueSpec{Agents: []string{"back-a", "back-b"}}}))
	op := podOperation("back", "back")
	require.NoError(t, admin.Create(t.Context(), op))
	for _, agent := range []string{"back-a", "back-b"} {
		a := assigned(t, op, agent)
		claim(t, a)
		tell(t, a, there(v1alpha1.StatusUnschedulable, "no node has a GPU"))
		reaches(t, op, v1alpha1.StatusUnschedulable)
		if agent == "back-b" {
			break
		}
		eventually(t, "it is asked back", func() bool {
			require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(a), a))
			return a.Spec.Withdrawn
		})
		tell(t, a, func(s *v1alpha1.AssignmentStatus) { s.Returned = true })
		finished(t, a)
	}
	assert.Contains(t, fmt.Sprint(read(t, op).Timeline), "agent back-b: it has room; agent back-a: no node there fits it")

	unclaimed := podOperation("back-unclaimed", "back")
	require.NoError(t, admin.Create(t.Context(), unclaimed))
	assigned(t, unclaimed, "back-a")
	claimed := podOperation("back-claimed", "back")
	require.NoError(t, admin.Create(t.Context(), claimed))
	c := assigned(t, claimed, "back-a")
	claim(t, c)
	tell(t, c, there(v1alpha1.StatusQueued, ""))
	heard(t, "back-a", metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonUnreachable})
	assigned(t, unclaimed, "back-b")
	require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(c), c))
	assert.False(t, c.Spec.Withdrawn)
	assert.Len(t, assignments(t, claimed), 1)
}
