// Command screenshots makes the transcript of the README anew: it brings up a sandbox, runs a few operations in it, and writes
// down what qy says of them. Pictures of the dashboard are made by the tests of test/browser, which have more to show.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
)

// stage is what is looked at.
type stage struct {
	sandbox *sandbox.Sandbox
	client  *queueyard.Client
	// bin has the programs of make build.
	bin string
}

const (
	namespace = "vision"
	patience  = 2 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "queueyard-screenshots-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &stage{}
	if s.bin, err = filepath.Abs("bin"); err != nil {
		return err
	}
	fmt.Println("bringing up a sandbox")
	s.sandbox, err = sandbox.Up(ctx, sandbox.Options{Dir: filepath.Join(dir, "sandbox"), BinDir: s.bin, WorkDir: dir, SimulatedNodes: 1, Capacity: simulation.DefaultCapacity()})
	if err != nil {
		return fmt.Errorf("sandbox (make build makes its programs): %w", err)
	}
	defer func() { err = errors.Join(err, s.sandbox.Down(context.Background())) }()
	config, err := s.sandbox.Config()
	if err != nil {
		return err
	}
	if s.client, err = queueyard.New(config); err != nil {
		return err
	}
	fmt.Println("running a few operations")
	if err := s.play(ctx); err != nil {
		return err
	}
	return transcript(ctx, s)
}

// play fills a queue of two seats, so that a third operation waits, and takes others to their ends.
func (s *stage) play(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the operations of the stage take too long"))
	defer cancel()
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{v1alpha1.ManagedLabel: "true"}}},
		&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "training"}, Spec: v1alpha1.QueueSpec{Priority: ptr.To[int32](10), Concurrency: ptr.To[int32](2),
			Quota: &v1alpha1.Quota{Resources: map[corev1.ResourceName]resource.Quantity{corev1.ResourceCPU: resource.MustParse("4")}}}},
		&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "evaluation"}, Spec: v1alpha1.QueueSpec{Priority: ptr.To[int32](5), Concurrency: ptr.To[int32](4)}},
	} {
		if err := s.client.Objects.Create(ctx, o); err != nil {
			return err
		}
	}
	for _, o := range []struct {
		name, queue, script string
		until               queueyard.Goal
	}{
		{"score", "evaluation", `sleep 2; echo '{"accuracy": 0.94}' > "$TERMINATION_MESSAGE_PATH"`, queueyard.Finished},
		{"train-1", "training", "sleep 600", queueyard.InStatus(v1alpha1.StatusRunning)},
		{"train-2", "training", "sleep 600", queueyard.InStatus(v1alpha1.StatusRunning)},
		{"train-3", "training", "true", queueyard.InCondition(v1alpha1.WaitingCondition, metav1.ConditionFalse)},
	} {
		op, err := queueyard.PodOperation(namespace, o.name, corev1.PodSpec{Containers: []corev1.Container{{
			Name: "main", Image: "none", Command: []string{"bash", "-c", o.script},
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m")}},
		}}})
		if err != nil {
			return err
		}
		if err := s.client.Create(ctx, op, queueyard.Settings{Queue: o.queue}); err != nil {
			return err
		}
		if r, err := s.client.Wait(ctx, op, o.until); err != nil || !r.Reached {
			return fmt.Errorf("operation %s is not %s: %w", o.name, o.until, errors.Join(err, ctx.Err()))
		}
	}
	return nil
}
