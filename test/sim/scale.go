package sim

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Scale is a large plan and a load that asks of it a fifth more than it has: the queues, in ten
// levels, share the seats of one agent, and a hundred projects in ten organizations use them.
func Scale(operations, queues, agentSeats int) (*Plan, *Load) {
	const levels, projects, organizations, overload = 10, 100, 10, 1.2
	runtime := time.Minute
	plan, load := NewPlan(), &Load{Seed: 1}
	agent := &v1alpha1.Agent{}
	agent.Name = "scale"
	agent.Spec.Concurrency = ptr.To(int32(agentSeats))
	plan.Agents[agent.Name] = agent
	for i := range organizations {
		o := &v1alpha1.Organization{}
		o.Name = fmt.Sprintf("organization-%d", i)
		o.Spec.Concurrency = ptr.To(int32(agentSeats))
		plan.Organizations[o.Name] = o
	}
	for i := range projects {
		p := &v1alpha1.Project{}
		p.Name = fmt.Sprintf("project-%d", i)
		p.Spec.Organization = fmt.Sprintf("organization-%d", i%organizations)
		p.Spec.Quota = &v1alpha1.Quota{Resources: map[corev1.ResourceName]resource.Quantity{
			corev1.ResourceCPU: *resource.NewQuantity(int64(agentSeats), resource.DecimalSI),
		}}
		plan.Projects[p.Name] = p
	}
	seatsOf := func(i int) int {
		// Twice the seats there are, and not the same for all: levels have something to divide.
		return max(agentSeats/queues*(1+i/levels%3), 1)
	}
	all := 0
	for i := range queues {
		all += seatsOf(i)
	}
	before := 0 // seats of the queues so far
	for i := range queues {
		q := &v1alpha1.Queue{}
		q.Name = fmt.Sprintf("queue-%d", i)
		q.Spec.Agent = agent.Name
		q.Spec.Priority = ptr.To(int32(i % levels))
		q.Spec.Concurrency = ptr.To(int32(seatsOf(i)))
		plan.Queues[q.Name] = q
		from, upTo := operations*before/all, operations*(before+seatsOf(i))/all
		before += seatsOf(i)
		if from == upTo {
			continue
		}
		load.Streams = append(load.Streams, Stream{
			Name:     q.Name,
			Queue:    q.Name,
			Project:  fmt.Sprintf("project-%d", i%projects),
			Count:    int64(upTo - from),
			Arrival:  Arrival{PoissonPerHour: overload * float64(agentSeats) / runtime.Hours() * float64(seatsOf(i)) / float64(all)},
			Runtime:  Runtime{Exponential: &metav1.Duration{Duration: runtime}},
			Requests: map[corev1.ResourceName]resource.Quantity{corev1.ResourceCPU: resource.MustParse("1")},
		})
	}
	return plan, load
}
