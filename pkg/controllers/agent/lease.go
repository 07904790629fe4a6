package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/setback"
)

const (
	// leaseDuration is how long a lease holds that is not renewed.
	leaseDuration = 40 * time.Second
	// renewPeriod is how often it is renewed, retryPeriod how soon after that failed.
	renewPeriod, retryPeriod = 10 * time.Second, 2 * time.Second
	// requestTimeout bounds a request to the hub.
	requestTimeout = 10 * time.Second
)

// identity is who holds the lease: a replica of a cluster. In its cluster a replica is elected already, so it takes
// over from another one of the same cluster at once.
type identity struct{ cluster, replica string }

func (i identity) String() string { return i.cluster + "_" + i.replica }

func clusterOf(holder string) string {
	cluster, _, _ := strings.Cut(holder, "_")
	return cluster
}

// mayTake says whether a lease may be taken, of which this version was first seen at a time.
func mayTake(lease *coordinationv1.Lease, me identity, seen, now time.Time) bool {
	if _, fenced := lease.Annotations[v1alpha1.FencedAnnotation]; fenced {
		return false
	}
	holder := ptr.Deref(lease.Spec.HolderIdentity, "")
	if holder == "" || clusterOf(holder) == me.cluster {
		return true
	}
	lasts := time.Duration(ptr.Deref(lease.Spec.LeaseDurationSeconds, int32(leaseDuration.Seconds()))) * time.Second
	return now.Sub(seen) >= lasts
}

// keeper keeps the lease of the agent at the hub. Of two clusters with agents of one name, one holds it and serves.
type keeper struct {
	reader    client.Reader
	writer    client.Client
	namespace string
	me        identity
	clock     clock.Clock

	mu      sync.Mutex
	renewed time.Time // zero: another one holds it, or none of us ever did
	// version and seen: since when the lease is as it is.
	version string
	seen    time.Time
	// versions show whether the hub was set back.
	versions setback.Versions
}

// holds says whether this replica may act at the hub.
func (k *keeper) holds() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.renewed.IsZero() && k.clock.Since(k.renewed) < leaseDuration
}

// errHeld says that another cluster serves the agent, or that the hub does not let it be served.
type errHeld struct {
	holder string
	fenced bool
}

func (e *errHeld) Error() string {
	if e.fenced {
		return "the hub has evicted it: set its spec.state to Open, and it serves again when nothing of what it had is left"
	}
	return fmt.Sprintf("another cluster serves it (%s): give the agents different names, or stop that one", e.holder)
}

func asHeld(err error, held **errHeld) bool { return errors.As(err, held) }

// renew takes or renews the lease once.
func (k *keeper) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	lease := &coordinationv1.Lease{}
	lease.Namespace, lease.Name = k.namespace, v1alpha1.AgentLease
	err := k.reader.Get(ctx, client.ObjectKeyFromObject(lease), lease)
	now := k.clock.Now()
	switch {
	case apierrors.IsNotFound(err):
		k.fill(lease, now)
		err = k.writer.Create(ctx, lease)
	case err == nil:
		if err := k.versions.See(lease); err != nil {
			k.set(time.Time{})
			return err
		}
		if k.look(lease, now); !mayTake(lease, k.me, k.seen, now) {
			k.set(time.Time{})
			_, fenced := lease.Annotations[v1alpha1.FencedAnnotation]
			return &errHeld{ptr.Deref(lease.Spec.HolderIdentity, ""), fenced}
		}
		k.fill(lease, now)
		err = k.writer.Update(ctx, lease)
	}
	if err == nil {
		k.set(now)
	}
	return err
}

func (k *keeper) look(lease *coordinationv1.Lease, now time.Time) {
	if k.version != lease.ResourceVersion {
		k.version, k.seen = lease.ResourceVersion, now
	}
}

func (k *keeper) set(renewed time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.renewed = renewed
}

func (k *keeper) fill(lease *coordinationv1.Lease, now time.Time) {
	stamp := metav1.NewMicroTime(now)
	if ptr.Deref(lease.Spec.HolderIdentity, "") != k.me.String() {
		lease.Spec.AcquireTime = &stamp
		lease.Spec.LeaseTransitions = ptr.To(ptr.Deref(lease.Spec.LeaseTransitions, -1) + 1)
	}
	lease.Spec.HolderIdentity, lease.Spec.RenewTime = ptr.To(k.me.String()), &stamp
	lease.Spec.LeaseDurationSeconds = ptr.To(int32(leaseDuration.Seconds()))
}

// keep renews the lease until the context ends, and tells of each change of who holds it. It fails when the hub was set back.
func (k *keeper) keep(ctx context.Context, log logr.Logger, agent string, changed func(held bool)) error {
	said := ""
	for {
		err := k.renew(ctx)
		wait := renewPeriod
		var held *errHeld
		switch {
		case err == nil:
			if said != "ok" {
				said = "ok"
				log.Info("Serves the agent", "holder", k.me.String())
			}
			changed(true)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, setback.ErrSetBack):
			return fmt.Errorf("the hub: %w", err)
		default:
			wait = retryPeriod
			if text := explain(err, agent); text != said {
				said = text
				log.Error(err, text)
			}
			if asHeld(err, &held) {
				wait = renewPeriod
				changed(false)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-k.clock.After(wait):
		}
	}
}

// explain says what an error at the hub means, and what to do.
func explain(err error, agent string) string {
	namespace := v1alpha1.AgentNamespace(agent)
	var held *errHeld
	switch {
	case asHeld(err, &held):
		return "Does not serve the agent: " + held.Error()
	case apierrors.IsUnauthorized(err):
		return "The hub does not know who this is: join the agent again with qy agents join, and use the kubeconfig that this prints; it is tried again"
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err):
		return fmt.Sprintf("The hub does not let agent %s into namespace %s: join it with qy agents join, and use the kubeconfig that this prints; it is tried again", agent, namespace)
	}
	return "The hub can't be reached; what is here goes on, and it is tried again"
}
