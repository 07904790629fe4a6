package scheduler

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/queueyard/queueyard/pkg/ledger"
)

// pumpBatch is how many pods one hold of the lock admits, so that handlers and Permit are never
// kept waiting for long.
const pumpBatch = 64

// pump admits whenever something may have changed, until ctx ends. It is one goroutine.
func (r *Room) pump(ctx context.Context) {
	timer := r.clock.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-timer.C():
		}
		next := r.pumpDry(ctx)
		timer.Stop()
		timer.Reset(next)
	}
}

// pumpDry admits until nothing more can be, and says how long until something falls due.
func (r *Room) pumpDry(ctx context.Context) time.Duration {
	start := r.clock.Now()
	defer func() { pumpDuration.Observe(r.clock.Since(start).Seconds()) }()
	for {
		more, next := r.pumpOnce(ctx)
		if !more {
			return next
		}
	}
}

func (r *Room) pumpOnce(ctx context.Context) (more bool, next time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	r.resumeDue(now)
	r.wakeUp(now)
	r.resolveStale()
	r.guardHeads(now)
	batch := r.ledger.Admit(pumpBatch)
	for _, a := range batch {
		uid := types.UID(a.UID)
		e := r.entries[uid]
		if e == nil {
			// The sweep will find out why the ledger knows a pod that the room does not.
			klog.FromContext(ctx).Error(nil, "Admitted a pod the waiting room does not hold", "uid", uid)
			r.ledger.Remove(a.UID)
			continue
		}
		r.ranks.put(uid, r.rankOf(a, e, now))
		e.tried = r.growths
		r.letIn(ctx, e)
		r.fills(e)
		admissions.WithLabelValues(e.assignment.Queue).Inc()
	}
	reclaimed := r.reclaimIdle(now)
	more = len(batch) >= pumpBatch || reclaimed
	if !more {
		more = r.takeOver(now)
	}
	return more, r.nextDue(now)
}

// rankOf is the rank of a pod that is admitted now. Those of a gang that are admitted together share
// the rank of the first of them.
func (r *Room) rankOf(a ledger.Admission, e *entry, now time.Time) rank {
	if e.gang.size > 1 && e.gang == r.admitting.gang && a.Level == r.admitting.rank.level && now.Equal(r.admitting.at) {
		return r.admitting.rank
	}
	if !now.After(r.admitting.rank.admitted) {
		r.admitting.rank.admitted = r.admitting.rank.admitted.Add(1)
	} else {
		r.admitting.rank.admitted = now
	}
	r.admitting.rank.level, r.admitting.rank.priority = a.Level, a.Priority
	r.admitting.gang, r.admitting.at = e.gang, now
	return r.admitting.rank
}

// admitting is the last admission.
type admitting struct {
	rank rank
	gang gang
	at   time.Time
}

// nextDue is how long until a back-off ends, an idle pod's time is up, or heads are looked at again.
func (r *Room) nextDue(now time.Time) time.Duration {
	next := guardPeriod
	if len(r.retries) > 0 {
		next = min(next, r.retries[0].retryAt.Sub(now))
	}
	if r.wakes && len(r.retries) > 0 {
		next = min(next, r.woken.Add(r.args.InitialBackoff.Duration).Sub(now))
	}
	if len(r.idle) > 0 {
		next = min(next, r.idleLooks.ends.Sub(now))
		if r.idleLooks.owed {
			next = min(next, r.idleLooks.next(len(r.idle)).Sub(now))
		}
	}
	return max(next, time.Millisecond)
}
