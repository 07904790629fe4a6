package operation

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/lookahead"
	"github.com/queueyard/queueyard/pkg/operation"
)

// An operation that waits says why, in a condition. That is never worth delaying anything: what waits
// shortly gets none, a reason is written when it changes and not when its numbers do, and writes are few per
// second however many wait.

const (
	reportDelay  = 2 * time.Second
	reportAgain  = 5 * time.Second
	reportPeriod = 200 * time.Millisecond
	// reportLooks and reportWrites bound what is looked at and written in a period.
	reportLooks, reportWrites = 100, 2
)

// reporter writes why operations wait, those first that have waited longest.
type reporter struct {
	client client.Client
	window *lookahead.Window
	router *router
	clock  clock.WithTicker
	// may says whether an operation may begin in this cluster.
	may func(*v1alpha1.Operation) bool

	mu   sync.Mutex
	line []lookAt
	in   map[types.NamespacedName]bool
	// hindrances are what keeps operations from going on besides limits.
	hindrances map[types.NamespacedName]*hindrance
}

type lookAt struct {
	key types.NamespacedName
	at  time.Time
}

// waits has the reporter look at an operation, unless it will anyway.
func (r *reporter) waits(op *v1alpha1.Operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := client.ObjectKeyFromObject(op)
	if !r.in[key] {
		r.in[key] = true
		r.line = append(r.line, lookAt{key, r.clock.Now().Add(reportDelay)})
	}
}

// hinder notes what keeps an operation that waits from going on; nil: nothing does.
func (r *reporter) hinder(op *v1alpha1.Operation, by *hindrance) {
	if by == nil || !waits(op.Status.Phase) {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.hindrances, client.ObjectKeyFromObject(op))
		return
	}
	r.waits(op)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hindrances[client.ObjectKeyFromObject(op)] = by
}

func (r *reporter) hindrance(op *v1alpha1.Operation) *hindrance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hindrances[client.ObjectKeyFromObject(op)]
}

// next is the operation whose turn it is. Those that were looked at are behind it, so the line need not be in order
// of time: nobody is late by more than what is between two looks.
func (r *reporter) next() (types.NamespacedName, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.line) == 0 || r.line[0].at.After(r.clock.Now()) {
		return types.NamespacedName{}, false
	}
	key := r.line[0].key
	r.line = r.line[1:]
	return key, true
}

// again says that an operation still waits, or no longer.
func (r *reporter) again(key types.NamespacedName, waits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !waits {
		delete(r.in, key)
		delete(r.hindrances, key)
		return
	}
	r.line = append(r.line, lookAt{key, r.clock.Now().Add(reportAgain)})
}

// Start implements manager.Runnable.
func (r *reporter) Start(ctx context.Context) error {
	ticker := r.clock.NewTicker(reportPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
		for looks, writes := 0, 0; looks < reportLooks && writes < reportWrites; looks++ {
			key, ok := r.next()
			if !ok {
				break
			}
			waits, wrote := r.look(ctx, key)
			r.again(key, waits)
			if wrote {
				writes++
			}
		}
	}
}

// look writes down why an operation waits, if it says something else.
func (r *reporter) look(ctx context.Context, key types.NamespacedName) (stillWaits, wrote bool) {
	op := &v1alpha1.Operation{}
	if err := r.client.Get(ctx, key, op); err != nil {
		return !apierrors.IsNotFound(err), false
	}
	if !waits(op.Status.Phase) {
		return false, false
	}
	reason, message := r.why(ctx, op)
	said := meta.FindStatusCondition(op.Status.Conditions, v1alpha1.WaitingCondition)
	over := reason == "" && said != nil && hinders(said.Reason)
	// What the API server says may be about something else each time, and is not said often.
	if reason == "" && !over || said != nil && said.Reason == reason && (said.Message == message || r.hindrance(op) == nil) {
		return true, false
	}
	before := op.DeepCopy()
	op.Status.Conditions = slices.Clone(op.Status.Conditions)
	if over {
		meta.RemoveStatusCondition(&op.Status.Conditions, v1alpha1.WaitingCondition)
	} else {
		meta.SetStatusCondition(&op.Status.Conditions, metav1.Condition{
			Type: v1alpha1.WaitingCondition, Status: metav1.ConditionFalse, Reason: reason, Message: message,
			ObservedGeneration: op.Generation, LastTransitionTime: metav1.NewTime(r.clock.Now()),
		})
	}
	// Whoever has written meanwhile may know that it no longer waits.
	err := r.client.Status().Patch(ctx, op, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		log.FromContext(ctx).Error(err, "Cannot write why an operation waits; the next look tries again", "operation", key)
	}
	return true, true
}

// why is what the scheduler says of its pod, else what keeps it from having one in its queue.
func (r *reporter) why(ctx context.Context, op *v1alpha1.Operation) (reason, message string) {
	if !r.may(op) {
		return "NotConfirmed", "waits until the agent has heard from the hub that it is to run here"
	}
	if h := r.hindrance(op); h != nil {
		return h.Reason, h.Message
	}
	if reason, message := r.whyPods(ctx, op); reason != "" {
		return reason, message
	}
	if reason, message := r.whyThere(ctx, op); reason != "" {
		return reason, message
	}
	if why, ok := r.window.Why(uidOf(op)); ok {
		return string(why.Reason), why.Message()
	}
	return "", ""
}

// whyPods is what the scheduler says of one of the pods of the attempt.
func (r *reporter) whyPods(ctx context.Context, op *v1alpha1.Operation) (reason, message string) {
	pods := &corev1.PodList{}
	if r.client.List(ctx, pods, client.MatchingFields{byOperation: client.ObjectKeyFromObject(op).String()}, client.UnsafeDisableDeepCopy) != nil {
		return "", ""
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if !ofAttempt(pod, op) || operation.Gated(pod) {
			continue
		}
		for _, c := range pod.Status.Conditions {
			if c.Type == v1alpha1.AdmittedCondition && c.Status == corev1.ConditionFalse {
				return c.Reason, c.Message
			}
		}
	}
	return "", ""
}

// whyThere is what keeps it from another cluster, or in that from running.
func (r *reporter) whyThere(ctx context.Context, op *v1alpha1.Operation) (reason, message string) {
	if isAssignment(op.Status.Run) {
		a := &v1alpha1.Assignment{}
		if r.client.Get(ctx, types.NamespacedName{Namespace: op.Status.Run.Namespace, Name: op.Status.Run.Name}, a) == nil {
			if contact, err := contactOf(ctx, r.client, a); err == nil {
				if reason, message = operation.WaitingThere(a, contact); reason != "" {
					return reason, message
				}
			}
		}
	}
	if g, err := groupOf(ctx, r.client, op.Status.Queue); err != nil || g != nil {
		if err == nil && (op.Status.Run == nil || g.closed(g.at(op.Status.Run)) != "") && r.window.HasRoom(uidOf(op)) {
			return "NoAgentHasRoom", r.router.why(op.Status.Queue, g)
		}
		return "", ""
	}
	if place, err := placeOf(ctx, r.client, op, op.Status.Queue); err == nil && place.closed() != "" {
		return "AgentClosed", place.closed()
	}
	return "", ""
}

var _ manager.LeaderElectionRunnable = &reporter{}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (r *reporter) NeedLeaderElection() bool { return true }
