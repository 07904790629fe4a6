package scheduler

import (
	"math"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// declare adds to a pod in the ledger's words what it declares of itself. What cannot be read is no
// declaration: the pod is refused for it elsewhere.
func declare(p ledger.Pod, pod *v1.Pod) ledger.Pod {
	p.Runtime = int64(coarse(longestHold(pod)))
	if preemptible, err := tenancy.Preemptible(pod.Annotations); err == nil {
		p.Unpreemptible = !preemptible
	}
	return p
}

// longestHold is how long a pod holds a node at most, once it has started; 0: nobody says. What
// Kubernetes itself ends has its grace in addition.
func longestHold(pod *v1.Pod) time.Duration {
	runtime, err := tenancy.MaxRuntime(pod.Annotations)
	if err != nil {
		runtime = 0
	}
	if deadline := pod.Spec.ActiveDeadlineSeconds; deadline != nil {
		most := int64(math.MaxInt64 / time.Second / 4)
		grace := min(max(ptr.Deref(pod.Spec.TerminationGracePeriodSeconds, v1.DefaultTerminationGracePeriodSeconds), 0), most)
		limit := time.Duration(min(*deadline, most)+grace) * time.Second
		if runtime == 0 || limit < runtime {
			runtime = limit
		}
	}
	return runtime
}

// coarse is a duration rounded up to one of few: a quarter above the next lower one at most.
func coarse(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	step := time.Second / 4
	for step < d/8 {
		step *= 2
	}
	if d > math.MaxInt64-step {
		return d
	}
	return (d + step - 1) / step * step
}
