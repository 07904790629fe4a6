package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// runOperation runs the quickstart's operation to its end and shows its timeline and outputs.
func runOperation(ctx context.Context, config *rest.Config, file string) error {
	fmt.Printf("\nApplying %s: a component, and an operation that trains with its params.\n\n", file)
	if err := apply(ctx, config, file); err != nil {
		return err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	op := &v1alpha1.Operation{}
	shown := 0
	err = wait.PollUntilContextCancel(ctx, lookPeriod, true, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "best-guess"}, op); err != nil {
			return false, err
		}
		for ; shown < len(op.Status.Timeline); shown++ {
			e := op.Status.Timeline[shown]
			fmt.Printf("  %s  %-10s %s\n", e.Time.Format(time.TimeOnly), e.Status, e.Message)
		}
		return op.Status.Phase.Final(), nil
	})
	if err != nil {
		return fmt.Errorf("operation best-guess: %w", err)
	}
	outputs, err := json.Marshal(op.Status.Outputs)
	if err != nil {
		return err
	}
	fmt.Printf("\nOperation best-guess %s; outputs %s\n", op.Status.Phase, outputs)
	if op.Status.Phase != v1alpha1.StatusSucceeded {
		return fmt.Errorf("operation best-guess is %s", op.Status.Phase)
	}
	return nil
}
