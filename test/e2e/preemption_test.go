package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
		events, err := shared.client.CoreV1().Events(s.namespace).List(t.Context(), metav1.ListOptions{})
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
