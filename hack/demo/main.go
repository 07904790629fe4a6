// Demo brings up a sandbox, runs the quickstart to its end, shows it live and leaves nothing behind.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/install"
	"github.com/queueyard/queueyard/test/audit"
)

const (
	quickstart = "manifests/examples/quickstart"
	namespace  = "quickstart"
	// lookPeriod is how often the picture is drawn.
	lookPeriod = 200 * time.Millisecond
	// timeLimit is far longer than the quickstart takes on a slow machine.
	timeLimit = 5 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "queueyard-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Printf("Bringing up a sandbox in %s: etcd, API server, a node that runs pods as processes, scheduler and controller.\n", dir)
	started := time.Now()
	box, err := sandbox.Up(ctx, sandbox.Options{Dir: filepath.Join(dir, "sandbox"), BinDir: "bin", WorkDir: "."})
	if box != nil {
		defer func() { err = errors.Join(err, box.Down(context.WithoutCancel(ctx))) }()
	}
	if err != nil {
		return err
	}
	fmt.Printf("Ready after %.1f s. Applying %s: three queues, one project, twelve Jobs that run awk on iris.csv.\n\n", time.Since(started).Seconds(), quickstart)
	config, err := box.Config()
	if err != nil {
		return err
	}
	watcher, err := audit.Watch(ctx, config, audit.DefaultConfig(), nil)
	if err != nil {
		return err
	}
	defer watcher.Stop()
	for _, file := range []string{"queues.yaml", "jobs.yaml"} {
		if err := apply(ctx, config, filepath.Join(quickstart, file)); err != nil {
			return err
		}
	}
	operations, err := follow(ctx, config)
	if err != nil {
		return err
	}
	if err := summarize(operations, watcher.Summary(), watcher.Stop()); err != nil {
		return err
	}
	if err := runOperation(ctx, config, filepath.Join(quickstart, "operation.yaml")); err != nil {
		return err
	}
	return runWorkflow(ctx, config, filepath.Join(quickstart, "workflow.yaml"))
}

func apply(ctx context.Context, config *rest.Config, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := install.Manifest(ctx, config, text); err != nil {
		return fmt.Errorf("apply %s: %w", file, err)
	}
	return nil
}

// follow shows queues and operations until all operations are over.
func follow(ctx context.Context, config *rest.Config) ([]operation, error) {
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	screen := newScreen(os.Stdout)
	ticker := time.NewTicker(lookPeriod)
	defer ticker.Stop()
	for {
		picture, err := look(ctx, c)
		if err != nil {
			return nil, err
		}
		screen.show(picture)
		if picture.over() {
			return picture.operations, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("stopped before all operations were over: %w", context.Cause(ctx))
		case <-ticker.C:
		}
	}
}
