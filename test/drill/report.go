package drill

import (
	"fmt"
	"strings"
	"time"

	"github.com/queueyard/queueyard/test/audit"
	"github.com/queueyard/queueyard/test/load"
)

// faultReport is what a fault did.
type faultReport struct {
	name  string
	times int
	stall time.Duration
	// not is why it can't be done on this machine.
	not string
}

// report is what people read.
func report(took time.Duration, out load.Outcome, violations []audit.Violation, faults []faultReport) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "Fault drill of %s\n\n", took.Round(time.Second))
	overLimit := 0
	for _, v := range violations {
		if v.Rule == audit.OverLimit || v.Rule == audit.WorkflowLimit {
			overLimit++
		}
	}
	for _, line := range []struct {
		what string
		n    int
	}{
		{"operations submitted", out.Submitted}, {"finished", out.Finished}, {"lost", len(out.Lost)}, {"doubled", len(out.Doubled)},
		{"limit violations", overLimit}, {"other violations", len(violations) - overLimit}, {"submissions refused and made again", out.Refused},
	} {
		fmt.Fprintf(b, "%-36s %6d\n", line.what, line.n)
	}
	fmt.Fprintf(b, "\n%-44s %6s %14s\n", "fault", "times", "longest stall")
	for _, f := range faults {
		if f.not != "" {
			fmt.Fprintf(b, "%-44s NOT DONE: %s\n", f.name, f.not)
			continue
		}
		fmt.Fprintf(b, "%-44s %6d %14s\n", f.name, f.times, f.stall.Round(100*time.Millisecond))
	}
	return b.String()
}
