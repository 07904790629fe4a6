package scheduler

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	testingclock "k8s.io/utils/clock/testing"
)

// lease is what the API holds; each replica sees it through a lock of its own.
type lease struct {
	record *resourcelock.LeaderElectionRecord
	err    error
}

type leaseLock struct {
	*lease
	name string
}

func (l leaseLock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return l.record, nil, l.err
}

func (l leaseLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.Update(ctx, record)
}

func (l leaseLock) Update(_ context.Context, record resourcelock.LeaderElectionRecord) error {
	if l.err == nil {
		l.lease.record = &record
	}
	return l.err
}

func (l leaseLock) RecordEvent(string) {}
func (l leaseLock) Identity() string   { return l.name }
func (l leaseLock) Describe() string   { return "the lease" }

// replica is one fence over the lease, and what it was told.
type replica struct {
	*fence
	clock *testingclock.FakeClock
	lost  error
}

func newReplica(l *lease, name string) *replica {
	r := &replica{clock: testingclock.NewFakeClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))}
	r.fence = newFence(leaseLock{l, name}, r.clock, 10*time.Second, func(err error) { r.lost = err })
	return r
}

func (r *replica) renew(t *testing.T) error {
	return r.Update(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: r.Identity()})
}

func (r *replica) look(t *testing.T) {
	_, _, err := r.Get(t.Context())
	require.NoError(t, err)
}

func TestFenceHoldsForATermAfterTheLastRenewal(t *testing.T) {
	shared := &lease{}
	a := newReplica(shared, "a")
	require.False(t, a.holds(), "it was never elected")
	require.NoError(t, a.renew(t))
	a.clock.Step(9 * time.Second)
	require.True(t, a.holds())
	a.clock.Step(time.Second)
	require.False(t, a.holds())
	require.NoError(t, a.renew(t))
	require.True(t, a.holds(), "nobody else led")

	shared.err = errors.New("connection refused")
	a.clock.Step(5 * time.Second)
	require.Error(t, a.renew(t))
	a.clock.Step(5 * time.Second)
	require.False(t, a.holds(), "a renewal that failed is none")
	require.NoError(t, a.lost, "nobody else is known to lead")
}

func TestFenceIsOverWhenAnotherLeads(t *testing.T) {
	for name, replaced := range map[string]func(*testing.T, *replica, *replica){
		"seen": func(t *testing.T, a, b *replica) { require.NoError(t, b.renew(t)); a.look(t) },
		"came and went": func(t *testing.T, a, b *replica) {
			a.fence.Interface.(leaseLock).lease.record = &resourcelock.LeaderElectionRecord{}
			a.look(t)
		},
		"lease is deleted": func(t *testing.T, a, _ *replica) {
			_ = a.Create(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "a"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			shared := &lease{}
			a, b := newReplica(shared, "a"), newReplica(shared, "b")
			require.NoError(t, a.renew(t))
			b.look(t)
			require.NoError(t, b.lost, "a standby has nothing to lose")
			replaced(t, a, b)
			require.Error(t, a.lost)
			require.False(t, a.holds())
			require.ErrorIs(t, a.renew(t), errNotLeading, "what it knows may be old: it starts anew")
			require.False(t, a.holds())
		})
	}
}

func TestLeaseIsReleasedAfterWhatIsUnderWay(t *testing.T) {
	shared := &lease{}
	a := newReplica(shared, "a")
	require.NoError(t, a.renew(t))
	ended, cancel := context.WithCancel(t.Context())
	binding, done, err := a.act(ended)
	require.NoError(t, err)
	cancel()
	require.NoError(t, binding.Err(), "the end of the process does not cut a bind short")
	deadline, ok := binding.Deadline()
	require.True(t, ok)
	require.WithinDuration(t, time.Now().Add(10*time.Second), deadline, 9*time.Second, "but the end of its term does")

	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, a.Update(impatient, resourcelock.LeaderElectionRecord{}))
	require.Equal(t, "a", shared.record.HolderIdentity, "it runs out instead")
	_, _, err = a.act(t.Context())
	require.ErrorIs(t, err, errNotLeading, "nothing new is begun")

	released := make(chan error)
	go func() { released <- a.Update(t.Context(), resourcelock.LeaderElectionRecord{}) }()
	done()
	require.NoError(t, <-released)
	require.Empty(t, shared.record.HolderIdentity)
}

// bound counts binds.
type bound struct {
	framework.Framework
	times int
}

func (b *bound) RunBindPlugins(context.Context, fwk.CycleState, *v1.Pod, string) *fwk.Status {
	b.times++
	return nil
}

func TestProfileBindsOnlyWhileItLeads(t *testing.T) {
	a, binds := newReplica(&lease{}, "a"), &bound{}
	profile := fencedProfile{binds, a.fence}
	require.NoError(t, a.renew(t))
	require.True(t, profile.RunBindPlugins(t.Context(), nil, testPod("p", "q"), "node").IsSuccess())
	a.clock.Step(time.Minute)
	require.ErrorIs(t, profile.RunBindPlugins(t.Context(), nil, testPod("p", "q"), "node").AsError(), errNotLeading)
	require.Equal(t, 1, binds.times)
}
