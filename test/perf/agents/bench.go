package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/agentidentity"
	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/perf/harness"
)

const namespace = "bench"

// figures are what one arrangement of clusters came to.
type figures struct {
	Clusters   string  `json:"clusters"`
	Operations int     `json:"operations"`
	Seats      int     `json:"seats"`
	AloneP50   float64 `json:"aloneP50Ms"`
	AloneP99   float64 `json:"aloneP99Ms"`
	Succeeded  float64 `json:"succeededPerSecond"`
	Load       float64 `json:"loadAverage"`
	AllCPU     float64 `json:"allCPUMs"`
	Busy       float64 `json:"busyCores"`
	harness.Costs
}

// measure sends operations through a hub with so many agents; none: it serves its queues itself.
func measure(ctx context.Context, o options, agents int) (f figures, err error) {
	f = figures{Clusters: "one", Operations: o.operations, Seats: o.seats}
	if f.Load, err = harness.Load(); err != nil {
		return f, err
	}
	hub, err := harness.Start(ctx, harness.Options{Common: harness.Common{Nodes: o.Nodes * max(agents, 1), Bin: o.Bin}})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, hub.Stop()) }()
	if err := hub.ManagedNamespace(ctx, namespace); err != nil {
		return f, err
	}
	queues := harness.QueueNames(max(agents, 1))
	if agents > 0 {
		f.Clusters = fmt.Sprintf("a hub and %d", agents)
	}
	dir, err := os.MkdirTemp("", "queueyard-bench-hub-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	clusters := []*harness.Cluster{hub}
	for i, queue := range queues {
		agent := v1alpha1.DefaultName
		if agents > 0 {
			agent = fmt.Sprintf("agent-%d", i)
			worker, err := join(ctx, hub, agent, dir, o)
			if err != nil {
				return f, err
			}
			defer func() { err = errors.Join(err, worker.Stop()) }()
			clusters = append(clusters, worker)
		}
		seats := int32(o.seats / len(queues))
		if err := hub.Objects.Create(ctx, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: queue}, Spec: v1alpha1.QueueSpec{Agent: agent, Concurrency: &seats}}); err != nil {
			return f, err
		}
	}
	s := &sending{name: "all", clusters: clusters, hub: hub, queues: queues, ended: map[string]time.Time{}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the watch ends before the cluster
	if err := hub.Follow(ctx, &v1alpha1.OperationList{}, namespace, "", s.see); err != nil {
		return f, err
	}
	if err := s.alone(ctx, o.alone, &f); err != nil {
		return f, err
	}
	fmt.Fprintf(os.Stderr, "%s: alone %.0f/%.0f ms\n", f.Clusters, f.AloneP50, f.AloneP99)
	return f, s.together(ctx, o.operations, &f)
}

// identify makes an agent at the hub, and gives what it is there.
func identify(ctx context.Context, hub *harness.Cluster, agent string, spec v1alpha1.AgentSpec) (*rest.Config, error) {
	objects := append([]client.Object{&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: agent}, Spec: spec}}, agentidentity.Objects(agent)...)
	for _, object := range objects {
		if err := hub.Objects.Create(ctx, object); err != nil {
			return nil, err
		}
	}
	config, err := hub.Sandbox.Config()
	if err != nil {
		return nil, err
	}
	config = rest.AnonymousClientConfig(config)
	config.BearerToken, _, err = agentidentity.Token(ctx, hub.Client, agent, 24*time.Hour)
	return config, err
}

// join brings up a cluster that serves an agent of the hub, and keeps its kubeconfig in a directory.
func join(ctx context.Context, hub *harness.Cluster, agent, dir string, o options) (*harness.Cluster, error) {
	config, err := identify(ctx, hub, agent, v1alpha1.AgentSpec{Remote: true})
	if err != nil {
		return nil, err
	}
	kubeconfig, err := agentidentity.Kubeconfig(agent, agentidentity.Hub{Server: config.Host, CA: config.CAData}, config.BearerToken, "")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, agent)
	if err := os.WriteFile(file, kubeconfig, 0o600); err != nil {
		return nil, err
	}
	worker, err := harness.Start(ctx, harness.Options{Common: o.Common, Agent: agent, HubKubeconfig: file})
	if err != nil {
		return nil, err
	}
	if err := worker.ManagedNamespace(ctx, namespace); err != nil {
		return nil, errors.Join(err, worker.Stop())
	}
	return worker, nil
}

// sending is operations on their way.
type sending struct {
	name     string // begins those of operations sent together
	clusters []*harness.Cluster
	hub      *harness.Cluster
	queues   []string

	mu     sync.Mutex
	ended  map[string]time.Time
	failed error
}

func (s *sending) see(o runtime.Object, _ bool) {
	op, ok := o.(*v1alpha1.Operation)
	if !ok || !op.Status.Phase.Final() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if op.Status.Phase != v1alpha1.StatusSucceeded && s.failed == nil {
		s.failed = fmt.Errorf("operation %s is %s: %s", op.Name, op.Status.Phase, op.Status.Timeline[len(op.Status.Timeline)-1].Message)
	}
	if s.ended[op.Name].IsZero() {
		s.ended[op.Name] = time.Now()
	}
}

func (s *sending) create(ctx context.Context, name string, i int) error {
	op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	op.Spec.Queue, op.Spec.Template = s.queues[i%len(s.queues)], harness.Template()
	op.Spec.Params = v1alpha1.Values{"rate": apiextensionsv1.JSON{Raw: []byte("0.1")}}
	return s.hub.Objects.Create(ctx, op)
}

// await waits until so many have ended.
func (s *sending) await(ctx context.Context, n int) error {
	return wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(context.Context) (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.ended) >= n, s.failed
	})
}

// alone sends one after the other.
func (s *sending) alone(ctx context.Context, n int, f *figures) error {
	var took []time.Duration
	for i := range n {
		name := fmt.Sprintf("alone-%d", i)
		from := time.Now()
		if err := s.create(ctx, name, i); err != nil {
			return err
		}
		if err := s.await(ctx, i+1); err != nil {
			return err
		}
		s.mu.Lock()
		took = append(took, s.ended[name].Sub(from))
		s.mu.Unlock()
	}
	if len(took) > 10 {
		took = took[10:] // caches and connections were cold
	}
	f.AloneP50, f.AloneP99 = harness.Millis(took, 0.5), harness.Millis(took, 0.99)
	return nil
}

// cpu is the time that all components of all clusters have used.
func (s *sending) cpu() (sum time.Duration, err error) {
	for _, c := range s.clusters {
		used, err := c.CPU()
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// together sends all at once.
func (s *sending) together(ctx context.Context, n int, f *figures) error {
	s.mu.Lock()
	before := len(s.ended)
	s.mu.Unlock()
	costs, err := s.hub.Read(ctx)
	if err != nil {
		return err
	}
	cpu, err := s.cpu()
	if err != nil {
		return err
	}
	from := time.Now()
	err = harness.CreateAll(ctx, n, func(ctx context.Context, i int) error { return s.create(ctx, fmt.Sprintf("%s-%d", s.name, i), i) })
	if err != nil {
		return err
	}
	if err := s.await(ctx, before+n); err != nil {
		return err
	}
	used, err := s.cpu()
	if err != nil {
		return err
	}
	used -= cpu
	f.AllCPU, f.Busy = float64(used.Microseconds())/1000/float64(n), used.Seconds()/time.Since(from).Seconds()
	if err := s.hub.Quiet(ctx); err != nil { // the last ones are let go after they have succeeded
		return err
	}
	after, err := s.hub.Read(ctx)
	if err != nil {
		return err
	}
	f.Costs = harness.CostsOf(costs, after, n)
	var times []time.Time
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, at := range s.ended {
		if strings.HasPrefix(name, s.name+"-") {
			times = append(times, at)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	f.Succeeded = harness.Rate(times)
	return nil
}
