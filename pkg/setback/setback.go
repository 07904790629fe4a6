// Package setback notices that etcd was restored from a backup while a program ran. What the program holds in memory
// is then of a future that did not happen, and the API server tells it of no more than a part of that: the program has to
// start anew.
//
// The lease of a leader shows it. Every replica writes or reads it every few seconds, and its version never falls,
// but for a restore.
package setback

import (
	"context"
	"errors"
	"fmt"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// ErrSetBack says that the API server was set back.
var ErrSetBack = errors.New("the API server was set back to an earlier state: what this process knows is of no use, it starts anew")

// Notice calls found, before the election goes on, when the lease of an election is older than it was.
func Notice(lock resourcelock.Interface, found func(error)) error {
	l, ok := lock.(*resourcelock.LeaseLock)
	if !ok {
		return fmt.Errorf("the election's lock is a %T, not a lease", lock)
	}
	l.Client = &getter{LeasesGetter: l.Client, versions: &Versions{}, found: found}
	return nil
}

// Versions are those of one object, in the order in which they were seen. The zero value has seen none.
type Versions struct {
	mu   sync.Mutex
	last string
}

// See says, with ErrSetBack, that a version is older than the one before.
func (v *Versions) See(o metav1.Object) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	last, now := v.last, o.GetResourceVersion()
	v.last = now
	if last == "" {
		return nil
	}
	if order, err := resourceversion.CompareResourceVersion(now, last); err == nil && order < 0 {
		return fmt.Errorf("%w (%s/%s had version %s and has %s)", ErrSetBack, o.GetNamespace(), o.GetName(), last, now)
	}
	return nil
}

type getter struct {
	coordinationv1client.LeasesGetter
	versions *Versions
	found    func(error)
}

func (g *getter) Leases(namespace string) coordinationv1client.LeaseInterface {
	return &leases{g.LeasesGetter.Leases(namespace), g}
}

type leases struct {
	coordinationv1client.LeaseInterface
	*getter
}

// Get is where a leader looks whose write was refused, and where the others look.
func (l *leases) Get(ctx context.Context, name string, options metav1.GetOptions) (*coordinationv1.Lease, error) {
	lease, err := l.LeaseInterface.Get(ctx, name, options)
	if err != nil {
		return nil, err
	}
	if err := l.versions.See(lease); err != nil {
		l.found(err)
		return nil, err
	}
	return lease, nil
}

func (l *leases) Update(ctx context.Context, lease *coordinationv1.Lease, options metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	written, err := l.LeaseInterface.Update(ctx, lease, options)
	if err == nil {
		err = l.versions.See(written)
	}
	return written, err
}
