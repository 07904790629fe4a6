package drill

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/sandbox"
)

// skew is how far a clock is moved.
const skew = time.Hour

var (
	schedulerLease  = client.ObjectKey{Namespace: "queueyard-system", Name: "queueyard-scheduler"}
	controllerLease = client.ObjectKey{Namespace: "queueyard-system", Name: "queueyard-controller"}
)

// impossible is why a fault can't be done on this machine.
type impossible struct{ error }

// skewLeader moves the clock of the leading scheduler.
func (s *site) skewLeader(ctx context.Context, offset time.Duration) (leader string, restore func() error, err error) {
	leader, err = s.leader(ctx)
	if err != nil {
		return "", nil, err
	}
	restore, err = s.skew(ctx, leader, schedulerLease, offset)
	return leader, restore, err
}

// schedulerAstray serves the load for a while by a scheduler with a wrong clock, which gets the right one back.
func (s *site) schedulerAstray(ctx context.Context, offset time.Duration) error {
	_, restore, err := s.skewLeader(ctx, offset)
	if err != nil {
		return err
	}
	return s.astray(ctx, restore)
}

// controllerAstray is schedulerAstray for the controller.
func (s *site) controllerAstray(ctx context.Context, offset time.Duration) error {
	restore, err := s.skew(ctx, sandbox.Controller, controllerLease, offset)
	if err != nil {
		return err
	}
	return s.astray(ctx, restore)
}

// diesAstray kills the leading scheduler while its clock is wrong: the other one finds a lease from another time.
func (s *site) diesAstray(ctx context.Context, offset time.Duration) error {
	leader, _, err := s.skewLeader(ctx, offset)
	if err != nil {
		return err
	}
	return s.sandbox.Signal(leader, syscall.SIGKILL)
}

// astray lets the load go on with a wrong clock, until it is put right.
func (s *site) astray(ctx context.Context, restore func() error) error {
	err := untilServed(ctx, s.load)
	pause(ctx, settles)
	return errors.Join(err, restore())
}

// skew moves the clock of a component that leads, and sees by the lease that the component believes it.
func (s *site) skew(ctx context.Context, component string, lease client.ObjectKey, offset time.Duration) (restore func() error, err error) {
	pid, err := s.pid(component)
	if err != nil {
		return nil, err
	}
	right, err := skewClock(pid, offset)
	if err != nil {
		return nil, impossible{err}
	}
	if err := s.untilRenewed(ctx, lease, offset); err != nil {
		return nil, fmt.Errorf("the clock of %s was not moved by %s: %w", component, offset, errors.Join(err, right()))
	}
	return func() error {
		if err := right(); err != nil {
			return err
		}
		if err := s.untilRenewed(ctx, lease, 0); err != nil {
			return fmt.Errorf("the clock of %s is not right again: %w", component, err)
		}
		return nil
	}, nil
}

// untilRenewed waits until the holder of a lease renews it by a clock that differs so much from ours.
func (s *site) untilRenewed(ctx context.Context, key client.ObjectKey, offset time.Duration) error {
	return wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		lease := &coordinationv1.Lease{}
		if err := s.client.Get(ctx, key, lease); err != nil || lease.Spec.RenewTime == nil {
			return false, nil
		}
		return (lease.Spec.RenewTime.Sub(time.Now()) - offset).Abs() < skew/2, nil
	})
}

func (s *site) pid(component string) (int, error) {
	components, _, err := s.sandbox.Status()
	if err != nil {
		return 0, err
	}
	for _, c := range components {
		if c.Name == component && c.PID != 0 {
			return c.PID, nil
		}
	}
	return 0, fmt.Errorf("component %s does not run", component)
}
