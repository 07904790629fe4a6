package e2e

import (
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// What a person sees of a waiting pod: a condition and an event, with the reason and its numbers.
func TestWaitingPodSaysWhy(t *testing.T) {
	s := begin(t, "why")
	q := s.queue("q", seats(1))
	s.create(s.pod("first", q, simulated("600")))
	s.until("the first runs", q, func(c counts) bool { return c.running == 1 })
	s.create(s.pod("second", q, simulated("1")))
	message := fmt.Sprintf("queue %s: 1/1 operations running; position 1 of 1", q)
	require.Equal(t, message, s.says("second", "QueueFull"))
	s.eventually("an event says the same", func() (bool, any) {
		events, err := s.client.CoreV1().Events(s.namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=second"})
		if err != nil {
			return false, err
		}
		for _, e := range events.Items {
			if e.Reason == "QueueFull" && e.Message == message {
				return true, nil
			}
		}
		return false, events.Items
	})
	for _, c := range s.get("second").Status.Conditions {
		require.NotEqual(t, corev1.PodScheduled, c.Type, "a waiting pod must not look unschedulable: an autoscaler would buy nodes for it")
	}
	require.NoError(t, s.objects.Delete(t.Context(), s.get("first")))
	s.until("the second has its turn", q, succeed(1))
	s.eventually("its condition turns", func() (bool, any) {
		p := s.get("second")
		for _, c := range p.Status.Conditions {
			if c.Type == v1alpha1.AdmittedCondition {
				return c.Status == corev1.ConditionTrue, c
			}
		}
		return false, p.Status.Conditions
	})
}

// A waiting pod moves to another queue by its label; a bound one stays where it is charged.
func TestMove(t *testing.T) {
	s := begin(t, "move")
	shut, open := s.queue("shut", seats(0)), s.queue("open", seats(1))
	s.create(s.pod("moved", shut, simulated("600")))
	s.until("it waits", shut, func(c counts) bool { return c.waiting == 1 })
	relabel := func(queue string) error {
		p := s.get("moved")
		before := p.DeepCopy()
		if queue == "" {
			delete(p.Labels, v1alpha1.QueueLabel)
		} else {
			p.Labels[v1alpha1.QueueLabel] = queue
		}
		return s.objects.Patch(t.Context(), p, client.MergeFrom(before))
	}
	require.ErrorContains(t, relabel(open+"x"), "does not exist")
	require.NoError(t, relabel(open))
	s.until("it runs there", open, func(c counts) bool { return c.running == 1 })
	require.ErrorContains(t, relabel(shut), `label queueyard.io/queue may not change from "`+open+`" to "`+shut+`": the pod is on node "`)
	require.ErrorContains(t, relabel(""), `label queueyard.io/queue may not change from "`+open+`" to ""`)
}

// A paused queue takes Jobs and admits none; a draining one admits what waits and takes none.
func TestPausedAndDraining(t *testing.T) {
	s := begin(t, "states")
	state := func(state v1alpha1.QueueState) func(*v1alpha1.QueueSpec) {
		return func(q *v1alpha1.QueueSpec) { q.State = state }
	}
	q := s.queue("q", state(v1alpha1.QueuePaused))
	for i := range 3 {
		s.create(s.job(fmt.Sprintf("job-%d", i), q, simulated("1")))
	}
	s.until("all wait", q, func(c counts) bool { return c.waiting == 3 })
	for _, p := range s.pods(t.Context()) {
		require.Contains(t, s.says(p.Name, "QueuePaused"), "queue "+q+" is paused; it admits again when its state is Open")
	}
	s.editQueue(q, state(v1alpha1.QueueDraining))
	s.until("all succeed", q, succeed(3))
	require.ErrorContains(t, s.objects.Create(t.Context(), s.job("late", q, simulated("1"))),
		`queue "`+q+`" is draining and takes no new operations: use another queue, or set its spec.state to Open`)
	s.editQueue(q, state(v1alpha1.QueueOpen))
	s.create(s.job("later", q, simulated("1")))
	s.until("all succeed", q, succeed(4))
}

// The pods of one Job share a seat, and the next Job waits until the last of them has ended.
func TestPodsOfAJobShareASeat(t *testing.T) {
	s := begin(t, "together")
	q := s.queue("q", seats(1))
	threefold := func(name string) *batchv1.Job {
		job := s.job(name, q, simulated("2"))
		job.Spec.Parallelism, job.Spec.Completions = new(int32(3)), new(int32(3))
		return job
	}
	s.create(threefold("first"))
	s.until("the pods of the first run together", q, func(c counts) bool { return c.running == 3 })
	s.create(threefold("second"))
	s.until("all succeed", q, succeed(6))
	require.Equal(t, 1, s.peak(q))
}

// A deleted queue takes nothing new, serves what waits, and goes when it is empty.
func TestQueueDeleted(t *testing.T) {
	s := begin(t, "deleted")
	q := s.queue("q", seats(2))
	var all []client.Object
	for i := range 8 {
		all = append(all, s.job(fmt.Sprintf("job-%d", i), q, simulated("2")))
	}
	s.createTogether(all)
	s.until("2 run and others wait", q, func(c counts) bool { return c.running == 2 && c.waiting > 0 })
	queue := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: q}}
	require.NoError(t, s.objects.Delete(t.Context(), queue))
	s.eventually("new Jobs are refused", func() (bool, any) {
		err := s.objects.Create(t.Context(), s.job("late", q, simulated("1")), client.DryRunAll)
		return err != nil && apierrors.IsForbidden(err), err
	})
	require.ErrorContains(t, s.objects.Create(t.Context(), s.job("late", q, simulated("1"))),
		`queue "`+q+`" is being deleted and takes no new operations: use another queue, or create it anew when it is gone`)
	s.until("all succeed", q, succeed(8))
	s.eventually("the queue goes", func() (bool, any) {
		err := s.objects.Get(t.Context(), client.ObjectKeyFromObject(queue), queue)
		return apierrors.IsNotFound(err), queue.Status
	})
}

// A Job that runs a real command on the process node, through a queue.
func TestRealCommand(t *testing.T) {
	s := begin(t, "command")
	q := s.queue("q", seats(1))
	run := func(name, script string) *batchv1.Job {
		return s.job(name, q, corev1.PodTemplateSpec{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{Name: "main", Image: "none", Command: []string{"sh", "-c", script}}}}})
	}
	s.create(run("works", "echo $((6 * 7))"), run("fails", "echo oh no >&2; exit 3"))
	s.until("one succeeds and one fails", q, func(c counts) bool { return c.succeeded == 1 && c.failed == 1 })
	for _, p := range s.pods(t.Context()) {
		state := p.Status.ContainerStatuses[0].State.Terminated
		require.NotNil(t, state, p.Name)
		wantCode, wantLog := int32(0), "42\n"
		if p.Labels["job-name"] == "fails" {
			wantCode, wantLog = 3, "oh no\n"
		}
		require.Equal(t, wantCode, state.ExitCode, p.Name)
		log, err := s.client.CoreV1().Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{}).Stream(t.Context())
		require.NoError(t, err)
		text, err := io.ReadAll(log)
		require.NoError(t, err)
		require.NoError(t, log.Close())
		require.Equal(t, wantLog, string(text))
	}
}
