package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	agentcontroller "github.com/queueyard/queueyard/pkg/controllers/agent"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/test/perf/harness"
	"github.com/queueyard/queueyard/test/testenv"
)

// idleFor is how long a hub is watched at rest.
const idleFor = 30 * time.Second

// crowded is what a hub with so many agents costs: at rest, and while operations go through it.
type crowded struct {
	Agents         int     `json:"agents"`
	Watches        float64 `json:"watches"`
	IdleRequests   float64 `json:"idleRequestsPerSecond"`
	IdleWrites     float64 `json:"idleWritesPerSecond"`
	IdleController float64 `json:"idleControllerCPUMsPerSecond"`
	IdlePlane      float64 `json:"idleControlPlaneCPUMsPerSecond"`
	Heap           float64 `json:"controllerHeapMiB"`
	RSS            float64 `json:"controllerRSSMiB"`
	PlaneRSS       float64 `json:"controlPlaneRSSMiB"`
	Succeeded      float64 `json:"succeededPerSecond"`
	Requests       float64 `json:"requestsPerSecond"`
	Load           float64 `json:"loadAverage"`
	harness.Costs
}

// crowd is a hub and agents in this process, each with its own identity at the hub. They share a control plane for a
// worker, where each has a namespace and all the rest is played.
type crowd struct {
	hub     *harness.Cluster
	worker  *testenv.Env
	objects client.Client // of the worker
	scheme  *runtime.Scheme
	agents  int
}

// measureCrowd adds agents step by step.
func measureCrowd(ctx context.Context, o options) (all []crowded, err error) {
	ctrl.SetLogger(logr.Discard())
	hub, err := harness.Start(ctx, harness.Options{Common: o.Common})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, hub.Stop()) }()
	worker, err := testenv.StartShared(testenv.WithCRDs())
	if err != nil {
		return nil, err
	}
	defer worker.Stop()
	worker.Config.QPS = -1
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // watches and agents end before the clusters
	c := &crowd{hub: hub, worker: worker, scheme: runtime.NewScheme()}
	if err := errors.Join(clientgoscheme.AddToScheme(c.scheme), v1alpha1.AddToScheme(c.scheme), hub.ManagedNamespace(ctx, namespace), c.begin(ctx)); err != nil {
		return nil, err
	}
	for i := range o.projects {
		p := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("project-%d", i)}}
		if err := hub.Objects.Create(ctx, p); err != nil {
			return nil, err
		}
	}
	if err := hub.Objects.Create(ctx, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "bench-here"}}); err != nil {
		return nil, err
	}
	for _, n := range steps(o.crowd) {
		f, err := c.step(ctx, n, o)
		if err != nil {
			return all, fmt.Errorf("with %d agents: %w", n, err)
		}
		all = append(all, f)
		fmt.Fprintf(os.Stderr, "%d agents: %.1f requests/s at rest, %.1f finished/s\n", n, f.IdleRequests, f.Succeeded)
	}
	return all, nil
}

// steps are the numbers of agents that are measured on the way to one.
func steps(most int) []int {
	all := []int{0}
	for _, n := range []int{1, 10} {
		if n < most {
			all = append(all, n)
		}
	}
	return append(all, most)
}

// begin plays the worker.
func (c *crowd) begin(ctx context.Context) error {
	seen, err := cache.New(c.worker.Config, cache.Options{Scheme: c.scheme})
	if err != nil {
		return err
	}
	if c.objects, err = client.New(c.worker.Config, client.Options{Scheme: c.scheme, Cache: &client.CacheOptions{Reader: seen}}); err != nil {
		return err
	}
	go func() { _ = seen.Start(ctx) }()
	go func() { _ = newWorld(c.objects).play(ctx, seen) }()
	return nil
}

// step brings the agents up to a number and measures.
func (c *crowd) step(ctx context.Context, agents int, o options) (f crowded, err error) {
	for ; c.agents < agents; c.agents++ {
		if err := c.join(ctx, agentName(c.agents)); err != nil {
			return f, err
		}
	}
	if err := c.ready(ctx); err != nil {
		return f, err
	}
	if err := c.hub.Rest(ctx, float64(quietCrowd(agents))); err != nil {
		return f, err
	}
	f.Agents = agents
	if f.Load, err = harness.Load(); err != nil {
		return f, err
	}
	if err := c.idle(ctx, &f); err != nil {
		return f, err
	}
	return f, c.load(ctx, o.crowdOperations, &f)
}

// quietCrowd is the writes in a second below which a hub with so many agents is at rest.
func quietCrowd(agents int) int { return 10 + agents }

// idle measures the hub at rest.
func (c *crowd) idle(ctx context.Context, f *crowded) error {
	before, err := c.hub.Read(ctx)
	if err != nil {
		return err
	}
	asked, err := c.hub.Traffic(ctx)
	if err != nil {
		return err
	}
	from := time.Now()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(idleFor):
	}
	after, err := c.hub.Read(ctx)
	if err != nil {
		return err
	}
	now, err := c.hub.Traffic(ctx)
	if err != nil {
		return err
	}
	seconds := time.Since(from).Seconds()
	f.Watches = now.Watches
	f.IdleRequests, f.IdleWrites = (now.Requests-asked.Requests)/seconds, (now.Writes-asked.Writes)/seconds
	f.IdleController, f.IdlePlane = after.CPUSince(before, sandbox.Controller, 1)/seconds, after.CPUSince(before, sandbox.ControlPlane, 1)/seconds
	f.Heap, f.RSS, f.PlaneRSS = after.Controller.Heap, after.RSS[sandbox.Controller], after.RSS[sandbox.ControlPlane]
	return nil
}

// load sends operations to the queues of all agents, or to that of the hub itself.
func (c *crowd) load(ctx context.Context, n int, f *crowded) error {
	queues := []string{"bench-here"}
	if c.agents > 0 {
		queues = nil
		for i := range c.agents {
			queues = append(queues, agentName(i))
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &sending{name: fmt.Sprintf("with-%d", c.agents), clusters: []*harness.Cluster{c.hub}, hub: c.hub, queues: queues, ended: map[string]time.Time{}}
	if err := c.hub.Follow(ctx, &v1alpha1.OperationList{}, namespace, "", s.see); err != nil {
		return err
	}
	before, err := c.hub.Traffic(ctx)
	if err != nil {
		return err
	}
	from := time.Now()
	var sent figures
	if err := s.together(ctx, n, &sent); err != nil {
		return err
	}
	after, err := c.hub.Traffic(ctx)
	f.Costs, f.Succeeded, f.Requests = sent.Costs, sent.Succeeded, (after.Requests-before.Requests)/time.Since(from).Seconds()
	return err
}

// join makes an agent with its queue at the hub, and serves it here.
func (c *crowd) join(ctx context.Context, agent string) error {
	config, err := identify(ctx, c.hub, agent, v1alpha1.AgentSpec{Remote: true, Namespace: agent})
	if err != nil {
		return err
	}
	here := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: agent, Labels: map[string]string{v1alpha1.ManagedLabel: "true"}}}
	if err := c.objects.Create(ctx, here); err != nil {
		return err
	}
	if err := c.hub.Objects.Create(ctx, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: agent}, Spec: v1alpha1.QueueSpec{Agent: agent}}); err != nil {
		return err
	}
	objects := agentcontroller.CachedObjects()
	objects[&v1alpha1.Operation{}] = cache.ByObject{Namespaces: map[string]cache.Config{agent: {}}}
	mgr, err := ctrl.NewManager(c.worker.Config, ctrl.Options{
		Scheme: c.scheme, Cache: cache.Options{ByObject: objects}, Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	copies, err := agentcontroller.Setup(mgr, agentcontroller.Options{Name: agent, Hub: config})
	if err != nil {
		return err
	}
	go func() {
		for {
			select {
			case <-copies.Changed():
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() {
		if err := mgr.Start(ctx); err != nil {
			fmt.Fprintf(os.Stderr, "agent %s: %v\n", agent, err)
		}
	}()
	return nil
}

// ready waits until the hub hears of all agents.
func (c *crowd) ready(ctx context.Context) error {
	return wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 3*time.Minute, true, func(ctx context.Context) (bool, error) {
		agents := &v1alpha1.AgentList{}
		if err := c.hub.Objects.List(ctx, agents); err != nil {
			return false, err
		}
		ready := 0
		for i := range agents.Items {
			if a := &agents.Items[i]; a.Spec.Remote && meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ReadyCondition) {
				ready++
			}
		}
		return ready == c.agents, nil
	})
}
