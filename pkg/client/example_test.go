package client_test

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	visibility "github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
)

// Run a component in a queue, and wait for what comes of it.
func Example() {
	run := func(ctx context.Context, config *rest.Config) error {
		c, err := queueyard.New(config)
		if err != nil {
			return err
		}
		op := queueyard.ComponentOperation("team", "train-", "trainer")
		if err := c.Create(ctx, op, queueyard.Settings{Queue: "gpu"}); err != nil {
			return err
		}
		result, err := c.Wait(ctx, op, queueyard.Finished)
		if err != nil {
			return err
		}
		return result.Err()
	}
	_ = run // manifests/examples/client is a whole program
}

// Say why an operation waits.
func ExampleExplanation() {
	why := &queueyard.Explanation{
		Summary: "waits in queue gpu, position 3 of 7: QueueFull", Position: 3, Waiting: 7,
		Gates: []queueyard.Gate{
			{Kind: queueyard.ApprovalGate, OK: true, Message: "approved by ada"},
			{Kind: queueyard.LimitGate, Message: "queue gpu: 4/4 operations running", Limit: &visibility.Check{LimitReference: visibility.LimitReference{Kind: "Queue", Name: "gpu"}}},
		},
	}
	fmt.Println(why.Summary)
	for _, g := range why.Blocking() {
		fmt.Println("closed:", g.Kind, g.Message)
	}
	// Output:
	// waits in queue gpu, position 3 of 7: QueueFull
	// closed: Limit queue gpu: 4/4 operations running
}

// Show how long each status lasted.
func ExampleTimelineOf() {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	op := queueyard.ComponentOperation("team", "train", "trainer")
	op.Status.Phase = v1alpha1.StatusRunning
	for i, status := range []v1alpha1.Status{v1alpha1.StatusQueued, v1alpha1.StatusRunning} {
		e := v1alpha1.TimelineEntry{Status: status}
		e.Time.Time = noon.Add(time.Duration(i) * time.Minute)
		op.Status.Timeline = append(op.Status.Timeline, e)
	}
	line := queueyard.TimelineOf(op, noon.Add(90*time.Second))
	for _, e := range line.Entries {
		fmt.Println(e.Status, time.Duration(e.For))
	}
	fmt.Println("over:", line.Over)
	// Output:
	// queued 1m0s
	// running 30s
	// over: false
}
