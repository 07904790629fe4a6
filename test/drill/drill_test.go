package drill

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
	"github.com/queueyard/queueyard/test/audit"
	"github.com/queueyard/queueyard/test/load"
	"github.com/queueyard/queueyard/test/testenv"
)

var (
	duration = flag.Duration("duration", 0, "how long to go on; every fault comes at least once")
	writeTo  = flag.String("report", "", "file that gets the report")
)

const (
	// patience is how long recovery may take on a loaded machine; what it took is reported.
	patience = 3 * time.Minute
	// settles is how long the load runs on between two faults.
	settles = time.Second
	// seats are what the load gets at the end, so that what waits is over soon; the nodes have room for more.
	seats = 40
	// leaseDuration of the schedulers is shorter than in an installation, as in the other tests.
	leaseDuration = 6 * time.Second
	// pace is a little faster than five seats serve pods of two seconds.
	pace = 350 * time.Millisecond
)

// onePod runs for two seconds on a simulated node.
const onePod = `{"metadata": {"annotations": {"sandbox.queueyard.io/duration": "2s"}}, "spec": {"nodeSelector": {"type": "simulated"},
"tolerations": [{"key": "queueyard.io/simulated", "operator": "Exists"}], "containers": [{"name": "main", "image": "none", "resources": {"requests": {"cpu": "1"}}}]}}`

// fault is one way to break a cluster. It returns when everything is allowed to work again.
type fault struct {
	name string
	do   func(context.Context, *site) error
}

var faults = []fault{
	{"the leading scheduler is killed", func(_ context.Context, s *site) error { return s.signalLeader(syscall.SIGKILL) }},
	{"the leading scheduler stands still for 8 s", func(ctx context.Context, s *site) error {
		leader, err := s.leader(ctx)
		if err != nil {
			return err
		}
		if err := s.sandbox.Signal(leader, syscall.SIGSTOP); err != nil {
			return err
		}
		pause(ctx, 8*time.Second)
		return s.sandbox.Signal(leader, syscall.SIGCONT)
	}},
	{"the controller is killed", func(_ context.Context, s *site) error { return s.sandbox.Kill(sandbox.Controller) }},
	{"etcd is killed", func(_ context.Context, s *site) error { return s.sandbox.Kill(sandbox.Etcd) }},
	{"the API server is killed", func(_ context.Context, s *site) error { return s.sandbox.Kill(sandbox.ControlPlane) }},
	{"etcd and the API server are killed", func(_ context.Context, s *site) error {
		return errors.Join(s.sandbox.Kill(sandbox.Etcd), s.sandbox.Kill(sandbox.ControlPlane))
	}},
	{"the leading scheduler's clock is 1 h ahead", func(ctx context.Context, s *site) error { return s.schedulerAstray(ctx, skew) }},
	{"the leading scheduler's clock is 1 h behind", func(ctx context.Context, s *site) error { return s.schedulerAstray(ctx, -skew) }},
	{"a leader whose clock is 1 h ahead is killed", func(ctx context.Context, s *site) error { return s.diesAstray(ctx, skew) }},
	{"the controller's clock is 1 h ahead", func(ctx context.Context, s *site) error { return s.controllerAstray(ctx, skew) }},
	{"the controller's clock is 1 h behind", func(ctx context.Context, s *site) error { return s.controllerAstray(ctx, -skew) }},
	{"the webhook's certificate is expired", func(ctx context.Context, s *site) error { return expireCertificate(ctx, s.client) }},
	{"all watches of the programs are dropped", func(_ context.Context, s *site) error {
		if s.proxy.drop() == 0 {
			return errors.New("no program watches anything through the proxy")
		}
		return nil
	}},
	{"every second request is 429 for 4 s", func(ctx context.Context, s *site) error { return s.spoil(ctx, tooMany, 2, 4*time.Second) }},
	{"every second request is 500 for 4 s", func(ctx context.Context, s *site) error { return s.spoil(ctx, failed, 2, 4*time.Second) }},
	{"every request is 500 for 4 s", func(ctx context.Context, s *site) error { return s.spoil(ctx, failed, 1, 4*time.Second) }},
	{"no request is answered for 8 s", func(ctx context.Context, s *site) error { return s.spoil(ctx, silence, 1, 8*time.Second) }},
}

// site is where it happens.
type site struct {
	sandbox *sandbox.Sandbox
	client  client.Client
	clients kubernetes.Interface
	proxy   *proxy
	load    *load.Load
}

// TestDrill loses nothing, doubles nothing and exceeds nothing, whatever breaks.
func TestDrill(t *testing.T) {
	s := newSite(t)
	ctx := t.Context()
	config, err := s.sandbox.Config()
	require.NoError(t, err)
	l := load.New(s.client, load.Options{Namespace: "drill", Pod: onePod, Pace: pace})
	require.NoError(t, l.SetUp(ctx))
	s.load = l
	audited := audit.DefaultConfig()
	audited.StuckAfter = time.Minute // nobody is there to serve while a lease runs out
	watcher, err := audit.Watch(ctx, config, audited, func(v audit.Violation) { t.Log(v) })
	require.NoError(t, err)

	require.NoError(t, l.Watch(ctx, s.clients))
	submitting, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Submit(submitting)
	}()
	start := time.Now()
	require.NoError(t, untilServed(ctx, l))

	reports := make([]faultReport, len(faults))
	for i := 0; i < len(faults) || time.Since(start) < *duration; i++ {
		f, r := faults[i%len(faults)], &reports[i%len(faults)]
		r.name = f.name
		from := time.Now()
		err := f.do(ctx, s)
		if not := (impossible{}); errors.As(err, &not) {
			r.not = not.Error()
			t.Logf("%s: this can't be done here: %s", f.name, r.not)
			continue
		}
		require.NoError(t, err, f.name)
		require.NoError(t, untilServed(ctx, l), "%s: nothing goes on after it", f.name)
		pause(ctx, settles)
		r.times++
		stall := l.Stall(from, time.Now())
		r.stall = max(r.stall, stall)
		t.Logf("%s: %s; nothing started for %s at most", f.name, time.Since(from).Round(100*time.Millisecond), stall.Round(100*time.Millisecond))
	}
	stop()
	<-done
	require.NoError(t, l.Lift(ctx, seats))
	var out load.Outcome
	err = wait.PollUntilContextTimeout(ctx, time.Second, patience, true, func(ctx context.Context) (bool, error) {
		var err error
		out, err = l.Outcome(ctx)
		return err == nil && len(out.Lost) == 0, nil
	})
	violations := watcher.Stop()
	text := report(time.Since(start), out, violations, reports)
	t.Log("\n" + text)
	if *writeTo != "" {
		require.NoError(t, os.WriteFile(*writeTo, []byte(text), 0o644))
	}
	require.NoError(t, err, "lost: %v", out.Lost)
	require.Empty(t, out.Doubled)
	require.Empty(t, violations)
	require.Equal(t, out.Submitted, out.Finished)
	require.Positive(t, s.proxy.spoilt.Load(), "the programs' requests go through the proxy")
}

// newSite is a sandbox with two schedulers whose programs reach the API server through a proxy.
func newSite(t *testing.T) *site {
	t.Helper()
	bin, err := testenv.BinDir()
	require.NoError(t, err)
	home := filepath.Join(t.TempDir(), "sandbox")
	t.Cleanup(func() {
		if s, err := sandbox.Open(home); err == nil {
			if t.Failed() {
				logs(t, home)
			}
			require.NoError(t, s.Down(context.Background()))
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	up, err := sandbox.Up(ctx, sandbox.Options{Dir: home, BinDir: bin, WorkDir: home, NoProcessNode: true, EtcdApart: true,
		SimulatedNodes: 2, Capacity: simulation.DefaultCapacity(), Schedulers: 2, LeaseDuration: leaseDuration})
	require.NoError(t, err)
	s := &site{sandbox: up}
	config, err := up.Config()
	require.NoError(t, err)
	config.QPS, config.Timeout = -1, 15*time.Second
	scheme := runtime.NewScheme()
	require.NoError(t, errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)))
	s.client, err = client.New(config, client.Options{Scheme: scheme})
	require.NoError(t, err)
	watching, err := up.Config()
	require.NoError(t, err)
	s.clients, err = kubernetes.NewForConfig(watching)
	require.NoError(t, err)
	s.proxy, err = newProxy(watching)
	require.NoError(t, err)
	t.Cleanup(s.proxy.server.CloseClientConnections) // Close would wait for the watches
	for _, component := range []string{sandbox.Scheduler, sandbox.Controller} {
		require.NoError(t, s.proxy.lead(up.Dir().KubeconfigOf(component)))
	}
	for _, component := range []string{sandbox.SchedulerReplica(0), sandbox.SchedulerReplica(1), sandbox.Controller} {
		// It gives its lease back and ends, and the supervisor starts it again, with the kubeconfig of now.
		require.NoError(t, up.Signal(component, syscall.SIGTERM))
	}
	return s
}

func logs(t *testing.T, home string) {
	files, _ := filepath.Glob(filepath.Join(home, "logs", "*.log"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			t.Logf("end of %s\n%s", filepath.Base(file), text[max(0, len(text)-3000):])
		}
	}
}

// leader is the component that holds the schedulers' lease.
func (s *site) leader(ctx context.Context) (leader string, err error) {
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		for i := range 2 {
			if s.leads(ctx, i) {
				leader = sandbox.SchedulerReplica(i)
				return true, nil
			}
		}
		return false, nil
	})
	return leader, err
}

func (s *site) signalLeader(signal syscall.Signal) error {
	leader, err := s.leader(context.Background())
	if err != nil {
		return fmt.Errorf("no scheduler leads: %w", err)
	}
	return s.sandbox.Signal(leader, signal)
}

// spoil has the proxy answer for a while.
func (s *site) spoil(ctx context.Context, what reply, of int64, d time.Duration) error {
	s.proxy.spoilOne(what, of)
	defer s.proxy.heal()
	pause(ctx, d)
	return nil
}

// pause lets a fault, or the load, go on.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func untilServed(ctx context.Context, l *load.Load) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return l.UntilServed(ctx)
}

var webhookSecret = client.ObjectKey{Namespace: "queueyard-system", Name: "queueyard-webhook-certificate"}

// expireCertificate puts a certificate that has ended in the place of the webhooks'.
func expireCertificate(ctx context.Context, c client.Client) error {
	secret := &corev1.Secret{}
	if err := c.Get(ctx, webhookSecret, secret); err != nil {
		return err
	}
	before := string(secret.Data[corev1.TLSCertKey])
	expired, err := expiredCertificate()
	if err != nil {
		return err
	}
	secret.Data = expired
	if err := c.Update(ctx, secret); err != nil {
		return err
	}
	// It is made anew without anybody's help.
	return wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, webhookSecret, secret)
		now := string(secret.Data[corev1.TLSCertKey])
		return err == nil && now != before && now != string(expired[corev1.TLSCertKey]), nil
	})
}
