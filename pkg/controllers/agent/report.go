package agent

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/version"
)

const (
	// surveyedFor is how long a count of nodes is good for, versionFor the API server's word of its version.
	surveyedFor, versionFor = 10 * time.Second, 10 * time.Minute
)

// reports is what the hub is told of this cluster's queues, tenants and nodes.
type reports struct {
	local   client.Client // reads come from caches
	version discovery.ServerVersionInterface
	clock   clock.Clock

	mu         sync.Mutex
	surveyed   time.Time
	nodes      int32
	capacity   corev1.ResourceList
	asked      time.Time
	kubernetes string
}

// of is what a mirror's status is to be. Here is the object as it is in this cluster; nil: there is none. What is in force and what is used
// the scheduler of this cluster says.
func (r *reports) of(ctx context.Context, mirror *v1alpha1.Mirror, here client.Object, message string) v1alpha1.MirrorStatus {
	if here == nil {
		return v1alpha1.MirrorStatus{Message: message}
	}
	status := *mirror.Status.DeepCopy()
	status.Message = message
	var observed int64
	switch o := here.(type) {
	case *v1alpha1.Queue:
		observed = o.Status.ObservedGeneration
		waiting := o.Status.Pending
		if operations := o.Status.Operations; operations != nil {
			waiting = max(waiting, operations.Waiting)
		}
		status.Demand = &v1alpha1.Share{Concurrency: ptr.To(waiting + o.Status.Admitted)}
		status.Queue = o.Status.DeepCopy()
		if e := o.Status.Enforced; e != nil {
			status.Held = e.Share.DeepCopy()
			observed = min(observed, e.Generation)
		}
	case *v1alpha1.Agent:
		observed = o.Status.ObservedGeneration
		status.Demand = &v1alpha1.Share{Concurrency: ptr.To(o.Status.Pending + o.Status.Admitted)}
		status.Agent = r.account(ctx, o)
	case *v1alpha1.Project:
		observed = ofTenant(&status, &o.Status)
	case *v1alpha1.Organization:
		observed = ofTenant(&status, &o.Status)
	}
	if message == "" && observed >= here.GetGeneration() {
		status.ObservedGeneration = mirror.Generation
	}
	return status
}

// ofTenant tells what a tenant holds here, and gives the generation of its limits that are in force.
func ofTenant(status *v1alpha1.MirrorStatus, is *v1alpha1.TenantStatus) (observed int64) {
	status.Demand = is.Demand.DeepCopy()
	if is.Enforced == nil {
		return 0
	}
	status.Held = held(is)
	if spent := spent(is); spent != nil && status.Held.Budget != nil {
		if status.Demand == nil {
			status.Demand = &v1alpha1.Share{}
		}
		status.Demand.Budget = spent
	}
	return is.Enforced.Generation
}

// held is the limits that the scheduler goes by, or what runs where that is more.
func held(is *v1alpha1.TenantStatus) *v1alpha1.Share {
	share := is.Enforced.Share.DeepCopy()
	if share.Concurrency != nil {
		*share.Concurrency = max(*share.Concurrency, is.Admitted)
	}
	for name, limit := range share.Resources {
		if used := is.Usage[name]; used.Cmp(limit) > 0 {
			share.Resources[name] = used
		}
	}
	if rate, err := resource.ParseQuantity(is.CostRate); err == nil && share.Cost != nil && rate.Cmp(*share.Cost) > 0 {
		share.Cost = &rate
	}
	if spent := spent(is); spent != nil && share.Budget != nil && spent.Cmp(*share.Budget) > 0 {
		share.Budget = spent
	}
	return share
}

// spent is what a tenant has spent of its budget; nil: it has none.
func spent(is *v1alpha1.TenantStatus) *resource.Quantity {
	if is.Budget == nil {
		return nil
	}
	spent, err := resource.ParseQuantity(is.Budget.Spent)
	if err != nil {
		return nil
	}
	return &spent
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
