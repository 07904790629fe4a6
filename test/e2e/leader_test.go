package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/test/audit"
)

// leaseDuration is shorter than in an installation, so that a test need not wait for it for long.
const leaseDuration = 6 * time.Second

// withSchedulers runs a case on a sandbox of its own with two replicas of the scheduler.
func withSchedulers(t *testing.T) *replicas {
	t.Helper()
	t.Parallel()
	h := &home{dir: t.TempDir()}
	t.Cleanup(func() {
		if t.Failed() {
			printLogs(h.dir)
		}
		require.NoError(t, h.down())
	})
	require.NoError(t, h.up(sandbox.Options{NoProcessNode: true, Schedulers: 2, LeaseDuration: leaseDuration}))
	return &replicas{T: t, home: h}
}

// replicas are the schedulers of a sandbox.
type replicas struct {
	*testing.T
	*home
}

// metrics is what a replica says of itself; empty while it does not answer.
func (r *replicas) metrics(replica int) string {
	config := rest.CopyConfig(r.config)
	config.Host = "https://" + cluster.Loopback(r.sandbox.Ports().Schedulers[replica].Secure)
	config.Timeout = 2 * time.Second
	connection, err := rest.HTTPClientFor(config)
	require.NoError(r, err)
	defer connection.CloseIdleConnections()
	response, err := connection.Get(config.Host + "/metrics")
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

// leader waits until exactly one of these replicas says that it leads.
func (r *replicas) leader(s *scenario, among ...int) (replica int) {
	r.Helper()
	s.eventually(fmt.Sprintf("one of the replicas %v leads", among), func() (bool, any) {
		var leaders []int
		for _, i := range among {
			if strings.Contains(r.metrics(i), `leader_election_master_status{name="kube-scheduler"} 1`) {
				leaders = append(leaders, i)
			}
		}
		if len(leaders) == 1 {
			replica = leaders[0]
		}
		return len(leaders) == 1, leaders
	})
	return replica
}

func (r *replicas) signal(replica int, signal syscall.Signal) {
	r.Helper()
	require.NoError(r, r.sandbox.Signal(sandbox.SchedulerReplica(replica), signal), "%s for replica %d", signal, replica)
}

func (r *replicas) restarts(replica int) int {
	r.Helper()
	components, _, err := r.sandbox.Status()
	require.NoError(r, err)
	for _, c := range components {
		if c.Name == sandbox.SchedulerReplica(replica) {
			return c.Restarts
		}
	}
	return 0
}

// load is short pods for queues of all kinds behind one agent.
type load struct {
	*scenario
	queues []string
	each   int
}

func (r *replicas) load(name string, each int) load {
	config := audit.DefaultConfig()
	// A successor waits until the lease of a killed leader has run out, and starts on a busy machine.
	config.StuckAfter = time.Minute
	s := r.begin(r.T, name, true, config)
	edit(s, &v1alpha1.Agent{}, s.agent, func(a *v1alpha1.Agent) { a.Spec.Concurrency = new(int32); *a.Spec.Concurrency = 16 })
	l := load{s, []string{
		s.queue("high", seats(4), priority(9)),
		s.queue("gpu", quota("nvidia.com/gpu", "6"), priority(5)),
		s.queue("low", seats(12), priority(1)),
	}, each}
	var all []client.Object
	for i := range each {
		for j, q := range l.queues {
			template := simulated("1")
			if j == 1 {
				template = asking(template, "nvidia.com/gpu", "1")
			}
			all = append(all, s.pod(fmt.Sprintf("%s-%d", q, i), q, template))
		}
	}
	s.createTogether(all)
	return l
}

// done is how many pods have succeeded.
func (l load) done() (done int) {
	for _, q := range l.queues {
		c := l.count(q)
		require.Zero(l, c.failed)
		done += c.succeeded
	}
	return done
}

// progress waits until so many more pods have succeeded, or all.
func (l load) progress(more int) {
	l.Helper()
	until := min(l.done()+more, l.each*len(l.queues))
	l.eventually(fmt.Sprintf("%d pods have succeeded", until), func() (bool, any) {
		done := l.done()
		return done >= until, done
	})
}

func (l load) finish() {
	l.Helper()
	for _, q := range l.queues {
		l.until("all succeed", q, succeed(l.each))
	}
	require.Len(l, l.pods(l.Context()), l.each*len(l.queues), "no pod is lost")
}

// The leader is killed, and asked to end, under load: another goes on, nothing is admitted above a
// limit, nothing is lost.
func TestLeaderKilled(t *testing.T) {
	r := withSchedulers(t)
	l := r.load("failover", 140)
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGKILL, syscall.SIGTERM} {
		l.progress(30)
		leader := r.leader(l.scenario, 0, 1)
		restarts := r.restarts(leader)
		r.signal(leader, signal)
		start := time.Now()
		l.eventually("the leader starts anew", func() (bool, any) {
			now := r.restarts(leader)
			return now > restarts, now
		})
		// It may be back before its lease is over, and get the next one as well as the standby.
		next := r.leader(l.scenario, 0, 1)
		t.Logf("%s of replica %d: replica %d leads after %s", signal, leader, next, time.Since(start).Round(10*time.Millisecond))
	}
	l.finish()
}

// A leader that was stopped for longer than its lease goes on where it was when it is continued. It must
// not place anything then, and starts anew as a standby.
func TestLeaderStopped(t *testing.T) {
	r := withSchedulers(t)
	l := r.load("stopped", 160)
	for range 3 {
		l.progress(20)
		leader := r.leader(l.scenario, 0, 1)
		restarts := r.restarts(leader)
		r.signal(leader, syscall.SIGSTOP)
		require.Equal(t, 1-leader, r.leader(l.scenario, 1-leader))
		l.progress(20)
		r.signal(leader, syscall.SIGCONT)
		l.eventually("the old leader starts anew", func() (bool, any) {
			now := r.restarts(leader)
			return now > restarts, now
		})
		l.progress(20)
	}
	l.finish()
}
