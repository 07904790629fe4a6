package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/test/audit"
)

// holdSoon has the schedulers hold room after seconds where an installation waits for minutes.
func holdSoon(t *testing.T, home string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(home, "config", "*scheduler*"))
	require.NoError(t, err)
	changed := false
	for _, file := range files {
		before, err := os.ReadFile(file)
		require.NoError(t, err)
		after := bytes.ReplaceAll(before, []byte("starvationTimeout: 5m"), []byte("starvationTimeout: 3s"))
		changed = changed || !bytes.Equal(before, after)
		require.NoError(t, os.WriteFile(file, after, 0o600))
	}
	require.True(t, changed, "no scheduler configuration among %v", files)
}

// A large operation runs although small ones never stop coming; while room is held for it, small ones
// that declare to end in time use it.
func TestStarvation(t *testing.T) {
	r := withSchedulers(t)
	holdSoon(t, string(r.sandbox.Dir()))
	for i := range 2 {
		require.NoError(t, r.sandbox.Kill(sandbox.SchedulerReplica(i)))
	}
	s := r.begin(t, "starvation", true, audit.DefaultConfig())
	q := s.queue("q", quota(corev1.ResourceCPU, "4"))
	small := func(name, seconds, declared, cpu string) *corev1.Pod {
		p := s.pod(name, q, asking(simulated(seconds), corev1.ResourceCPU, cpu))
		p.Spec.TerminationGracePeriodSeconds = ptr.To[int64](1)
		if declared != "" {
			p.Annotations["queueyard.io/max-runtime"] = declared
		}
		return p
	}
	s.create(small("long", "20", "21s", "1"))
	s.until("the long one runs", q, func(c counts) bool { return c.running == 1 })
	created := 0
	stream := func() {
		for waiting := s.count(q).waiting; waiting < 6; waiting++ {
			created++
			s.create(small(fmt.Sprintf("small-%03d", created), "1", "2s", "1"))
		}
	}
	stream()
	s.until("small ones run", q, func(c counts) bool { return c.running >= 3 })
	s.create(small("large", "1", "2s", "4"))
	var reserved time.Time
	s.eventually("room is held for the large one", func() (bool, any) {
		stream()
		p := s.get("large")
		for _, c := range p.Status.Conditions {
			if c.Type == v1alpha1.AdmittedCondition && c.Reason == "RoomReserved" {
				reserved = c.LastTransitionTime.Time
			}
		}
		return !reserved.IsZero(), p.Status.Conditions
	})
	backfilled := 0
	s.eventually("the large one runs", func() (bool, any) {
		stream()
		p := s.get("large")
		backfilled = 0
		for _, other := range s.pods(context.Background()) {
			if started := other.Status.StartTime; other.Name != "large" && started != nil && started.After(reserved.Add(time.Second)) {
				backfilled++
			}
		}
		return p.Status.Phase == corev1.PodSucceeded, fmt.Sprint(created, " ", p.Status.Phase)
	})
	require.Positive(t, backfilled, "small ones that end in time use the room that is held")
}
