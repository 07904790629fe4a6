package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
	"github.com/queueyard/queueyard/pkg/sandbox/supervisor"
)

const (
	// The components whose processor time is read.
	schedulerComponent    = sandbox.Scheduler
	controlPlaneComponent = sandbox.ControlPlane
	// stockProfile is a profile of the same scheduler process that has no queues.
	stockProfile = "stock"
	upTimeout    = 3 * time.Minute
)

// cluster is the sandbox of one benchmark.
type cluster struct {
	sandbox *sandbox.Sandbox
	client  kubernetes.Interface
	objects client.Client
}

// startCluster brings up a sandbox whose scheduler has the stock profile too.
func startCluster(ctx context.Context, o options, progress func(string)) (*cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "queueyard-bench-")
	if err != nil {
		return nil, err
	}
	s, err := sandbox.Up(ctx, sandbox.Options{Dir: dir, BinDir: o.bin, SimulatedNodes: o.nodes,
		Capacity: simulation.DefaultCapacity(), NoProcessNode: true, Progress: progress})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bring up a sandbox in %s: %w", dir, err), discard(dir))
	}
	c := &cluster{sandbox: s}
	if err = c.connect(); err == nil {
		err = c.addStockProfile(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// discard removes what a failed start left behind.
func discard(dir string) error {
	s, err := sandbox.Open(dir)
	if err != nil {
		return os.RemoveAll(dir)
	}
	return (&cluster{sandbox: s}).stop()
}

func (c *cluster) stop() error {
	if err := c.sandbox.Down(context.Background()); err != nil {
		return err
	}
	return c.sandbox.Delete()
}

func (c *cluster) connect() error {
	config, err := c.sandbox.Config()
	if err != nil {
		return err
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	if c.objects, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	protobuf := rest.CopyConfig(config)
	protobuf.ContentType = runtime.ContentTypeProtobuf
	c.client, err = kubernetes.NewForConfig(protobuf)
	return err
}

// addStockProfile adds a profile to the configuration of the scheduler and starts it anew. All
// profiles of a scheduler share one queue and so one QueueSort; nothing else of ours is in this one.
func (c *cluster) addStockProfile(ctx context.Context) error {
	path, err := c.schedulerConfig()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if text, err = withStockProfile(text); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	pids, err := c.pids()
	if err != nil {
		return err
	}
	old := pids[schedulerComponent]
	if err := syscall.Kill(old, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the scheduler: %w", err)
	}
	return wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(context.Context) (bool, error) {
		pids, err := c.pids()
		return pids[schedulerComponent] != 0 && pids[schedulerComponent] != old, err
	})
}

// schedulerConfig is the file that the scheduler reads at its start.
func (c *cluster) schedulerConfig() (string, error) {
	components, err := supervisor.ReadComponents(c.sandbox.Dir())
	if err != nil {
		return "", err
	}
	for _, component := range components {
		if i := slices.Index(component.Process.Args, "--config"); component.Name == schedulerComponent && i >= 0 {
			return component.Process.Args[i+1], nil
		}
	}
	return "", errors.New("the sandbox has no scheduler with a configuration file")
}

func withStockProfile(text []byte) ([]byte, error) {
	config := map[string]any{}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, err
	}
	profiles, _ := config["profiles"].([]any)
	if len(profiles) == 0 {
		return nil, errors.New("it has no profiles")
	}
	ours, _ := profiles[0].(map[string]any)
	plugins, _ := ours["plugins"].(map[string]any)
	sort, found := plugins["queueSort"]
	if !found {
		return nil, errors.New("its first profile has no queueSort")
	}
	config["profiles"] = append(profiles, map[string]any{
		"schedulerName": stockProfile,
		"plugins":       map[string]any{"queueSort": sort},
	})
	return yaml.Marshal(config)
}

// pids are the processes of the components that run.
func (c *cluster) pids() (map[string]int, error) {
	components, _, err := c.sandbox.Status()
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
