package setback

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// election is a replica's lock of a lease, which another replica or a restore may change.
type election struct {
	resourcelock.Interface
	lease *coordinationv1.Lease
	found []error
}

func newElection(t *testing.T) *election {
	e := &election{lease: &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "lease", ResourceVersion: "100"}}}
	client := fake.NewClientset()
	client.PrependReactor("get", "leases", func(clienttesting.Action) (bool, runtime.Object, error) { return true, e.lease.DeepCopy(), nil })
	client.PrependReactor("update", "leases", func(action clienttesting.Action) (bool, runtime.Object, error) {
		e.lease = action.(clienttesting.UpdateAction).GetObject().(*coordinationv1.Lease).DeepCopy()
		e.lease.ResourceVersion += "0"
		return true, e.lease.DeepCopy(), nil
	})
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, "n", "lease", client.CoreV1(), client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: "a"})
	require.NoError(t, err)
	require.NoError(t, Notice(lock, func(err error) { e.found = append(e.found, err) }))
	e.Interface = lock
	return e
}

// A standby reads of renewals by others; an older one than before ends it.
func TestStandby(t *testing.T) {
	e := newElection(t)
	for _, version := range []string{"100", "100", "205", "1000"} {
		e.lease.ResourceVersion = version
		_, _, err := e.Get(t.Context())
		require.NoError(t, err)
	}
	require.Empty(t, e.found)
	e.lease.ResourceVersion = "999"
	_, _, err := e.Get(t.Context())
	require.ErrorIs(t, err, ErrSetBack)
	require.Len(t, e.found, 1)
	require.ErrorIs(t, e.found[0], ErrSetBack)
}

// A leader knows the version that it wrote itself, and so what is older.
func TestLeader(t *testing.T) {
	e := newElection(t)
	_, _, err := e.Get(t.Context())
	require.NoError(t, err)
	now := metav1.NewTime(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	require.NoError(t, e.Update(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "a", RenewTime: now}))
	_, _, err = e.Get(t.Context())
	require.NoError(t, err)
	require.Empty(t, e.found)
	e.lease.ResourceVersion = "500"
	_, _, err = e.Get(t.Context())
	require.ErrorIs(t, err, ErrSetBack)
	require.Len(t, e.found, 1)
}
