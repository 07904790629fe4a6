package agent

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/version"
)

const (
	// talliedFor is how long a count of operations is good for, surveyedFor one of nodes.
	talliedFor, surveyedFor = time.Second, 10 * time.Second
	// versionFor is how long the API server's word of its version is good for.
	versionFor = 10 * time.Minute
)

// reports is what the hub is told of this cluster's queues, tenants and nodes.
type reports struct {
	local   client.Client // reads come from caches
	version discovery.ServerVersionInterface
	clock   clock.Clock

	mu         sync.Mutex
	tallied    time.Time
	tally      tally
	surveyed   time.Time
	nodes      int32
	capacity   corev1.ResourceList
	asked      time.Time
	kubernetes string
}

// tally counts operations by the mirror that they count for.
type tally struct{ want, hold map[string]int32 }

// tallyOf counts those that want a seat, and of these those that hold one.
func tallyOf(operations []v1alpha1.Operation, agentOf map[string]string) tally {
	t := tally{want: map[string]int32{}, hold: map[string]int32{}}
	for i := range operations {
		status := &operations[i].Status
		wants, holds := seat(status.Phase)
		if !wants {
			continue
		}
		for kind, name := range map[string]string{
			"queue": status.Queue, "agent": agentOf[status.Queue], "project": status.Project, "organization": status.Organization,
		} {
			if name == "" {
				continue
			}
			t.want[kind+"."+name]++
			if holds {
				t.hold[kind+"."+name]++
			}
		}
	}
	return t
}

// seat says whether an operation of a phase wants a seat, and whether it has one for sure.
func seat(phase v1alpha1.Status) (wants, holds bool) {
	switch phase {
	case v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable:
		return true, false
	case v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning, v1alpha1.StatusWarning, v1alpha1.StatusUnknown, v1alpha1.StatusStopping:
		return true, true
	}
	return false, false
}

// of is what a mirror's status is to be. Here is the object as it is in this cluster; nil: there is none.
func (r *reports) of(ctx context.Context, mirror *v1alpha1.Mirror, here client.Object, message string) v1alpha1.MirrorStatus {
	status := v1alpha1.MirrorStatus{ObservedGeneration: mirror.Status.ObservedGeneration, Held: mirror.Status.Held, Message: message}
	if here == nil {
		status.Held = nil
		return status
	}
	if message != "" {
		return status
	}
	status.ObservedGeneration = mirror.Generation
	t, err := r.count(ctx)
	if err != nil {
		log.FromContext(ctx).Error(err, "Cannot count operations; the next report tries again")
		return mirror.Status
	}
	name := mirrorOf(here)
	status.Demand = t.want[name]
	uses, observed := t.hold[name], true
	switch o := here.(type) {
	case *v1alpha1.Queue:
		status.Demand = max(status.Demand, o.Status.Pending+o.Status.Admitted)
		uses, observed = max(uses, o.Status.Admitted), o.Status.ObservedGeneration >= o.Generation
		status.Queue = o.Status.DeepCopy()
	case *v1alpha1.Agent:
		status.Demand = max(status.Demand, o.Status.Pending+o.Status.Admitted)
		uses, observed = max(uses, o.Status.Admitted), o.Status.ObservedGeneration >= o.Generation
		status.Agent = r.account(ctx, o)
	}
	status.Held = held(limitsOf(here), uses, observed, mirror.Status.Held)
	return status
}

// held is what this cluster holds of a limit: what is in force, or what runs where that is more. As long as the scheduler has not
// seen a limit, it may go by the one before.
func held(limits v1alpha1.Share, uses int32, observed bool, before *v1alpha1.Share) *v1alpha1.Share {
	share := limits.DeepCopy()
	if unlimited(share.Concurrency) {
		return share
	}
	most := max(*share.Concurrency, uses)
	if !observed && before != nil && before.Concurrency != nil {
		if unlimited(before.Concurrency) {
			most = v1alpha1.Unlimited
		} else {
			most = max(most, *before.Concurrency)
		}
	}
	share.Concurrency = ptr.To(most)
	return share
}

func unlimited(concurrency *int32) bool {
	return concurrency == nil || *concurrency == v1alpha1.Unlimited
}

// count counts the operations of this cluster.
func (r *reports) count(ctx context.Context) (tally, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.tallied.IsZero() && r.clock.Since(r.tallied) < talliedFor {
		return r.tally, nil
	}
	operations, queues := &v1alpha1.OperationList{}, &v1alpha1.QueueList{}
	if err := r.local.List(ctx, operations, client.UnsafeDisableDeepCopy); err != nil {
		return tally{}, err
	}
	if err := r.local.List(ctx, queues, client.UnsafeDisableDeepCopy); err != nil {
		return tally{}, err
	}
	agentOf := map[string]string{}
	for i := range queues.Items {
		agentOf[queues.Items[i].Name] = queues.Items[i].Spec.Agent
	}
	r.tally, r.tallied = tallyOf(operations.Items, agentOf), r.clock.Now()
	return r.tally, nil
}

// account is what the agent says of its cluster.
func (r *reports) account(ctx context.Context, a *v1alpha1.Agent) *v1alpha1.AgentReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.surveyed.IsZero() || r.clock.Since(r.surveyed) >= surveyedFor {
		nodes := &corev1.NodeList{}
		if err := r.local.List(ctx, nodes, client.UnsafeDisableDeepCopy); err != nil {
			log.FromContext(ctx).Error(err, "Cannot list nodes; the next report tries again")
		} else {
			r.nodes, r.capacity = survey(nodes.Items)
		}
		r.surveyed = r.clock.Now()
	}
	if r.asked.IsZero() || r.clock.Since(r.asked) >= versionFor {
		if v, err := r.version.ServerVersion(); err == nil {
			r.kubernetes = v.GitVersion
		}
		r.asked = r.clock.Now()
	}
	return &v1alpha1.AgentReport{
		Version: version.String(), KubernetesVersion: r.kubernetes, Nodes: r.nodes, Allocatable: r.capacity.DeepCopy(),
		Pending: a.Status.Pending, Admitted: a.Status.Admitted, Levels: a.Status.Levels,
	}
}

// survey counts the nodes that are ready, and sums up what they have.
func survey(nodes []corev1.Node) (ready int32, sum corev1.ResourceList) {
	sum = corev1.ResourceList{}
	for i := range nodes {
		if !isReady(&nodes[i]) {
			continue
		}
		ready++
		for name, q := range nodes[i].Status.Allocatable {
			total := sum[name]
			total.Add(q)
			sum[name] = total
		}
	}
	return ready, sum
}

func isReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue && !node.Spec.Unschedulable
		}
	}
	return false
}

// lightNode keeps of a node what it has and whether it is ready.
func lightNode(object any) (any, error) {
	if node, ok := object.(*corev1.Node); ok {
		node.ManagedFields, node.Annotations, node.Labels = nil, nil, nil
		node.Status = corev1.NodeStatus{Allocatable: node.Status.Allocatable, Conditions: node.Status.Conditions}
	}
	return object, nil
}
