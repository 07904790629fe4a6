package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
	"github.com/queueyard/queueyard/pkg/suggest"
)

// top is the command line of 'qy top'.
type top struct {
	shell     *Shell
	once      bool
	noHeaders bool
	agent     string
	sortBy    string
	names     []string
}

func newTop(s *Shell) *cobra.Command {
	t := &top{shell: s}
	cmd := &cobra.Command{
		Use:   "top [QUEUE...]",
		Short: "Show the queues live: what runs, what waits, how full they are",
		Long: `Shows the queues live: what runs and waits in each, how full its concurrency, quotas and budget are, how long the oldest has waited, and what it costs
per hour. On a terminal it is drawn again every second, until interrupted; elsewhere it is printed once.`,
		Example: `  qy top
  qy top gpu cpu --once
  qy top --agent gpu-east --sort-by waiting`,
		ValidArgsFunction: s.completeNames(false, queueKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			t.names = args
			return t.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&t.once, "once", false, "print it once, as lines")
	flags.BoolVar(&t.noHeaders, "no-headers", false, "without the lines of headings")
	flags.StringVar(&t.agent, "agent", "", "only queues of this agent")
	flags.StringVar(&t.sortBy, "sort-by", "name", "order: "+strings.Join(slices.Sorted(maps.Keys(topOrders)), ", "))
	complete(cmd, "sort-by", slices.Sorted(maps.Keys(topOrders))...)
	if err := cmd.RegisterFlagCompletionFunc("agent", s.completeNames(false, agentKind)); err != nil {
		panic(err) // the flag was added by a line above
	}
	return cmd
}

// topOrders sort the queues. What is equal is by name.
var topOrders = map[string]func(a, b *v1alpha1.Queue) int{
	"name":    func(a, b *v1alpha1.Queue) int { return 0 },
	"running": func(a, b *v1alpha1.Queue) int { return cmp.Compare(b.Status.Admitted, a.Status.Admitted) },
	"waiting": func(a, b *v1alpha1.Queue) int { return cmp.Compare(waitingIn(b), waitingIn(a)) },
	"oldest": func(a, b *v1alpha1.Queue) int {
		switch x, y := a.Status.OldestPending, b.Status.OldestPending; {
		case x == nil && y == nil:
			return 0
		case x == nil:
			return 1
		case y == nil:
			return -1
		default:
			return x.Compare(y.Time)
		}
	},
}

// waitingIn is how many operations wait in a queue: those with a pod in its line, and all of kind Operation.
func waitingIn(q *v1alpha1.Queue) int32 {
	if q.Status.Operations == nil {
		return q.Status.Pending
	}
	return max(q.Status.Pending, q.Status.Operations.Waiting)
}

func (t *top) run(ctx context.Context) error {
	if _, ok := topOrders[t.sortBy]; !ok {
		known := slices.Sorted(maps.Keys(topOrders))
		return fmt.Errorf("--sort-by %q is no order%s: choose one of %s", t.sortBy, suggest.DidYouMean(t.sortBy, known), strings.Join(known, ", "))
	}
	c, err := t.shell.cluster()
	if err != nil {
		return err
	}
	for _, name := range t.names {
		if err := c.find(ctx, queueKind, name, &v1alpha1.Queue{}); err != nil {
			return err
		}
	}
	if t.agent != "" {
		if err := c.find(ctx, agentKind, t.agent, &v1alpha1.Agent{}); err != nil {
			return err
		}
	}
	list := &v1alpha1.QueueList{}
	if err := c.List(ctx, list); err != nil {
		return err
	}
	queues := map[string]*v1alpha1.Queue{}
	for i := range list.Items {
		queues[list.Items[i].Name] = &list.Items[i]
	}
	if t.once || t.shell.Size == nil {
		text, err := t.picture(queues, false)
		fmt.Fprint(t.shell.Out, text)
		return err
	}
	return t.live(ctx, c, queues)
}

// live draws the queues again every second with what was told of them since.
func (t *top) live(ctx context.Context, c *cluster, queues map[string]*v1alpha1.Queue) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type change struct {
		queue *v1alpha1.Queue
		gone  bool
	}
	changes, ended := make(chan change), make(chan error, 1)
	go func() {
		ended <- c.queueyard.Watch(ctx, &v1alpha1.QueueList{}, func(o client.Object, gone bool) (bool, error) {
			select {
			case changes <- change{o.(*v1alpha1.Queue), gone}:
			case <-ctx.Done():
			}
			return false, nil
		})
	}()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	picture := &screen{shell: t.shell}
	draw := func() error {
		text, err := t.picture(queues, true)
		if err == nil {
			picture.draw(text)
		}
		return err
	}
	if err := draw(); err != nil {
		return err
	}
	for {
		select {
		case x := <-changes:
			if x.gone {
				delete(queues, x.queue.Name)
			} else {
				queues[x.queue.Name] = x.queue
			}
		case <-ticker.C:
			if err := draw(); err != nil {
				return err
			}
		case err := <-ended:
			return err
		}
	}
}

// picture is how the queues are now: on a terminal with bars, and no more of them than fit.
func (t *top) picture(queues map[string]*v1alpha1.Queue, live bool) (string, error) {
	var shown []*v1alpha1.Queue
	for _, name := range slices.Sorted(maps.Keys(queues)) {
		q := queues[name]
		if (t.agent == "" || q.Spec.Agent == t.agent) && (len(t.names) == 0 || slices.Contains(t.names, name)) {
			shown = append(shown, q)
		}
	}
	slices.SortStableFunc(shown, topOrders[t.sortBy])
	table := &table{columns: columns("QUEUE", "RUNNING", "WAITING", "OLDEST", "COST/H", "STATE", "AGENT")}
	var running, waiting int32
	hidden, room := 0, 0
	if _, height := t.size(); live && height > 0 {
		room = max(1, height-4) // the headings, what is hidden, and the line of the cursor
	}
	for _, q := range shown {
		running, waiting = running+q.Status.Admitted, waiting+waitingIn(q)
		rows := t.rows(q, live)
		if room > 0 && len(table.rows)+len(rows) > room {
			hidden++
			continue
		}
		table.rows = append(table.rows, rows...)
	}
	var text strings.Builder
	if !t.noHeaders {
		fmt.Fprintf(&text, "%s, %d running, %d waiting; %s\n", count(len(shown), "queue", "queues"), running, waiting, t.shell.clock(t.shell.Now()))
	}
	if err := table.write(t.shell, &text, false, !t.noHeaders); err != nil {
		return "", err
	}
	if hidden > 0 {
		fmt.Fprintf(&text, "… and %s that the terminal has no room for\n", count(hidden, "queue", "queues"))
	}
	return trailing.ReplaceAllString(text.String(), "\n"), nil
}

// trailing is the room behind the last word of a line.
var trailing = regexp.MustCompile(` +\n`)

func (t *top) size() (width, height int) {
	if t.shell.Size == nil {
		return 0, 0
	}
	return t.shell.Size()
}

// rows are a queue with its concurrency, and below it its quotas.
func (t *top) rows(q *v1alpha1.Queue, bars bool) [][]cell {
	oldest := ""
	if q.Status.OldestPending != nil {
		oldest = t.shell.since(q.Status.OldestPending.Time)
	}
	full := 0.0
	if n := q.Spec.Concurrency; n != nil && *n >= 0 {
		full = share(float64(q.Status.Admitted), float64(*n))
	}
	waits := cell{text: fmt.Sprint(waitingIn(q))}
	if waitingIn(q) > 0 {
		waits.colour = yellow
	}
	bounded := q.Spec.Concurrency != nil && *q.Spec.Concurrency >= 0
	rows := [][]cell{row(q.Name, gauge(of(q.Status.Admitted, q.Spec.Concurrency), full, bounded, bars), waits, oldest, q.Status.CostRate, queueState(q), q.Spec.Agent)}
	below := func(name, text string, full float64) {
		blank := cell{text: " "}
		rows = append(rows, row("  "+name, gauge(text, full, true, bars), blank, blank, blank, blank, blank))
	}
	quota := q.Spec.Quota
	if quota == nil {
		return rows
	}
	for _, name := range slices.Sorted(maps.Keys(quota.Resources)) {
		used, most := q.Status.Usage[name], quota.Resources[name]
		if most.Sign() >= 0 {
			below(string(name), used.String()+"/"+most.String(), ofQuantity(used, most))
		}
	}
	if c := quota.Cost; c != nil && c.Sign() >= 0 {
		used, err := resource.ParseQuantity(cmp.Or(q.Status.CostRate, "0"))
		if err == nil {
			below("cost per hour", queueyard.Number(used)+"/"+queueyard.Number(*c), ofQuantity(used, *c))
		}
	}
	if b := quota.Budget; b != nil && q.Status.Budget != nil {
		used, err := resource.ParseQuantity(q.Status.Budget.Spent)
		if err == nil {
			below("budget per "+b.Window, queueyard.Number(used)+"/"+queueyard.Number(b.Amount), ofQuantity(used, b.Amount))
		}
	}
	return rows
}

func ofQuantity(used, most resource.Quantity) float64 {
	return share(used.AsApproximateFloat64(), most.AsApproximateFloat64())
}

// share is how much of a limit is used. Of nothing all is.
func share(used, most float64) float64 {
	if most <= 0 {
		return 1
	}
	return used / most
}

// barWidth is how many characters a bar has.
const barWidth = 10

// gauge is a number, behind a bar where there are bars and a limit. What is full is yellow, and says so by its bar and number.
func gauge(text string, full float64, bounded, bars bool) cell {
	c := cell{text: text}
	if bounded && full >= 1 {
		c.colour = yellow
	}
	if !bars {
		return c
	}
	if !bounded {
		c.text = strings.Repeat(" ", barWidth) + " " + text
		return c
	}
	n := min(barWidth, max(0, int(full*barWidth)))
	if n == 0 && full > 0 {
		n = 1
	}
	c.text = strings.Repeat("█", n) + strings.Repeat("░", barWidth-n) + " " + text
	return c
}
