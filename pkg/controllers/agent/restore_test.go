package agent

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// A worker that was set back to an older state runs nothing that has ended or moved meanwhile, and says what it has lost.
func TestSetBack(t *testing.T) {
	stop := start(t, interceptor.Funcs{})
	ran, moved := assignment("set-back-ran"), assignment("set-back-moved")
	for _, a := range []*v1alpha1.Assignment{ran, moved} {
		require.NoError(t, hub.Create(t.Context(), a))
		podOf(t, a)
		reaches(t, a, v1alpha1.StatusQueued)
	}
	backup := copyIn(t, moved)
	require.NoError(t, bind(t, podOf(t, ran)))
	report(t, podOf(t, ran), corev1.PodRunning, running())
	reaches(t, ran, v1alpha1.StatusRunning)
	record(t, moved)
	isGone(t, moved)
	stop()

	require.NoError(t, worker.Delete(t.Context(), copyIn(t, ran)))
	backup.ResourceVersion, backup.UID = "", ""
	require.NoError(t, worker.Create(t.Context(), backup))
	start(t, interceptor.Funcs{})
	eventually(t, "what ran is lost, and what moved goes", func() bool {
		for _, pod := range podsOf(t, ran) {
			play(t, &pod, running())
		}
		assert.Empty(t, podsOf(t, moved), "nothing of it begins")
		return read(t, ran) && ran.Status.Lost && copyIn(t, moved) == nil
	})
	record(t, ran)
	isGone(t, ran)
}

// While the hub is away what runs goes on, and what a process that starts then finds begins nothing. Then all comes to its end.
func TestHubAway(t *testing.T) {
	stop := start(t, interceptor.Funcs{})
	runs, waits := assignment("away-runs"), assignment("away-waits")
	for _, a := range []*v1alpha1.Assignment{runs, waits} {
		require.NoError(t, hub.Create(t.Context(), a))
		podOf(t, a)
		reaches(t, a, v1alpha1.StatusQueued)
	}
	require.NoError(t, bind(t, podOf(t, runs)))
	report(t, podOf(t, runs), corev1.PodRunning, running())
	reaches(t, runs, v1alpha1.StatusRunning)
	hubEnv.Kill()
	stop()
	require.NoError(t, worker.Delete(t.Context(), podOf(t, waits)))
	start(t, interceptor.Funcs{})
	report(t, podOf(t, runs), corev1.PodSucceeded, ended(0, ""))
	eventually(t, "what runs ends", func() bool { return copyIn(t, runs).Status.Phase == v1alpha1.StatusSucceeded })
	eventually(t, "what waits says why", func() bool {
		for _, c := range copyIn(t, waits).Status.Conditions {
			if c.Type == v1alpha1.WaitingCondition && c.Reason == "NotConfirmed" {
				return true
			}
		}
		return false
	})
	for _, pod := range podsOf(t, waits) {
		assert.NotNil(t, pod.DeletionTimestamp, "nothing of it begins")
	}
	require.NoError(t, hubEnv.Restart(t.Context()))
	reaches(t, runs, v1alpha1.StatusSucceeded)
	eventually(t, "what waits has a pod again", func() bool { return len(podsOf(t, waits)) == 1 })
	for _, a := range []*v1alpha1.Assignment{runs, waits} {
		record(t, a)
		isGone(t, a)
	}
}

func TestMirrors(t *testing.T) {
	start(t, interceptor.Funcs{})
	m := mirror("project.shared", v1alpha1.MirrorSpec{
		Project: &v1alpha1.ProjectSpec{Concurrency: ptr.To[int32](4)}, Whole: &v1alpha1.Share{Concurrency: ptr.To[int32](9)}, Revision: 3,
	})
	require.NoError(t, hub.Create(t.Context(), m))
	p := &v1alpha1.Project{}
	p.Name = "shared"
	concurrency := func(n int32) func() bool {
		return func() bool {
			return worker.Get(t.Context(), client.ObjectKeyFromObject(p), p) == nil && ptr.Deref(p.Spec.Concurrency, 0) == n
		}
	}
	eventually(t, "it is made", concurrency(4))
	assert.JSONEq(t, `{"concurrency": 9}`, p.Annotations[v1alpha1.ShareOfAnnotation])
	edit(t, worker, p, func(p *v1alpha1.Project) { p.Spec.Concurrency = ptr.To[int32](100) })
	eventually(t, "what somebody changed is put right", concurrency(4))
	enforce := func(generation int64, limit, admitted int32) {
		require.NoError(t, worker.Get(t.Context(), client.ObjectKeyFromObject(p), p))
		p.Status.Enforced = &v1alpha1.EnforcedLimits{Share: v1alpha1.Share{Concurrency: &limit}, Generation: generation}
		p.Status.Admitted = admitted
		require.NoError(t, worker.Status().Update(t.Context(), p))
	}
	enforce(p.Generation, 4, 6)
	held := func(n int32) func() bool {
		return func() bool {
			require.NoError(t, hub.Get(t.Context(), client.ObjectKeyFromObject(m), m))
			return m.Status.Held != nil && *m.Status.Held.Concurrency == n
		}
	}
	eventually(t, "what runs is held, where that is more", held(6))
	assert.Equal(t, m.Generation, m.Status.ObservedGeneration)
	edit(t, hub, m, func(m *v1alpha1.Mirror) { m.Spec.Project.Concurrency = ptr.To[int32](2) })
	eventually(t, "it is lowered", concurrency(2))
	assert.True(t, held(6)() && m.Status.ObservedGeneration < m.Generation, "the scheduler has not seen it")
	enforce(p.Generation, 2, 1)
	eventually(t, "it is in force", func() bool { return held(2)() && m.Status.ObservedGeneration == m.Generation })

	own := &v1alpha1.Queue{}
	own.Name = "own"
	require.NoError(t, worker.Create(t.Context(), own))
	clash := mirror("queue.own", v1alpha1.MirrorSpec{Queue: &v1alpha1.QueueSpec{Concurrency: ptr.To[int32](1)}})
	require.NoError(t, hub.Create(t.Context(), clash))
	eventually(t, "it says that there is another", func() bool {
		require.NoError(t, hub.Get(t.Context(), client.ObjectKeyFromObject(clash), clash))
		return clash.Status.Message != ""
	})
	assert.Contains(t, clash.Status.Message, "the cluster of agent east has queue own of its own")
	require.NoError(t, worker.Get(t.Context(), client.ObjectKeyFromObject(own), own))
	assert.Nil(t, own.Spec.Concurrency)

	require.NoError(t, hub.Delete(t.Context(), m))
	require.NoError(t, hub.Delete(t.Context(), clash))
	eventually(t, "what has no mirror goes", func() bool { return worker.Get(t.Context(), client.ObjectKeyFromObject(p), p) != nil })
	require.NoError(t, worker.Get(t.Context(), client.ObjectKeyFromObject(own), own), "what is not the agent's stays")
}
