package scheduler

import (
	"context"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/queueyard/queueyard/pkg/scheduler/config"
)

// Names of the plugins in a scheduler's configuration.
const (
	QueueOrderName = "QueueOrder"
	QueueGateName  = "QueueGate"
)

// queueOrder sorts admitted pods by the rank they were admitted with.
type queueOrder struct{ ranks *ranks }

var _ fwk.QueueSortPlugin = queueOrder{}

func (queueOrder) Name() string { return QueueOrderName }

func (o queueOrder) Less(a, b fwk.QueuedPodInfo) bool { return o.ranks.less(a, b) }

// queueGate lets only admitted pods through a scheduling cycle and makes their room final.
type queueGate struct{ room *Room }

var (
	_ fwk.PreFilterPlugin   = queueGate{}
	_ fwk.ReservePlugin     = queueGate{}
	_ fwk.PermitPlugin      = queueGate{}
	_ fwk.SignPlugin        = queueGate{}
	_ fwk.EnqueueExtensions = queueGate{}
)

func (queueGate) Name() string { return QueueGateName }

// EventsToRegister names none: a pod the gate refuses goes back to the waiting room, not into the
// scheduler's queue.
func (queueGate) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) {
	return nil, nil
}

// PreFilter refuses what is not admitted: rare, a pod whose room was taken back in flight.
func (g queueGate) PreFilter(_ context.Context, _ fwk.CycleState, pod *v1.Pod, _ []fwk.NodeInfo) (*fwk.PreFilterResult, *fwk.Status) {
	if !g.room.ranks.has(pod.UID) {
		return nil, fwk.NewStatus(fwk.UnschedulableAndUnresolvable, errNotAdmitted.Error())
	}
	return nil, nil
}

func (queueGate) PreFilterExtensions() fwk.PreFilterExtensions { return nil }

// Reserve has nothing to reserve: the ledger did, at admission.
func (queueGate) Reserve(context.Context, fwk.CycleState, *v1.Pod, string) *fwk.Status { return nil }

// Unreserve undoes Permit.
func (g queueGate) Unreserve(_ context.Context, _ fwk.CycleState, pod *v1.Pod, _ string) {
	g.room.uncommit(pod.UID)
}

// Permit checks the charge against the limits of now and makes it final.
func (g queueGate) Permit(_ context.Context, _ fwk.CycleState, pod *v1.Pod, _ string) (*fwk.Status, time.Duration) {
	if err := g.room.commit(pod.UID); err != nil {
		return fwk.NewStatus(fwk.Unschedulable, err.Error()), 0
	}
	return nil, 0
}

// SignPod adds nothing: the gate treats all admitted pods alike, so they may be batched.
func (queueGate) SignPod(context.Context, *v1.Pod) ([]fwk.SignFragment, *fwk.Status) {
	return nil, nil
}

// newQueueOrder and newQueueGate are the plugins' factories. They run once per profile; all
// instances share the one room.
func (r *Room) newQueueOrder(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	return queueOrder{&r.ranks}, nil
}

func (r *Room) newQueueGate(_ context.Context, obj runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
	args, ok := obj.(*config.QueueGateArgs)
	if !ok {
		return nil, fmt.Errorf("arguments of %s are of type %T, want QueueGateArgs of kubescheduler.config.k8s.io", QueueGateName, obj)
	}
	if err := config.Validate(args); err != nil {
		return nil, fmt.Errorf("arguments of %s: %w", QueueGateName, err)
	}
	named, ok := handle.(interface{ ProfileName() string })
	if !ok {
		return nil, fmt.Errorf("%s cannot tell which profile it serves", QueueGateName)
	}
	args = args.DeepCopy()
	if len(r.profiles) > 0 && r.args != *args {
		return nil, fmt.Errorf("profile %s gives %s other arguments than the profiles before it; they share one ledger and must agree", named.ProfileName(), QueueGateName)
	}
	r.args = *args
	r.profiles[named.ProfileName()] = true
	return queueGate{r}, nil
}
