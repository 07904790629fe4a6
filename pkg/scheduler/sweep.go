package scheduler

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/klog/v2"

	"github.com/queueyard/queueyard/pkg/ledger"
)

// sweepPeriod is how often ledger, room and API are compared.
const sweepPeriod = 30 * time.Second

// sweeper is the net under all that watches and hands over: a wake-up lost for any reason is
// found here. A difference must be seen twice before it is repaired, for the streams that reach
// the room lag behind each other.
type sweeper struct {
	room  *Room
	pods  corelisters.PodLister
	found map[types.UID]string
}

func (s *sweeper) run(ctx context.Context) {
	ticker := s.room.clock.NewTicker(sweepPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
		if err := s.sweep(ctx); err != nil {
			klog.FromContext(ctx).Error(err, "Sweep failed")
		}
	}
}

func (s *sweeper) sweep(ctx context.Context) error {
	pods, err := s.pods.List(labels.Everything())
	if err != nil {
		return err
	}
	found := map[types.UID]string{}
	living := make(map[types.UID]*v1.Pod, len(pods))
	for _, pod := range pods {
		if s.room.serves(pod) {
			living[pod.UID] = pod
		}
	}
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	for uid, pod := range living {
		if kind := s.room.differs(ctx, uid, pod); kind != "" {
			found[uid] = kind
		}
	}
	for uid := range s.room.ledger.All {
		if living[types.UID(uid)] == nil {
			found[types.UID(uid)] = kindGone
		}
	}
	for uid, kind := range found {
		if s.found[uid] != kind {
			continue
		}
		repairs.WithLabelValues(kind).Inc()
		klog.FromContext(ctx).Info("Sweep repairs a difference", "kind", kind, "uid", uid)
		s.room.repair(ctx, uid, kind, living[uid])
		delete(found, uid)
	}
	s.found = found
	s.room.signal()
	return nil
}

// The kinds of differences.
const (
	kindGone    = "gone"    // the ledger knows a pod that the API does not
	kindUnknown = "unknown" // the API has a pod that the ledger should know
	kindPlaced  = "placed"  // a pod is on a node and not charged
	kindLost    = "lost"    // admitted, and not in the scheduler's own queue
)

func (r *Room) differs(_ context.Context, uid types.UID, pod *v1.Pod) string {
	e, state := r.entries[uid], r.ledger.State(string(uid))
	switch {
	case pod.Spec.NodeName != "":
		if state != ledger.Running {
			return kindPlaced
		}
	case e == nil, !e.listed:
		return kindUnknown
	case state == ledger.Unknown:
		if e.refusal == nil && pod.DeletionTimestamp == nil && len(pod.Spec.SchedulingGates) == 0 {
			return kindUnknown
		}
	case state == ledger.Admitted:
		if !e.committed && !r.inScheduler(pod) {
			return kindLost
		}
	}
	return ""
}

// inScheduler says whether the scheduler's own queue has a pod, or has it in flight.
func (r *Room) inScheduler(pod *v1.Pod) bool {
	if info, ok := r.SchedulingQueue.GetPod(pod.Name, pod.Namespace); ok && info.Pod.UID == pod.UID {
		return true
	}
	for _, p := range r.SchedulingQueue.InFlightPods() {
		if p.UID == pod.UID {
			return true
		}
	}
	return false
}

func (r *Room) repair(ctx context.Context, uid types.UID, kind string, pod *v1.Pod) {
	switch kind {
	case kindGone:
		r.gone(uid)
	case kindLost:
		e := r.entries[uid]
		e.inner, e.offered = false, true
		r.letIn(ctx, e)
	default:
		e := r.entryOf(pod)
		e.pod, e.listed = pod, true
		if e.bound() {
			r.placed(e)
		} else {
			e.offered = true
			r.waiting(e)
		}
	}
}
