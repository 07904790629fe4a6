package scheduler

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/queueyard/queueyard/pkg/ledger"
)

// rank is a pod's place among the admitted, taken once when it was admitted: keys that change would
// corrupt the scheduler's heap.
type rank struct {
	level    int64
	priority int64
	// admitted is when, and differs between operations that were admitted one after the other; all
	// pods of a gang that were admitted together have one.
	admitted time.Time
}

// ranks holds the rank of every admitted pod that is not bound yet. It is read from under the
// scheduler's locks and takes none of ours.
type ranks struct{ m sync.Map }

func (r *ranks) put(uid types.UID, k rank) { r.m.Store(uid, k) }
func (r *ranks) drop(uid types.UID)        { r.m.Delete(uid) }

func (r *ranks) has(uid types.UID) bool {
	_, ok := r.m.Load(uid)
	return ok
}

// of is the rank of a pod in the scheduler's queue. A pod that is not ours ranks as the stock
// scheduler ranks it, on the highest level, the level of the default queue, and by its time there.
func (r *ranks) of(info fwk.QueuedPodInfo) rank {
	pod := info.GetPodInfo().GetPod()
	if k, ok := r.m.Load(pod.UID); ok {
		return k.(rank)
	}
	return rank{level: ledger.HighestLevel, priority: int64(corev1helpers.PodPriority(pod)), admitted: info.GetTimestamp()}
}

// less orders the scheduler's queue: level, priority, time, UID. So a gang's pods follow one another,
// and of two gangs that need the same nodes the first is placed before the second is tried.
func (r *ranks) less(a, b fwk.QueuedPodInfo) bool {
	ka, kb := r.of(a), r.of(b)
	switch {
	case ka.level != kb.level:
		return ka.level > kb.level
	case ka.priority != kb.priority:
		return ka.priority > kb.priority
	case !ka.admitted.Equal(kb.admitted):
		return ka.admitted.Before(kb.admitted)
	}
	return a.GetPodInfo().GetPod().UID < b.GetPodInfo().GetPod().UID
}
