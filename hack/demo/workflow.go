package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// runWorkflow runs the quickstart's workflow to its end, shows its progress, and checks its best result
// against the outputs of the trials.
func runWorkflow(ctx context.Context, config *rest.Config, file string) error {
	fmt.Printf("\nApplying %s: a grid search of 15 trials, three at a time, and a training with the best params.\n\n", file)
	if err := apply(ctx, config, file); err != nil {
		return err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	main, search := &v1alpha1.Workflow{}, &v1alpha1.Workflow{}
	shown := ""
	err = wait.PollUntilContextCancel(ctx, lookPeriod, true, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "tune-iris"}, main); err != nil {
			return false, err
		}
		if search, err = searchOf(ctx, c, main); err != nil {
			return false, err
		}
		if line := progress(main, search); line != shown {
			fmt.Println("  " + line)
			shown = line
		}
		return main.Status.Phase.Final(), nil
	})
	if err != nil {
		return fmt.Errorf("workflow tune-iris: %w", err)
	}
	if main.Status.Phase != v1alpha1.StatusSucceeded {
		return fmt.Errorf("workflow tune-iris is %s: %+v", main.Status.Phase, main.Status.Problems)
	}
	return checkBest(ctx, c, main, search)
}

// searchOf is the nested workflow of the search, or nil before there is one.
func searchOf(ctx context.Context, c client.Client, main *v1alpha1.Workflow) (*v1alpha1.Workflow, error) {
	nested := &v1alpha1.WorkflowList{}
	err := c.List(ctx, nested, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.WorkflowUIDLabel: string(main.UID)})
	if err != nil || len(nested.Items) == 0 {
		return nil, err
	}
	return &nested.Items[0], nil
}

func progress(main, search *v1alpha1.Workflow) string {
	line := fmt.Sprintf("tune-iris %-10s %s", main.Status.Phase, main.Status.Progress)
	if search != nil {
		line += fmt.Sprintf("   search %-10s %5s done, %d running", search.Status.Phase, search.Status.Progress, search.Status.Children.Running)
		if best := search.Status.Best; best != nil {
			line += ", best loss " + best.Value
		}
	}
	return line
}

// checkBest compares what the workflow says with what its trials say.
func checkBest(ctx context.Context, c client.Client, main, search *v1alpha1.Workflow) error {
	if search == nil || search.Status.Best == nil {
		return errors.New("the search has no best trial")
	}
	trials := &v1alpha1.OperationList{}
	if err := c.List(ctx, trials, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.WorkflowUIDLabel: string(search.UID)}); err != nil {
		return err
	}
	best := search.Status.Best
	value, err := strconv.ParseFloat(best.Value, 64)
	if err != nil {
		return err
	}
	for _, trial := range trials.Items {
		var loss float64
		if err := json.Unmarshal(trial.Status.Outputs["loss"].Raw, &loss); err != nil {
			return fmt.Errorf("trial %s: %w", trial.Name, err)
		}
		if loss < value {
			return fmt.Errorf("the best trial is %s with loss %v, and %s has %v", best.Name, value, trial.Name, loss)
		}
	}
	params, err := json.Marshal(best.Params)
	if err != nil {
		return err
	}
	fmt.Printf("\nBest of %d trials: %s, loss %s, params %s.\nTrained with these, accuracy is %s.\n",
		len(trials.Items), best.Name, best.Value, params, main.Status.Outputs["accuracy"].Raw)
	return nil
}
