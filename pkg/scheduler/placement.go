package scheduler

import (
	"context"
	"fmt"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"
	"sigs.k8s.io/scheduler-plugins/pkg/coscheduling"
)

// gangPlacement is Coscheduling, which keeps the pods of a gang from their nodes until all have one.
// It adds what a profile needs to batch pods that are alike, and keeps quiet about others.
type gangPlacement struct{ *coscheduling.Coscheduling }

var (
	_ fwk.SignPlugin       = gangPlacement{}
	_ fwk.PostFilterPlugin = gangPlacement{}
)

// SignPod leaves the pods of gangs out of batches; of others Coscheduling looks at nothing.
func (gangPlacement) SignPod(_ context.Context, pod *v1.Pod) ([]fwk.SignFragment, *fwk.Status) {
	if pod.Labels[podgroups.PodGroupLabel] != "" {
		return nil, fwk.NewStatus(fwk.Unschedulable, "pods of a gang are placed one by one")
	}
	return nil, nil
}

// PostFilter says nothing of a pod without a group: that it has none is no reason why no node fits it.
func (g gangPlacement) PostFilter(ctx context.Context, state fwk.CycleState, pod *v1.Pod, nodes fwk.NodeToStatusReader) (*fwk.PostFilterResult, *fwk.Status) {
	if pod.Labels[podgroups.PodGroupLabel] == "" {
		return &fwk.PostFilterResult{}, fwk.NewStatus(fwk.Unschedulable)
	}
	return g.Coscheduling.PostFilter(ctx, state, pod, nodes)
}

func newGangPlacement(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
	plugin, err := coscheduling.New(ctx, args, handle)
	if err != nil {
		return nil, err
	}
	inner, ok := plugin.(*coscheduling.Coscheduling)
	if !ok {
		return nil, fmt.Errorf("plugin %s is a %T", coscheduling.Name, plugin)
	}
	return gangPlacement{inner}, nil
}
