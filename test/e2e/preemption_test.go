package e2e

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// A queue that preempts takes the seat of the youngest operation below it that did not opt out; one that
// does not preempt takes none.
func TestPreemption(t *testing.T) {
	s := begin(t, "preemption")
	edit(s, &v1alpha1.Agent{}, s.agent, func(a *v1alpha1.Agent) { a.Spec.Concurrency = new(int32(3)) })
	high, low := s.queue("high", priority(9)), s.queue("low", priority(1))
	fixed := simulated("600")
	s.create(s.pod("older", low, simulated("600")))
	s.until("1 runs", low, func(c counts) bool { return c.running == 1 })
	s.laterThan("older")
	s.create(s.pod("young", low, simulated("600")))
	s.until("2 run", low, func(c counts) bool { return c.running == 2 })
	fixed.Annotations[v1alpha1.PreemptibleAnnotation] = "false"
	s.create(s.pod("fixed", low, fixed))
	s.until("3 run", low, func(c counts) bool { return c.running == 3 })
	s.create(s.pod("urgent", high, simulated("600")))
	s.says("urgent", "AgentFull")
	require.Equal(t, 3, s.count(low).running, "nobody is evicted by default")
	s.editQueue(high, func(q *v1alpha1.QueueSpec) { q.Preemption = v1alpha1.PreemptLowerPriority })
	s.until("the urgent one runs", high, func(c counts) bool { return c.running == 1 })
	for _, kept := range []string{"older", "fixed"} {
		require.Nil(t, s.get(kept).DeletionTimestamp, kept)
	}
	s.eventually("events on both sides", func() (bool, any) {
		events, err := s.client.CoreV1().Events(s.namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		said := map[string]string{}
		for _, e := range events.Items {
			said[e.InvolvedObject.Name+" "+e.Reason] = e.Message
		}
		return said["young Preempted"] == "preempted by "+s.namespace+"/urgent in queue "+high &&
			said["urgent Preempting"] != "", said
	})
}

// laterThan waits until what is created is younger than a pod: creation times are whole seconds.
func (s *scenario) laterThan(pod string) {
	s.Helper()
	created := s.get(pod).CreationTimestamp.Time
	s.eventually("the next second", func() (bool, any) { return time.Since(created) > time.Second+100*time.Millisecond, created })
}

// Queues on three levels share the GPUs of a project. What the highest needs is taken from the lowest first, there
// from the youngest, never from what opted out, and never more than that; both sides say so. What made way runs
// again when the room is free, and then nothing is evicted any more.
func TestPreemptionOfSeveralQueues(t *testing.T) {
	s := begin(t, "preemption-levels")
	project := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: s.agent}}
	project.Spec.Namespaces.Names = []string{s.namespace}
	project.Spec.Quota = &v1alpha1.Quota{Resources: map[corev1.ResourceName]resource.Quantity{"nvidia.com/gpu": resource.MustParse("8")}}
	s.create(project)
	preempts := func(q *v1alpha1.QueueSpec) { q.Preemption = v1alpha1.PreemptLowerPriority }
	high, middle, low := s.queue("high", priority(9), preempts), s.queue("middle", priority(5), preempts), s.queue("low", priority(1))
	evictions := s.watchEvictions()
	gpus := func(n string) corev1.PodTemplateSpec { return asking(simulated("600"), "nvidia.com/gpu", n) }
	// A Job whose pods are made anew when they were evicted.
	victim := func(name, queue string, fixed bool) {
		template := gpus("2")
		template.Spec.TerminationGracePeriodSeconds = ptr.To[int64](1)
		if fixed {
			template.Annotations[v1alpha1.PreemptibleAnnotation] = "false"
		}
		j := s.job(name, queue, template)
		j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
			Action:          batchv1.PodFailurePolicyActionIgnore,
			OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
		}}}
		running := s.count(queue).running
		s.create(j)
		s.until(name+" runs", queue, func(c counts) bool { return c.running == running+1 })
		s.laterThan(s.podOf(name).Name)
	}
	victim("middle", middle, false)
	victim("oldest", low, false)
	victim("youngest", low, false)
	victim("fixed", low, true)

	made := func(jobs ...string) {
		t.Helper()
		s.eventually("what makes way", func() (bool, any) {
			gone := evictions.jobs()
			return len(gone) >= len(jobs), gone
		})
		require.ElementsMatch(t, jobs, evictions.jobs())
	}
	s.create(s.pod("urgent", high, gpus("2")))
	s.until("the urgent one runs", high, func(c counts) bool { return c.running == 1 })
	made("youngest")
	s.create(s.pod("large", high, gpus("3")))
	s.until("the large one runs", high, func(c counts) bool { return c.running == 2 })
	made("youngest", "oldest", "middle")
	s.until("what made way waits", low, func(c counts) bool { return c.waiting == 2 && c.running == 1 })
	s.eventually("events on both sides", func() (bool, any) {
		said := s.events()
		return said["Preempted preempted by "+s.namespace+"/urgent in queue "+high] == 1 &&
			said["Preempted preempted by "+s.namespace+"/large in queue "+high] == 2 &&
			said.about("Preempting evicts ") == 3, said // what waits for such room may say so too, with the same reason
	})
	// 1 GPU is left.
	s.create(s.pod("modest", middle, gpus("1")))
	s.until("what fits evicts nobody", middle, func(c counts) bool { return c.running == 1 })

	now := int64(0)
	for _, pod := range []string{"urgent", "large", "modest"} {
		require.NoError(t, s.client.CoreV1().Pods(s.namespace).Delete(t.Context(), pod, metav1.DeleteOptions{GracePeriodSeconds: &now}))
	}
	s.until("what made way runs again", low, func(c counts) bool { return c.running == 3 && c.waiting == 0 })
	s.until("on every level", middle, func(c counts) bool { return c.running == 1 && c.waiting == 0 })
	made("youngest", "oldest", "middle")
}

// An operation that made way says for whom, and runs again without having used a retry.
func TestPreemptionOfAnOperation(t *testing.T) {
	s := begin(t, "preemption-operation")
	edit(s, &v1alpha1.Agent{}, s.agent, func(a *v1alpha1.Agent) { a.Spec.Concurrency = ptr.To[int32](1) })
	high := s.queue("high", priority(9), func(q *v1alpha1.QueueSpec) { q.Preemption = v1alpha1.PreemptLowerPriority })
	low := s.queue("low", priority(1))
	s.create(s.operation("long", low, shell(`[ {{ globals.attempt }} -gt 1 ] || sleep 600`), func(spec *v1alpha1.OperationSpec) {
		spec.Termination = &v1alpha1.Termination{Backoff: &v1alpha1.Backoff{Initial: seconds(1)}}
	}))
	s.reach("long", v1alpha1.StatusRunning)
	s.create(s.operation("urgent", high, shell(`true`)))
	s.reach("urgent", v1alpha1.StatusSucceeded)
	op := s.reach("long", v1alpha1.StatusSucceeded)
	require.EqualValues(t, 2, op.Status.Attempt)
	require.EqualValues(t, 0, op.Status.Retries)
	i := slices.IndexFunc(op.Status.Timeline, func(e v1alpha1.TimelineEntry) bool { return e.Status == v1alpha1.StatusRetrying })
	require.GreaterOrEqual(t, i, 0, way(op))
	require.Equal(t, "Preempted", op.Status.Timeline[i].Reason)
	require.Regexp(t, "^preempted by "+s.namespace+"/urgent-.* in queue "+high+"; it runs again in 1s, which uses up no retry$", op.Status.Timeline[i].Message)
}

// podOf is the one pod of a Job that is not over.
func (s *scenario) podOf(job string) *corev1.Pod {
	s.Helper()
	for _, p := range s.pods(s.Context()) {
		if p.Labels[batchv1.JobNameLabel] == job && p.DeletionTimestamp == nil {
			return &p
		}
	}
	require.Fail(s, "job "+job+" has no pod")
	return nil
}

// eventCounts counts events by reason and message.
type eventCounts map[string]int

// events counts what events of the namespace say.
func (s *scenario) events() eventCounts {
	said := eventCounts{}
	list, err := s.client.CoreV1().Events(s.namespace).List(s.Context(), metav1.ListOptions{})
	if err != nil {
		return said
	}
	for _, e := range list.Items {
		said[e.Reason+" "+e.Message]++
	}
	return said
}

// about counts the events that begin so.
func (c eventCounts) about(prefix string) (n int) {
	for said, times := range c {
		if strings.HasPrefix(said, prefix) {
			n += times
		}
	}
	return n
}

// evictionLog is the pods of a namespace that said that they make way, by UID.
type evictionLog struct {
	mu   sync.Mutex
	seen map[types.UID]string
}

func (s *scenario) watchEvictions() *evictionLog {
	s.Helper()
	log := &evictionLog{seen: map[types.UID]string{}}
	s.watchPods(func(p *corev1.Pod) {
		for _, c := range p.Status.Conditions {
			if c.Type == v1alpha1.AdmittedCondition && c.Reason == "Preempted" && p.Spec.NodeName != "" {
				log.mu.Lock()
				log.seen[p.UID] = p.Labels[batchv1.JobNameLabel]
				log.mu.Unlock()
			}
		}
	})
	return log
}

func (l *evictionLog) jobs() (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, job := range l.seen {
		names = append(names, job)
	}
	return names
}
