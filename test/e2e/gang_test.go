package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"
)

const (
	gangSize   = 8
	gangRounds = 4
)

// Two gangs of 8 come together, again and again, where there is room for 8: one runs whole, then
// the other, and a small operation runs meanwhile.
func TestGangs(t *testing.T) {
	for _, c := range []struct {
		name, gpus string
		limits     func(*scenario) (queue string)
	}{
		{"quota", "1", func(s *scenario) string { return s.queue("q", quota("nvidia.com/gpu", "8")) }},
		// 4 nodes of 8 GPUs hold 8 pods of 4, and the queue lets both gangs go for them.
		{"nodes", "4", func(s *scenario) string { return s.queue("q") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t, "gangs-"+c.name)
			q, small := c.limits(s), s.queue("small", seats(1))
			binds := s.watchBinds()
			for round := range gangRounds {
				var all []client.Object
				for _, name := range []string{"a", "b"} {
					all = append(all, s.gang(fmt.Sprintf("%s-%d", name, round), q, asking(simulated("1"), "nvidia.com/gpu", c.gpus))...)
				}
				all = append(all, s.job(fmt.Sprintf("small-%d", round), small, asking(simulated("1"), "cpu", "1")))
				s.createTogether(all)
			}
			s.until("both gangs of every round succeed", q, succeed(2*gangSize*gangRounds))
			s.until("the small ones succeed", small, succeed(gangRounds))
			binds.requireWhole(s.T, 2*gangSize*gangRounds)
			require.Less(t, binds.firstOther(), 2*gangSize*(gangRounds-1), "small ones do not wait until the gangs are through")
		})
	}
}

// A gang that can never be whole holds nothing: what comes after it runs.
func TestGangThatNoNodesFit(t *testing.T) {
	s := begin(t, "gang-too-large")
	q := s.queue("q", seats(1))
	// 3 of them fill the nodes but one.
	large := s.gang("large", q, asking(simulated("1"), "nvidia.com/gpu", "5"))
	s.create(large...)
	s.eventually("the scheduler tries the gang", func() (bool, any) {
		for _, p := range s.pods(s.Context()) {
			for _, c := range p.Status.Conditions {
				if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable {
					return true, nil
				}
			}
		}
		return false, "no pod is Unschedulable"
	})
	binds := s.watchBinds()
	s.create(s.gang("fits", q, asking(simulated("1"), "nvidia.com/gpu", "4"))...)
	s.until("the gang that fits succeeds", q, succeed(gangSize))
	binds.requireWhole(s.T, gangSize)
	require.Equal(t, gangSize, s.count(q).waiting)
}

// A pod whose PodGroup does not exist says so and goes when it does.
func TestPodGroupComesLate(t *testing.T) {
	s := begin(t, "podgroup-late")
	q := s.queue("q")
	objects := s.gang("late", q, simulated("1"))
	s.create(objects[1])
	s.until("all its pods are there", q, func(c counts) bool { return c.waiting == gangSize })
	require.Contains(t, s.says(s.pods(s.Context())[0].Name, "PodGroupNotFound"), "PodGroup late does not exist in namespace "+s.namespace)
	s.create(objects[0])
	s.until("the gang succeeds", q, succeed(gangSize))
}

// gang is a PodGroup and the Job that makes its pods.
func (s *scenario) gang(name, queue string, template corev1.PodTemplateSpec) []client.Object {
	template = *template.DeepCopy()
	template.Labels = map[string]string{podgroups.PodGroupLabel: name}
	job := s.job(name, queue, template)
	job.Spec.Parallelism, job.Spec.Completions = ptr.To[int32](gangSize), ptr.To[int32](gangSize)
	job.Spec.CompletionMode = ptr.To(batchv1.IndexedCompletion)
	return []client.Object{&podgroups.PodGroup{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Spec:       podgroups.PodGroupSpec{MinMember: gangSize, ScheduleTimeoutSeconds: ptr.To[int32](10)},
	}, job}
}

// bindLog is the gangs of the pods of a namespace in the order in which they were bound, and how many of those were
// bound when a pod without a gang was.
type bindLog struct {
	mu     sync.Mutex
	gangs  []string
	others []int
	seen   map[string]bool
}

func (s *scenario) watchBinds() *bindLog {
	s.Helper()
	log := &bindLog{seen: map[string]bool{}}
	s.watchPods(func(p *corev1.Pod) {
		log.mu.Lock()
		defer log.mu.Unlock()
		if p.Spec.NodeName == "" || log.seen[p.Name] {
			return
		}
		log.seen[p.Name] = true
		if gang := p.Labels[podgroups.PodGroupLabel]; gang != "" {
			log.gangs = append(log.gangs, gang)
		} else {
			log.others = append(log.others, len(log.gangs))
		}
	})
	return log
}

// firstOther is how many pods of gangs were bound before the first pod without one.
func (l *bindLog) firstOther() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.others) == 0 {
		return len(l.gangs)
	}
	return l.others[0]
}

// requireWhole checks that the pods of each gang were bound one after the other, none of another
// gang between them: no gang took nodes while a part of another had some and waited for the rest.
func (l *bindLog) requireWhole(t *testing.T, pods int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Len(t, l.gangs, pods)
	for i := 0; i < pods; i += gangSize {
		for _, gang := range l.gangs[i : i+gangSize] {
			require.Equal(t, l.gangs[i], gang, "order of binds: %v", l.gangs)
		}
	}
}
