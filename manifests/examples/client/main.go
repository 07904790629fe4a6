// Command client runs a command in a queue: it creates an operation, says why it waits, and follows its statuses to the end.
//
//	go run ./manifests/examples/client -namespace team -queue gpu -param rate=0.1 -- train-1 bash -c 'echo {{ params.rate }}'
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func run(ctx context.Context) error {
	params := map[string]any{}
	var (
		set       queueyard.Settings
		namespace = flag.String("namespace", "default", "namespace of the operation")
		image     = flag.String("image", "debian:stable-slim", "image of the container")
		priority  = flag.Int("priority", 0, "priority inside the queue: larger goes first")
	)
	flag.StringVar(&set.Queue, "queue", "", "NAME or AGENT/NAME (default: the project's, the organization's, the cluster's)")
	flag.StringVar(&set.Project, "project", "", "project (default: the only one that claims the namespace)")
	flag.Func("param", "NAME=VALUE, the value as JSON or else as text; may be given again", func(text string) error {
		name, value, _ := strings.Cut(text, "=")
		params[name] = value
		if json.Valid([]byte(value)) {
			params[name] = json.RawMessage(value)
		}
		return nil
	})
	flag.Parse()
	if flag.NArg() < 2 {
		return fmt.Errorf("give the name of the operation, and its command")
	}
	var err error
	if set.Params, err = queueyard.Params(params); err != nil {
		return err
	}
	n := int32(*priority)
	set.Priority = &n

	kubeconfig, err := config.GetConfig()
	if err != nil {
		return err
	}
	c, err := queueyard.New(kubeconfig)
	if err != nil {
		return err
	}
	op, err := queueyard.PodOperation(*namespace, flag.Arg(0), corev1.PodSpec{
		Containers: []corev1.Container{{Name: "main", Image: *image, Command: flag.Args()[1:]}},
	})
	if err != nil {
		return err
	}
	if err := c.Create(ctx, op, set); err != nil {
		return err // admission says what is wrong, and what to do
	}
	fmt.Printf("operation %s is created\n", op.Name)
	return follow(ctx, c, op)
}

// follow prints each new status, and each new reason to wait. The error says what came of it, unless it succeeded.
func follow(ctx context.Context, c *queueyard.Client, op client.Object) error {
	said, reason := 0, ""
	for now, err := range c.Versions(ctx, op) {
		if err != nil {
			return err
		}
		line := queueyard.TimelineOf(now, time.Now())
		for _, e := range line.Entries[max(0, said-int(line.Dropped)):] {
			fmt.Printf("%s  %-12s  %s\n", e.Time.Format(time.RFC3339), e.Status, e.Message)
		}
		said = int(line.Dropped) + len(line.Entries)
		if line.Phase == v1alpha1.StatusQueued {
			why, err := c.Explain(ctx, now)
			if err != nil {
				return err
			}
			if text := checklist(why); text != reason {
				reason = text
				fmt.Print(text)
			}
		}
		op = now
	}
	result, err := c.Wait(ctx, op, queueyard.Finished)
	if err != nil {
		return err
	}
	return result.Err()
}

// checklist of the gates before an operation that waits.
func checklist(why *queueyard.Explanation) string {
	if len(why.Blocking()) == 0 {
		return ""
	}
	var text strings.Builder
	for _, g := range why.Gates {
		mark := "✖"
		if g.OK {
			mark = "✔"
		}
		fmt.Fprintf(&text, "    %s %s\n", mark, g.Message)
	}
	if why.Position > 0 {
		fmt.Fprintf(&text, "    position %d of %d\n", why.Position, why.Waiting)
	}
	if why.Holders != nil {
		for _, h := range why.Holders.Items {
			fmt.Fprintf(&text, "    %s %s of namespace %s holds %s\n", h.Kind, h.Name, h.Namespace, h.Amount.String())
		}
	}
	return text.String()
}
