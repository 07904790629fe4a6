package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

const (
	// evictPeriod is how often a pod is evicted at most.
	evictPeriod = 200 * time.Millisecond
	// evictRetry is when an eviction is tried again that failed, or that must wait for a bind.
	evictRetry = 2 * time.Second
)

// Whoever makes way for a queue that preempts. PodDisruptionBudgets are asked.
//
// +kubebuilder:rbac:groups="",resources=pods/eviction,verbs=create

// evictor does what takeOver ordered, one pod after the other.
type evictor struct {
	room      *Room
	client    kubernetes.Interface
	recorders map[string]events.EventRecorderLogger // by profile
}

// eviction is one pod to be evicted for another.
type eviction struct {
	order   *order
	entry   *entry
	victim  *v1.Pod // as it was then
	message string
	asked   bool // the API server was asked to evict it; whether it did is not known if it did not answer
	// rehearse: nothing of the operation is evicted yet, so each of its pods is asked about before: better none
	// than a part.
	rehearse []*v1.Pod
}

func (v *evictor) run(ctx context.Context) {
	ticker := v.room.clock.NewTicker(evictPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
		if next := v.room.nextEviction(); next != nil {
			v.room.evicted(next, v.evict(ctx, next))
		}
		for _, n := range v.room.takeNotes() {
			v.recorders[n.about.Spec.SchedulerName].Eventf(n.about, n.related, v1.EventTypeNormal, n.reason, "Queueing", "%s", n.message)
		}
	}
}

// evict asks the API server to evict a pod, with the grace that the pod has. The pod says why before: it may be
// gone at once.
func (v *evictor) evict(ctx context.Context, e *eviction) error {
	for _, pod := range e.rehearse {
		if err := v.post(ctx, pod, metav1.DryRunAll); err != nil && !isGone(err) {
			return err
		}
	}
	if err := v.say(ctx, e); err != nil {
		return err
	}
	e.asked = true
	return v.post(ctx, e.victim)
}

func (v *evictor) post(ctx context.Context, pod *v1.Pod, dryRun ...string) error {
	ctx, done, err := v.room.fence.act(ctx)
	if err != nil {
		return err
	}
	defer done()
	return v.client.CoreV1().Pods(pod.Namespace).EvictV1(ctx, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID)), DryRun: dryRun},
	})
}

func (v *evictor) say(ctx context.Context, e *eviction) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": e.victim.UID},
		"status": map[string]any{"conditions": []v1.PodCondition{{
			Type: v1alpha1.AdmittedCondition, Status: v1.ConditionFalse, Reason: reasonPreempted, Message: e.message,
			LastTransitionTime: metav1.Time{Time: v.room.clock.Now()},
		}}},
	})
	if err != nil {
		return fmt.Errorf("encoding a condition: %w", err)
	}
	_, err = v.client.CoreV1().Pods(e.victim.Namespace).Patch(ctx, e.victim.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// isGone says whether an error means that the pod is not there any more, or another of its name.
func isGone(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsConflict(err) }

// nextEviction is the next pod to evict, or nil. An order that was not begun is dropped when whoever it is
// for needs it no more.
func (r *Room) nextEviction() *eviction {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	for _, o := range slices.Clone(r.preempt.orders) {
		if !o.begun && r.ledger.State(string(o.by.uid())) != ledger.Waiting {
			r.letOff(o)
			continue
		}
		for _, uid := range slices.Clone(o.victims) {
			e := r.entries[uid]
			switch {
			case e == nil, !r.ledger.State(string(uid)).Holds():
				r.noteAsked(o, uid)
				r.settled(o, uid)
				delete(r.preempt.ordered, uid)
				r.unbar(uid)
			case e.pod.DeletionTimestamp != nil:
				r.noteAsked(o, uid)
				r.settled(o, uid)
			case !e.bound() && !e.committed:
				r.settled(o, uid)
				delete(r.preempt.ordered, uid)
				r.takeBack(o.by, e)
				r.barIfMakingWay(e)
				r.unbar(uid)
				r.signal()
			case !e.bound(), now.Before(o.notBefore):
				// Its bind is under way, or its time has not come.
			default:
				return r.evictionOf(o, e)
			}
		}
	}
	return nil
}

func (r *Room) evictionOf(o *order, e *entry) *eviction {
	next := &eviction{order: o, entry: e, victim: e.pod, message: preemptedBy + o.by.asPreemptor()}
	if !o.begun {
		for _, uid := range o.victims {
			if other := r.entries[uid]; other != nil && other.bound() {
				next.rehearse = append(next.rehearse, other.pod)
			}
		}
	}
	return next
}

// evicted takes what came of an eviction.
func (r *Room) evicted(done *eviction, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o, uid := done.order, done.victim.UID
	now := r.clock.Now()
	if done.asked && !apierrors.IsTooManyRequests(err) && !isGone(err) {
		o.asked[uid] = done.entry
	}
	switch {
	case err == nil, r.entries[uid] == nil:
		r.noteAsked(o, uid)
		r.settled(o, uid)
	case isGone(err):
		r.noteAsked(o, uid)
		r.settled(o, uid)
	case apierrors.IsTooManyRequests(err) && !o.begun:
		// Others may be chosen meanwhile.
		for _, uid := range o.victims {
			r.preempt.spared[uid] = now.Add(spareFor)
		}
		evictions.WithLabelValues(done.entry.assignment.Queue, "refused").Inc()
		r.letOff(o)
	default:
		klog.Background().Error(err, "Cannot evict a pod; it is tried again", "pod", klog.KObj(done.victim))
		o.notBefore = now.Add(evictRetry)
	}
}

// noteAsked has events written about a pod that is leaving, or gone, if it was asked to. It may be gone before the
// API server has answered.
func (r *Room) noteAsked(o *order, uid types.UID) {
	e := o.asked[uid]
	if e == nil {
		return
	}
	delete(o.asked, uid)
	o.begun = true
	evictions.WithLabelValues(e.assignment.Queue, "preempted").Inc()
	r.noteBoth(o.by, e, preemptedBy+"%s", "evicts %s to have its room")
}

// settled notes that nothing is left to do about a victim.
func (r *Room) settled(o *order, uid types.UID) {
	o.victims = slices.DeleteFunc(o.victims, func(v types.UID) bool { return v == uid })
	if len(o.victims) == 0 {
		r.preempt.orders = slices.DeleteFunc(r.preempt.orders, func(other *order) bool { return other == o })
	}
}

// letOff drops what is left of an order.
func (r *Room) letOff(o *order) {
	for _, uid := range slices.Clone(o.victims) {
		r.settled(o, uid)
		delete(r.preempt.ordered, uid)
		r.unbar(uid)
		if e := r.entries[uid]; e != nil {
			r.report(e) // it may say already that it is evicted
		}
	}
}

func (r *Room) takeNotes() []note {
	r.mu.Lock()
	defer r.mu.Unlock()
	notes := r.preempt.notes
	r.preempt.notes = nil
	return notes
}
