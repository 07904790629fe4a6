package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
)

// logs is the command line of 'qy logs'.
type logs struct {
	shell      *Shell
	follow     bool
	container  string
	tail       int64
	since      time.Duration
	timestamps bool
	attempt    int32
}

func newLogs(s *Shell) *cobra.Command {
	l := &logs{shell: s}
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Print the logs of an operation's pods",
		Long: `Prints the logs of the pods of an operation, Job or pod. With --follow it waits for the first pod to start, and goes on until all have ended.
The logs of an operation that runs in another cluster are there, and it says how to read them.`,
		Args:              exactly("NAME"),
		ValidArgsFunction: s.completeNames(true, operationKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := s.cluster()
			if err != nil {
				return err
			}
			o, err := c.resolve(cmd.Context(), args[0], whatWaits...)
			if err != nil {
				return err
			}
			return l.run(cmd.Context(), c, o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&l.follow, "follow", "f", false, "wait for the first pod, and go on until all have ended")
	flags.StringVarP(&l.container, "container", "c", "", "container (default: the one named main, else the first)")
	flags.Int64Var(&l.tail, "tail", -1, "only so many of the last lines; -1: all")
	flags.DurationVar(&l.since, "since", 0, "only what is newer, such as 5m")
	flags.BoolVar(&l.timestamps, "timestamps", false, "with the time of each line")
	flags.Int32Var(&l.attempt, "attempt", 0, "attempt of the operation (default: the last)")
	return cmd
}

func (l *logs) run(ctx context.Context, c *cluster, o client.Object) error {
	if w, is := o.(*v1alpha1.Workflow); is {
		return fmt.Errorf("%s has no logs of its own: qy tree %s shows its operations", queueyard.Title(w), w.Name)
	}
	if op, is := o.(*v1alpha1.Operation); is {
		if agent := queueyard.AgentOf(op); agent != "" {
			return l.elsewhere(ctx, c, op, agent)
		}
	}
	pods, err := l.pods(ctx, c, o)
	if err != nil {
		return err
	}
	if len(pods) == 1 {
		return l.stream(ctx, c, &pods[0], l.shell.Out)
	}
	return l.all(ctx, c, pods)
}

// elsewhere says where the logs are that this cluster does not have.
func (l *logs) elsewhere(ctx context.Context, c *cluster, op *v1alpha1.Operation, agent string) error {
	follow := ""
	if l.follow {
		follow = " -f"
	}
	return fmt.Errorf("op/%s runs in the cluster of agent %s, and so its logs are there:\n  kubectl --context CLUSTER-OF-%s -n %s logs%s -l %s=%s --tail=-1",
		op.Name, agent, agent, c.queueyard.NamespaceAt(ctx, agent, op), follow, v1alpha1.OperationLabel, op.Status.Run.Name)
}

// pods of the attempt that was asked for, or of the last one that has any. With follow it waits until one has started.
func (l *logs) pods(ctx context.Context, c *cluster, o client.Object) (pods []corev1.Pod, err error) {
	look := func() (bool, error) {
		pods, err = l.list(ctx, c, o)
		if err != nil {
			return false, err
		}
		started := slices.ContainsFunc(pods, func(p corev1.Pod) bool { return p.Status.Phase != corev1.PodPending })
		if !l.follow || started {
			return true, nil
		}
		if err := c.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return false, err
		}
		return queueyard.Over(o), nil
	}
	if err := poll(ctx, 0, look, nil); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(pods, func(p corev1.Pod) bool { return p.Spec.NodeName != "" }) {
		return pods, nil
	} else if len(pods) > 0 && !queueyard.Over(o) {
		return nil, fmt.Errorf("%s is on no node yet: qy why %s says what it waits for, and --follow waits for it", queueyard.Title(o), queueyard.Title(o))
	}
	switch o := o.(type) {
	case *v1alpha1.Operation:
		if l.attempt > 0 {
			return nil, fmt.Errorf("op/%s has no pod of attempt %d: it is at attempt %d", o.Name, l.attempt, o.Status.Attempt)
		}
		if queueyard.Over(o) {
			return nil, fmt.Errorf("op/%s is over, %s, and its pods are gone with their logs", o.Name, o.Status.Phase)
		}
		return nil, fmt.Errorf("op/%s has no pod, it is %s: qy why %s says what it waits for, and --follow waits for it", o.Name, orDash(string(o.Status.Phase)), o.Name)
	default:
		return nil, fmt.Errorf("%s has no pod yet: qy why %s says what it waits for", queueyard.Title(o), queueyard.Title(o))
	}
}

func (l *logs) list(ctx context.Context, c *cluster, o client.Object) ([]corev1.Pod, error) {
	pods, err := c.queueyard.Pods(ctx, o)
	if _, is := o.(*v1alpha1.Operation); is && err == nil {
		return ofAttempt(pods, l.attempt), nil
	}
	return pods, err
}

// ofAttempt keeps the pods of an attempt; 0: of the last one.
func ofAttempt(pods []corev1.Pod, attempt int32) []corev1.Pod {
	number := func(p *corev1.Pod) int {
		n, err := strconv.Atoi(p.Labels[v1alpha1.AttemptLabel])
		if err != nil {
			return 0
		}
		return n
	}
	last := int(attempt)
	if last == 0 {
		for i := range pods {
			last = max(last, number(&pods[i]))
		}
	}
	return slices.DeleteFunc(pods, func(p corev1.Pod) bool { return number(&p) != last })
}

// all prints the logs of several pods, each line with the name of its pod: one after the other, or as they come.
func (l *logs) all(ctx context.Context, c *cluster, pods []corev1.Pod) error {
	var (
		wait sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	for i := range pods {
		out := &prefixed{prefix: "[" + pods[i].Name + "] ", to: l.shell.Out, mu: &mu}
		work := func() {
			err := l.stream(ctx, c, &pods[i], out)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		}
		if l.follow {
			wait.Go(work)
		} else {
			work()
		}
	}
	wait.Wait()
	return errors.Join(errs...)
}

// prefixed writes whole lines with something before each.
type prefixed struct {
	prefix string
	to     io.Writer
	mu     *sync.Mutex
}

func (p *prefixed) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := io.WriteString(p.to, p.prefix); err != nil {
		return 0, err
	}
	return p.to.Write(line)
}

// stream copies the log of a pod, line by line.
func (l *logs) stream(ctx context.Context, c *cluster, pod *corev1.Pod, to io.Writer) error {
	options := &corev1.PodLogOptions{Container: l.container, Follow: l.follow, Timestamps: l.timestamps}
	if options.Container == "" {
		options.Container = mainContainer(pod)
	}
	if l.tail >= 0 {
		options.TailLines = &l.tail
	}
	if l.since > 0 {
		seconds := int64(max(time.Second, l.since).Seconds())
		options.SinceSeconds = &seconds
	}
	stream, err := c.kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
	if err != nil {
		return fmt.Errorf("logs of pod %s: %w", pod.Name, err)
	}
	defer stream.Close()
	reader := bufio.NewReader(stream)
	for {
		line, err := reader.ReadBytes('\n')
		if len(line) > 0 {
			if line[len(line)-1] != '\n' {
				line = append(line, '\n')
			}
			if _, err := to.Write(line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// mainContainer is the one whose end is the operation's.
func mainContainer(pod *corev1.Pod) string {
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == "main" {
			return "main"
		}
	}
	return pod.Spec.Containers[0].Name
}
