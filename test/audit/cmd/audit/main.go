// Audit watches a cluster and reports every violation of what its queues and workflows promise.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/queueyard/queueyard/test/audit"
)

var errViolated = errors.New("the promises were broken")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		if !errors.Is(err, errViolated) {
			fmt.Fprintln(os.Stderr, "audit:", err)
		}
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var (
		kubeconfig string
		duration   time.Duration
		asJSON     bool
		config     = audit.DefaultConfig()
	)
	c := &cobra.Command{
		Use:   "audit",
		Short: "Watch a cluster and report every violation of what its queues and workflows promise",
		Long: `Audit watches pods, queues, agents, projects, organizations and workflows through the API of any cluster and
prints one line for every violation: a pod bound above a limit, a lower level served before a higher one, an
operation released above the concurrency of a workflow, one that waits though there is room. At the end (after
--duration, or when it is interrupted) it prints what it saw of each queue and workflow. It exits with 1 if there was a violation.`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			rules := clientcmd.NewDefaultClientConfigLoadingRules()
			rules.ExplicitPath = kubeconfig
			cluster, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
			if err != nil {
				return fmt.Errorf("load the kubeconfig: %w", err)
			}
			ctx := c.Context()
			if duration > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, duration)
				defer cancel()
			}
			w, err := audit.Watch(ctx, cluster, config, func(v audit.Violation) { fmt.Fprintln(os.Stderr, v) })
			if err != nil {
				return err
			}
			<-ctx.Done()
			violations := w.Stop()
			if err := printSummary(asJSON, w.Summary(), w.WorkflowSummary(), violations); err != nil {
				return err
			}
			if len(violations) > 0 {
				return errViolated
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&kubeconfig, "kubeconfig", "", "path of the kubeconfig (default: $KUBECONFIG, then ~/.kube/config)")
	f.DurationVar(&duration, "duration", 0, "how long to watch; 0 is until interrupted")
	f.BoolVar(&asJSON, "json", false, "print the summary and the violations as JSON")
	f.DurationVar(&config.EditWindow, "edit-window", config.EditWindow, "a bind or release is a violation only if it exceeds every limit that was in force within this time around it")
	f.DurationVar(&config.OrderGrace, "order-grace", config.OrderGrace, "how long an operation must have waited with room before a lower level may not go first")
	f.DurationVar(&config.StuckAfter, "stuck-after", config.StuckAfter, "how long an operation may wait though there is room")
	return c
}

func printSummary(asJSON bool, queues []audit.QueueSummary, workflows []audit.WorkflowSummary, violations []audit.Violation) error {
	if asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Queues     []audit.QueueSummary    `json:"queues"`
			Workflows  []audit.WorkflowSummary `json:"workflows"`
			Violations []audit.Violation       `json:"violations"`
		}{queues, workflows, violations})
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "QUEUE\tPEAK\tLIMIT\tOPERATIONS\tSTARTED\tFINISHED\tWAIT P50\tP95\tMAX")
	for _, q := range queues {
		fmt.Fprintf(t, "%s\t%d\t%s\t%d\t%d\t%d\t%.2fs\t%.2fs\t%.2fs\n",
			q.Queue, q.Peak, limitName(q.Limit), q.Operations, q.Started, q.Finished, q.WaitP50, q.WaitP95, q.WaitMax)
	}
	if len(workflows) > 0 {
		fmt.Fprintln(t, "WORKFLOW\tPEAK\tLIMIT")
	}
	for _, w := range workflows {
		fmt.Fprintf(t, "%s\t%d\t%s\n", w.Workflow, w.Peak, limitName(w.Limit))
	}
	fmt.Fprintf(t, "%d violations\n", len(violations))
	return t.Flush()
}

func limitName(limit int64) string {
	if limit < 0 {
		return "-"
	}
	return fmt.Sprint(limit)
}
