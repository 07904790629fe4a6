package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// WriteTable writes a report for people. Of the queues it shows those that waited longest, as many
// as rows says; 0 shows all.
func (r *Report) WriteTable(to io.Writer, rows int) error {
	var out, text bytes.Buffer
	fmt.Fprintf(&out, "%s arrived, %d completed in %s of virtual time: %s an hour.\n",
		operations(r.Operations.Arrived), r.Operations.Completed, duration(r.Seconds), number(r.PerSecond*3600))
	if r.Operations.Skipped > 0 {
		fmt.Fprintf(&out, "%d jobs of the trace are skipped: they never ran, or are parts of others.\n", r.Operations.Skipped)
	}
	for _, s := range r.Stuck {
		fmt.Fprintf(&out, "%s of queue %s can never run: %s\n", operations(s.Operations), s.Queue, s.Message)
	}
	for _, field := range r.Unsimulated {
		fmt.Fprintf(&out, "Not simulated: %s\n", field)
	}
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	r.writeLevels(t)
	r.writeLimits(t, r.writeQueues(t, rows), rows)
	// Writing to memory cannot fail.
	_ = t.Flush()
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(&out, strings.TrimRight(line, " \n"))
	}
	_, err := to.Write(out.Bytes())
	return err
}

func operations(n int64) string {
	if n == 1 {
		return "1 operation"
	}
	return fmt.Sprintf("%d operations", n)
}

const waitColumns = "mean\tp50\tp95\tp99\tmax\t"

func (w *Waits) columns() string {
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t", duration(w.Mean), duration(w.P50), duration(w.P95), duration(w.P99), duration(w.Max))
}

func (r *Report) writeLevels(t *tabwriter.Writer) {
	fmt.Fprintf(t, "\nWaits by level\nagent\tpriority\tqueues\toperations\t%sfairness\t\n", waitColumns)
	for _, l := range r.Levels {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s%s\t\n", l.Agent, l.Priority, l.Queues, l.Waits.Count, l.Waits.columns(), orNone(l.Fairness, "%.3f"))
	}
	fmt.Fprintf(t, "all\t\t%d\t%d\t%s\t\n", len(r.Queues), r.Waits.Count, r.Waits.columns())
}

// writeQueues returns the names of the queues it showed.
func (r *Report) writeQueues(t *tabwriter.Writer, rows int) map[string]bool {
	shown := r.Queues
	title := "Waits by queue"
	if rows > 0 && len(shown) > rows {
		shown = slices.Clone(shown)
		slices.SortStableFunc(shown, func(a, b QueueReport) int { return cmp.Compare(b.Waits.P95, a.Waits.P95) })
		shown = shown[:rows]
		title = fmt.Sprintf("Waits by queue: the %d of %d with the longest p95", rows, len(r.Queues))
	}
	fmt.Fprintf(t, "\n%s\nqueue\tagent\tpriority\tarrived\tcompleted\t%s\n", title, waitColumns)
	names := map[string]bool{}
	for _, q := range shown {
		names[q.Name] = true
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\n", q.Name, q.Agent, q.Priority, q.Arrived, q.Completed, q.Waits.columns())
	}
	return names
}

// writeLimits shows agents, the queues that were shown, and the projects and organizations that were
// used most.
func (r *Report) writeLimits(t *tabwriter.Writer, queues map[string]bool, rows int) {
	fmt.Fprint(t, "\nLimits\nof\tresource\tlimit\tpeak\taverage\tused\twhile waiting\twaiting for\n")
	var tenants []LimitReport
	for _, l := range r.Limits {
		switch {
		case l.Kind == "agent" || l.Kind == "queue" && queues[l.Name] && (l.Limit != nil || l.Resource == seatsName):
			l.write(t)
		case l.Kind != "queue":
			tenants = append(tenants, l)
		}
	}
	if rows > 0 && len(tenants) > rows {
		slices.SortStableFunc(tenants, func(a, b LimitReport) int {
			return cmp.Compare(value(b.Utilisation), value(a.Utilisation))
		})
		tenants = tenants[:rows]
	}
	for _, l := range tenants {
		l.write(t)
	}
}

func (l *LimitReport) write(t *tabwriter.Writer) {
	limit, waited := "none", ""
	if l.Limit != nil {
		limit = amountText(l.Resource, float64(*l.Limit))
	}
	if l.Resource == seatsName {
		waited = duration(l.Backlog)
	}
	fmt.Fprintf(t, "%s %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Kind, l.Name, l.Resource,
		limit, amountText(l.Resource, float64(l.Peak)), amountText(l.Resource, l.Average),
		percent(l.Utilisation), percent(l.BacklogUtilisation), waited)
}

// amountText shows what the ledger counts in the units that people think in.
func amountText(resource string, amount float64) string {
	switch corev1.ResourceName(resource) {
	case corev1.ResourceCPU:
		return number(amount / 1000)
	case corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
		return number(amount/(1<<30)) + "Gi"
	}
	return number(amount)
}

// number has at most two digits after the point.
func number(x float64) string {
	text := strconv.FormatFloat(x, 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

func value(x *float64) float64 {
	if x == nil {
		return 0
	}
	return *x
}
func orNone(x *float64, format string) string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf(format, *x)
}

func percent(x *float64) string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf("%.1f%%", *x*100)
}

// duration shows seconds to about three digits.
func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
