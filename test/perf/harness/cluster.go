package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
)

const upTimeout = 3 * time.Minute

// Options of a cluster.
type Options struct {
	Common
	// Agent whose queues it serves at the hub that HubKubeconfig leads to; empty: none.
	Agent, HubKubeconfig string
	Progress             func(step string)
}

// Cluster is the sandbox of one benchmark.
type Cluster struct {
	Sandbox *sandbox.Sandbox
	Client  kubernetes.Interface
	Objects client.WithWatch

	// metricsToken is that of one who may read metrics.
	metricsToken string
}

// Start brings up a sandbox in a temporary directory.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "queueyard-bench-")
	if err != nil {
		return nil, err
	}
	s, err := sandbox.Up(ctx, sandbox.Options{Dir: dir, BinDir: o.Bin, SimulatedNodes: o.Nodes,
		Capacity: simulation.DefaultCapacity(), NoProcessNode: true, Progress: o.Progress, Agent: o.Agent, HubKubeconfig: o.HubKubeconfig})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bring up a sandbox in %s: %w", dir, err), discard(dir))
	}
	c := &Cluster{Sandbox: s}
	if err = c.connect(); err == nil {
		c.metricsToken, err = c.metricsReader(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// discard removes what a failed start left behind.
func discard(dir string) error {
	s, err := sandbox.Open(dir)
	if err != nil {
		return os.RemoveAll(dir)
	}
	return (&Cluster{Sandbox: s}).Stop()
}

// Stop takes the sandbox down and removes it.
func (c *Cluster) Stop() error {
	if err := c.Sandbox.Down(context.Background()); err != nil {
		return err
	}
	return c.Sandbox.Delete()
}

func (c *Cluster) connect() error {
	config, err := c.Sandbox.Config()
	if err != nil {
		return err
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if c.Objects, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	protobuf := rest.CopyConfig(config)
	protobuf.ContentType = runtime.ContentTypeProtobuf
	c.Client, err = kubernetes.NewForConfig(protobuf)
	return err
}

// PIDs are the processes of the components that run.
func (c *Cluster) PIDs() (map[string]int, error) {
	components, _, err := c.Sandbox.Status()
	if err != nil {
		return nil, err
	}
	pids := map[string]int{}
	for _, component := range components {
		if component.PID != 0 {
			pids[component.Name] = component.PID
		}
	}
	return pids, nil
}
