package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/test/audit"
)

// The scheduler is killed again and again while a hundred wait and ten run: nothing is admitted
// above a limit, nothing is lost and nothing is stuck.
func TestSchedulerKilled(t *testing.T) {
	const kills, jobs = 5, 220
	config := audit.DefaultConfig()
	// The successor waits until the lease of the killed one has run out.
	config.StuckAfter = time.Minute
	s := beginWith(t, "killed", true, config)
	q := s.queue("q", seats(0))
	var all []client.Object
	for i := range jobs {
		all = append(all, s.job(fmt.Sprintf("job-%d", i), q, simulated("1")))
	}
	s.createTogether(all)
	s.until("all wait", q, func(c counts) bool { return c.waiting == jobs })
	s.editQueue(q, seats(10))
	for i := range kills {
		s.until(fmt.Sprintf("10 run before kill %d", i+1), q, func(c counts) bool { return c.running == 10 })
		require.GreaterOrEqual(t, s.count(q).waiting, 100)
		require.NoError(t, s.sandbox.Kill(sandbox.Scheduler))
		s.until(fmt.Sprintf("what ran ends after kill %d", i+1), q, func(c counts) bool { return c.running == 0 })
	}
	s.until("all succeed", q, succeed(jobs))
	require.Equal(t, 10, s.peak(q))
	require.Len(t, s.pods(t.Context()), jobs, "no Job ran twice")
}
