package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/utils/clock"
)

// The lease of the leader. A create cannot be held to a name.
//
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=queueyard-system,resources=leases,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=queueyard-system,resources=leases,resourceNames=queueyard-scheduler,verbs=get;update

// fence keeps a replica that no longer leads from acting as if it did. Leader election alone does not:
// a process that was stopped for longer than its lease goes on where it was when it is continued, and
// client-go gives it renewDeadline to find out that another leads.
//
// It stands in the place of the election's lock, where every renewal passes. Pods are bound only while
// the last renewal is younger than renewDeadline; another replica leads no sooner than leaseDuration
// after it, so what was sent has the difference to arrive. What remains: a process that is stopped
// between this look at the clock and the moment the kernel has the request, some microseconds, sends
// it when it is continued.
type fence struct {
	resourcelock.Interface
	clock clock.PassiveClock
	term  time.Duration // how long a renewal holds
	// lost is called when another replica leads: what this one knows may be old.
	lost func(error)

	mu      sync.Mutex
	leads   bool
	over    bool // it led and does not any more; it must not lead again
	renewed time.Time
	acting  int
	idle    chan struct{} // closed when nobody acts; only while the lease is to be released
}

func newFence(lock resourcelock.Interface, clock clock.PassiveClock, term time.Duration, lost func(error)) *fence {
	return &fence{Interface: lock, clock: clock, term: term, lost: lost}
}

// errNotLeading refuses what only the leader may do.
var errNotLeading = errors.New("this replica does not lead, or has not renewed its lease in time")

// Get implements resourcelock.Interface.
func (f *fence) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := f.Interface.Get(ctx)
	if err == nil && record.HolderIdentity != f.Identity() {
		f.deposed(fmt.Errorf("%s is held by %q", f.Describe(), record.HolderIdentity))
	}
	return record, raw, err
}

// Create implements resourcelock.Interface.
func (f *fence) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	f.deposed(fmt.Errorf("%s is gone: another may have led meanwhile", f.Describe()))
	return f.renew(ctx, record, f.Interface.Create)
}

// Update implements resourcelock.Interface. Without a holder it releases the lease: only when nothing
// that this replica began is under way any more.
func (f *fence) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if record.HolderIdentity != "" {
		return f.renew(ctx, record, f.Interface.Update)
	}
	select {
	case <-f.end():
	case <-ctx.Done():
		return fmt.Errorf("%s is not released, it runs out: binds are still under way: %w", f.Describe(), ctx.Err())
	}
	return f.Interface.Update(ctx, record)
}

func (f *fence) renew(ctx context.Context, record resourcelock.LeaderElectionRecord, write func(context.Context, resourcelock.LeaderElectionRecord) error) error {
	f.mu.Lock()
	over := f.over
	f.mu.Unlock()
	if over {
		return errNotLeading
	}
	// From before the request: nobody else counts from an earlier moment.
	start := f.clock.Now()
	if err := write(ctx, record); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leads, f.renewed = true, start
	return nil
}

// deposed ends the lead of a replica that led.
func (f *fence) deposed(why error) {
	f.mu.Lock()
	led := f.leads
	if led {
		f.leads, f.over = false, true
	}
	f.mu.Unlock()
	if led {
		f.lost(why)
	}
}

// end ends the lead; the answer is closed when nobody acts any more.
func (f *fence) end() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leads, f.over = false, true
	f.idle = make(chan struct{})
	if f.acting == 0 {
		close(f.idle)
	}
	return f.idle
}

// left is for how long this replica surely leads. The wall clock counts, too: where the whole machine
// was stopped the monotonic one may have stood still.
func (f *fence) left() time.Duration {
	if !f.leads {
		return 0
	}
	now := f.clock.Now()
	return f.term - max(now.Sub(f.renewed), now.Round(0).Sub(f.renewed.Round(0)))
}

// holds says whether this replica surely leads. Without leader election it does.
func (f *fence) holds() bool {
	if f == nil {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.left() > 0
}

// act lets the leader act. What it does ends with its term; the end of the process does not cut it
// short, for its outcome would be unknown: the lease is released after it.
func (f *fence) act(ctx context.Context) (acting context.Context, done func(), err error) {
	if f == nil {
		return ctx, func() {}, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	left := f.left()
	if left <= 0 {
		return nil, nil, errNotLeading
	}
	f.acting++
	acting, cancel := context.WithTimeout(context.WithoutCancel(ctx), left)
	return acting, func() {
		cancel()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.acting--
		if f.acting == 0 && f.idle != nil {
			close(f.idle)
			f.idle = nil
		}
	}, nil
}

// fencedProfile binds only while this replica leads.
type fencedProfile struct {
	framework.Framework
	fence *fence
}

// RunBindPlugins implements framework.Framework. Binding is the one step that others see.
func (p fencedProfile) RunBindPlugins(ctx context.Context, state fwk.CycleState, pod *v1.Pod, node string) *fwk.Status {
	ctx, done, err := p.fence.act(ctx)
	if err != nil {
		return fwk.AsStatus(err)
	}
	defer done()
	return p.Framework.RunBindPlugins(ctx, state, pod, node)
}

// exitDeposed ends the process: it starts anew as a standby that knows what the new leader did.
func exitDeposed(err error) {
	klog.ErrorS(err, "Another replica leads; this one ends")
	klog.FlushAndExit(klog.ExitFlushTimeout, 1)
}

// exitSetBack ends the process: it starts anew with what the API server has now.
func exitSetBack(err error) {
	klog.ErrorS(err, "This replica ends")
	klog.FlushAndExit(klog.ExitFlushTimeout, 1)
}
