package operation

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/testenv"
)

// elsewhere makes an agent in another cluster that has joined, with a queue of its name, once.
func elsewhere(t *testing.T, name string) *v1alpha1.Agent {
	t.Helper()
	agent := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.AgentSpec{Remote: true}}
	for _, o := range []client.Object{
		agent, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QueueSpec{Agent: name}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.AgentNamespace(name)}},
	} {
		require.NoError(t, client.IgnoreAlreadyExists(admin.Create(t.Context(), o)))
	}
	heard(t, name, metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionTrue, Reason: "Serving"})
	return agent
}

// heard plays the hub's controller of agents.
func heard(t *testing.T, name string, ready metav1.Condition) {
	t.Helper()
	agent := &v1alpha1.Agent{}
	require.NoError(t, admin.Get(t.Context(), client.ObjectKey{Name: name}, agent))
	before := agent.DeepCopy()
	if agent.Status.LastContact == nil {
		now := metav1.NowMicro()
		agent.Status.LastContact = &now
	}
	meta.SetStatusCondition(&agent.Status.Conditions, ready)
	require.NoError(t, admin.Status().Patch(t.Context(), agent, client.MergeFrom(before)))
}

func assignments(t *testing.T, op *v1alpha1.Operation) []v1alpha1.Assignment {
	t.Helper()
	all := &v1alpha1.AssignmentList{}
	require.NoError(t, admin.List(t.Context(), all, client.MatchingLabels{v1alpha1.OperationUIDLabel: string(op.UID)}))
	return all.Items
}

func assigned(t *testing.T, op *v1alpha1.Operation, agent string) *v1alpha1.Assignment {
	t.Helper()
	var found *v1alpha1.Assignment
	eventually(t, op.Name+" is assigned to "+agent, func() bool {
		for _, a := range assignments(t, op) {
			if a.Namespace == v1alpha1.AgentNamespace(agent) && a.DeletionTimestamp.IsZero() {
				found = &a
				return true
			}
		}
		return false
	})
	return found
}

// claim, tell and letGo play the agent.
func claim(t *testing.T, a *v1alpha1.Assignment) {
	t.Helper()
	setAgentFinalizer(t, a, controllerutil.AddFinalizer)
}

// setAgentFinalizer writes under the version that was read: the hub has a finalizer of its own.
func setAgentFinalizer(t *testing.T, a *v1alpha1.Assignment, set func(client.Object, string) bool) {
	t.Helper()
	eventually(t, "the agent's finalizer is set", func() bool {
		require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(a), a))
		before := a.DeepCopy()
		set(a, v1alpha1.AgentFinalizer)
		err := admin.Patch(t.Context(), a, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
		if !apierrors.IsConflict(err) {
			require.NoError(t, err)
		}
		return err == nil
	})
}

func tell(t *testing.T, a *v1alpha1.Assignment, change func(*v1alpha1.AssignmentStatus)) {
	t.Helper()
	require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(a), a))
	before := a.DeepCopy()
	change(&a.Status)
	require.NoError(t, admin.Status().Patch(t.Context(), a, client.MergeFrom(before)))
}

func letGo(t *testing.T, a *v1alpha1.Assignment) {
	t.Helper()
	setAgentFinalizer(t, a, controllerutil.RemoveFinalizer)
}

func there(phase v1alpha1.Status, message string) func(*v1alpha1.AssignmentStatus) {
	return func(s *v1alpha1.AssignmentStatus) {
		if s.Operation == nil {
			s.Operation = &v1alpha1.OperationStatus{}
		}
		s.Operation.Phase = phase
		s.Operation.Timeline = append(s.Operation.Timeline, v1alpha1.TimelineEntry{Status: phase, Time: metav1.NowMicro(), Reason: "Test", Message: message, Attempt: 1})
	}
}

func begins(t *testing.T, a *v1alpha1.Assignment) {
	t.Helper()
	for _, phase := range []v1alpha1.Status{v1alpha1.StatusQueued, v1alpha1.StatusScheduled, v1alpha1.StatusRunning} {
		message := ""
		if phase == v1alpha1.StatusScheduled {
			message = "on node n1"
		}
		tell(t, a, there(phase, message))
	}
}

// finished waits until an Assignment is deleted and lets it go.
func finished(t *testing.T, a *v1alpha1.Assignment) {
	t.Helper()
	eventually(t, "the hub deletes it", func() bool {
		require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(a), a))
		return !a.DeletionTimestamp.IsZero()
	})
	letGo(t, a)
	eventually(t, "it is gone", func() bool { return apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(a), a)) })
}

func TestLifeInAnotherCluster(t *testing.T) {
	elsewhere(t, "life")
	start(t, interceptor.Funcs{})
	op := podOperation("faraway", "life")
	op.Spec.Params = v1alpha1.Values{"rate": apiextensionsv1.JSON{Raw: []byte("0.5")}}
	op.Spec.Template.Pod = &runtime.RawExtension{Raw: []byte(`{"spec":{"containers":[{"name":"main","image":"none","args":["--rate={{ params.rate }}","{{ globals.name }}","{{ \"{{\" }} x }}"]}]}}`)}
	require.NoError(t, admin.Create(t.Context(), op))
	a := assigned(t, op, "life")
	assert.Equal(t, "team", a.Spec.Namespace)
	assert.Equal(t, "life", a.Spec.Operation.Queue)
	assert.Nil(t, a.Spec.Operation.Termination, "retries and timeouts are the hub's")
	assert.Contains(t, string(a.Spec.Operation.Template.Pod.Raw), `["--rate=0.5","faraway","{{ \"{{\" }} x }}"]`, "it is rendered, and means itself")
	claim(t, a)
	begins(t, a)
	reaches(t, op, v1alpha1.StatusRunning)
	assert.Equal(t, "life", op.Status.Agent)
	assert.Contains(t, fmt.Sprint(op.Status.Timeline), "on node n1 of agent life")
	tell(t, a, func(s *v1alpha1.AssignmentStatus) {
		there(v1alpha1.StatusFailed, "no data")(s)
		s.Operation.FailureClass = v1alpha1.FailureApplication
	})
	finished(t, a)
	b := assigned(t, op, "life")
	assert.NotEqual(t, a.Name, b.Name, "each attempt is an assignment of its own")
	claim(t, b)
	begins(t, b)
	tell(t, b, func(s *v1alpha1.AssignmentStatus) {
		there(v1alpha1.StatusSucceeded, "")(s)
		s.Operation.Outputs = v1alpha1.Values{"loss": apiextensionsv1.JSON{Raw: []byte("0.1")}}
	})
	reaches(t, op, v1alpha1.StatusSucceeded)
	assert.JSONEq(t, "0.1", string(op.Status.Outputs["loss"].Raw))
	assert.EqualValues(t, 1, op.Status.Retries)
	finished(t, b)
	assert.Empty(t, runs(t, op), "nothing ran here")
}

// What waits follows its queue to another agent: at once while nobody has claimed it, else when it is given back.
func TestMoveToAnotherAgent(t *testing.T) {
	elsewhere(t, "move-a")
	elsewhere(t, "move-b")
	start(t, interceptor.Funcs{})
	queue := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "move"}, Spec: v1alpha1.QueueSpec{Agent: "move-a"}}
	require.NoError(t, admin.Create(t.Context(), queue))
	serve := func(agent string) {
		before := queue.DeepCopy()
		queue.Spec.Agent = agent
		require.NoError(t, admin.Patch(t.Context(), queue, client.MergeFrom(before)))
	}
	op := podOperation("moves", "move")
	require.NoError(t, admin.Create(t.Context(), op))
	assigned(t, op, "move-a")
	serve("move-b")
	b := assigned(t, op, "move-b")
	eventually(t, "the first one is gone", func() bool { return len(assignments(t, op)) == 1 })
	reaches(t, op, v1alpha1.StatusQueued)
	assert.Contains(t, fmt.Sprint(op.Status.Timeline), "moved from agent move-a to agent move-b")

	claim(t, b)
	tell(t, b, there(v1alpha1.StatusQueued, ""))
	serve("move-a")
	eventually(t, "it is withdrawn", func() bool {
		require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(b), b))
		return b.Spec.Withdrawn
	})
	assert.Len(t, assignments(t, op), 1, "it is at one place at a time")
	assert.True(t, b.DeletionTimestamp.IsZero())
	tell(t, b, func(s *v1alpha1.AssignmentStatus) { s.Returned = true })
	finished(t, b)
	a := assigned(t, op, "move-a")

	claim(t, a)
	begins(t, a)
	reaches(t, op, v1alpha1.StatusRunning)
	serve("default")
	tell(t, a, there(v1alpha1.StatusSucceeded, ""))
	reaches(t, op, v1alpha1.StatusSucceeded)
	assert.Equal(t, "move-a", op.Status.Agent, "what runs ends where it is")
	finished(t, a)

	back := podOperation("comes-back", "move")
	require.NoError(t, admin.Create(t.Context(), back))
	podOf(t, back, "1")
	serve("move-b")
	assigned(t, back, "move-b")
	eventually(t, "its pod is gone", func() bool { return len(runs(t, back)) == 0 })
}

func TestStopInAnotherCluster(t *testing.T) {
	elsewhere(t, "stop")
	start(t, interceptor.Funcs{})
	op, unclaimed, deleted := podOperation("to-stop", "stop"), podOperation("unclaimed", "stop"), podOperation("to-delete", "stop")
	for _, o := range []*v1alpha1.Operation{op, unclaimed, deleted} {
		require.NoError(t, admin.Create(t.Context(), o))
	}
	a, d := assigned(t, op, "stop"), assigned(t, deleted, "stop")
	assigned(t, unclaimed, "stop")
	for _, one := range []*v1alpha1.Assignment{a, d} {
		claim(t, one)
		begins(t, one)
	}
	reaches(t, op, v1alpha1.StatusRunning)
	for _, o := range []*v1alpha1.Operation{op, unclaimed} {
		read(t, o)
		before := o.DeepCopy()
		o.Spec.DesiredState = v1alpha1.Stopped
		require.NoError(t, admin.Patch(t.Context(), o, client.MergeFrom(before)))
	}
	require.NoError(t, admin.Delete(t.Context(), deleted))
	reaches(t, unclaimed, v1alpha1.StatusStopped)
	reaches(t, op, v1alpha1.StatusStopping)
	for _, one := range []*v1alpha1.Assignment{a, d} {
		eventually(t, "the hub asks for its end", func() bool {
			require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(one), one))
			return !one.DeletionTimestamp.IsZero()
		})
		tell(t, one, there(v1alpha1.StatusStopped, ""))
	}
	reaches(t, op, v1alpha1.StatusStopped)
	letGo(t, a)
	letGo(t, d)
	eventually(t, "all is gone", func() bool {
		return len(assignments(t, op))+len(assignments(t, unclaimed))+len(assignments(t, deleted)) == 0 &&
			apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(deleted), deleted))
	})
}

func TestAnAgentThatIsNotThere(t *testing.T) {
	agent := elsewhere(t, "silent")
	start(t, interceptor.Funcs{})
	op, waits := podOperation("runs-on", "silent"), podOperation("waits-there", "silent")
	require.NoError(t, admin.Create(t.Context(), op))
	require.NoError(t, admin.Create(t.Context(), waits))
	a := assigned(t, op, "silent")
	claim(t, a)
	begins(t, a)
	reaches(t, op, v1alpha1.StatusRunning)
	heard(t, "silent", metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonUnreachable})
	reaches(t, op, v1alpha1.StatusUnknown)
	assert.Contains(t, fmt.Sprint(op.Status.Timeline), "agent silent unreachable since")
	assert.Contains(t, says(t, waits, v1alpha1.ReasonUnreachable).Message, "agent silent unreachable since")
	heard(t, "silent", metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionTrue, Reason: "Serving"})
	reaches(t, op, v1alpha1.StatusRunning)
	assert.Contains(t, fmt.Sprint(op.Status.Timeline), "agent silent answers again")

	// Draining takes back what has not begun, and lets the rest go on.
	require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(agent), agent))
	before := agent.DeepCopy()
	agent.Spec.State = v1alpha1.AgentDraining
	require.NoError(t, admin.Patch(t.Context(), agent, client.MergeFrom(before)))
	eventually(t, "what was not claimed is taken back", func() bool { return len(assignments(t, waits)) == 0 })
	assert.Contains(t, says(t, waits, "AgentClosed").Message, "draining")
	assert.Equal(t, v1alpha1.StatusRunning, read(t, op).Phase)

	// What an evicted agent had is run again.
	require.NoError(t, admin.Delete(t.Context(), a))
	letGo(t, a)
	eventually(t, "it counts as lost", func() bool { return read(t, op).Lost == 1 })
	assert.Contains(t, fmt.Sprint(op.Status.Timeline), "agent silent was evicted while it ran there")
}

// TestCrashWithAnAgent lets the hub's controller die before and after each of its writes.
func TestCrashWithAnAgent(t *testing.T) {
	testenv.AtEveryWrite(t, "crash-agent", 5, agentServes)
}

// agentServes plays the agent for an operation that fails once.
func agentServes(t *testing.T, name string, c *testenv.Cut) {
	elsewhere(t, name)
	require.NoError(t, admin.Create(t.Context(), namespace(name)))
	op := podOperation(name, name)
	op.Namespace = name
	require.NoError(t, admin.Create(t.Context(), op))
	survive(t, "it ends", c, []string{name, v1alpha1.AgentNamespace(name)}, func() bool {
		all := assignments(t, op)
		for i := range all {
			a := &all[i]
			ended := a.Status.Operation != nil && a.Status.Operation.Phase.Final()
			switch {
			case !controllerutil.ContainsFinalizer(a, v1alpha1.AgentFinalizer):
				if a.DeletionTimestamp.IsZero() {
					claim(t, a)
				}
			case !a.DeletionTimestamp.IsZero():
				require.True(t, ended, "nobody asked for its end")
				letGo(t, a)
			case a.Status.Operation == nil:
				begins(t, a)
			case !ended && a.Labels[v1alpha1.AttemptLabel] == "1":
				tell(t, a, func(s *v1alpha1.AssignmentStatus) {
					there(v1alpha1.StatusFailed, "")(s)
					s.Operation.FailureClass = v1alpha1.FailureApplication
				})
			case !ended:
				tell(t, a, there(v1alpha1.StatusSucceeded, ""))
			}
		}
		return read(t, op).Phase == v1alpha1.StatusSucceeded && len(all) == 0
	})
	assert.Equal(t, int32(2), op.Status.Attempt)
	assert.Equal(t, int32(1), op.Status.Retries)
	for name, n := range c.Created() {
		assert.Equal(t, 1, n, "assignment %s", name)
	}
}
