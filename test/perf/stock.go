package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/supervisor"
	"github.com/queueyard/queueyard/test/perf/harness"
)

// stockProfile is a profile of the same scheduler process that has no queues.
const stockProfile = "stock"

// addStockProfile adds a profile to the configuration of the scheduler and starts it anew. All
// profiles of a scheduler share one queue and so one QueueSort; nothing else of ours is in this one.
func addStockProfile(ctx context.Context, c *harness.Cluster) error {
	path, err := schedulerConfig(c)
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
	pids, err := c.PIDs()
	if err != nil {
		return err
	}
	old := pids[sandbox.Scheduler]
	if err := syscall.Kill(old, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the scheduler: %w", err)
	}
	return wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(context.Context) (bool, error) {
		pids, err := c.PIDs()
		return pids[sandbox.Scheduler] != 0 && pids[sandbox.Scheduler] != old, err
	})
}

// schedulerConfig is the file that the scheduler reads at its start.
func schedulerConfig(c *harness.Cluster) (string, error) {
	components, err := supervisor.ReadComponents(c.Sandbox.Dir())
	if err != nil {
		return "", err
	}
	for _, component := range components {
		if i := slices.Index(component.Process.Args, "--config"); component.Name == sandbox.Scheduler && i >= 0 {
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
