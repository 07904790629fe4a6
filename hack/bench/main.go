// Command bench measures the ledger against its targets, and in turns with it the ledger of an older
// commit, so that both see the same machine. It says which targets are missed.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// runs are the benchmarks, with the flags that suit them.
var runs = []struct{ benchmark, time string }{
	{"^BenchmarkAdmit$/^queues=1000$/^waiting=100000$", "200000x"},
	{"^BenchmarkComplete$/^queues=(1|1000)$/^waiting=(1000|1000000)$", "200000x"},
	{"^BenchmarkCompleteDiverse$", "200000x"},
	{"^BenchmarkMemory$/^queues=1000$/^waiting=100000$", "1x"},
}

// target is a bound on one figure, or on the ratio of two.
type target struct {
	what            string
	figure, divisor string
	least, most     float64
	format          string
}

var targets = []target{
	{what: "admissions/s, 1,000 queues, 100k waiting", figure: "Admit/queues=1000/waiting=100000 admissions/s", least: 1e6, format: "%.0f"},
	{what: "completion, 1 queue: 1M waiting ÷ 1k", figure: "Complete/queues=1/waiting=1000000 cpu-ns/op", divisor: "Complete/queues=1/waiting=1000 cpu-ns/op", most: 3, format: "%.1f"},
	{what: "completion, 1,000 queues: 1M waiting ÷ 1k", figure: "Complete/queues=1000/waiting=1000000 cpu-ns/op", divisor: "Complete/queues=1000/waiting=1000 cpu-ns/op", most: 3, format: "%.1f"},
	{what: "completion: 10,000 shapes ÷ 1", figure: "CompleteDiverse/vectors=10000 cpu-ns/op", divisor: "CompleteDiverse/vectors=1 cpu-ns/op", most: 4, format: "%.1f"},
	{what: "bytes per waiting pod, 100k waiting", figure: "Memory/queues=1000/waiting=100000 bytes/pod", most: 600, format: "%.0f"},
}

// figures are what the rounds measured, by benchmark and unit.
type figures map[string][]float64

func main() {
	baseline := flag.String("baseline", "", "commit to compare with; none by default")
	rounds := flag.Int("rounds", 3, "how often each is measured; medians count")
	flag.Parse()
	if err := bench(*baseline, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(baseline string, rounds int) error {
	dir, err := os.MkdirTemp("", "queueyard-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	now := filepath.Join(dir, "now.test")
	if err := build(".", now); err != nil {
		return err
	}
	binaries := []string{now}
	if baseline != "" {
		tree, before := filepath.Join(dir, "tree"), filepath.Join(dir, "before.test")
		if err := command(".", "git", "worktree", "add", "--detach", tree, baseline).Run(); err != nil {
			return fmt.Errorf("check out %s: %w", baseline, err)
		}
		err := build(tree, before)
		if removed := command(".", "git", "worktree", "remove", "--force", tree).Run(); err == nil {
			err = removed
		}
		if err != nil {
			return err
		}
		binaries = append(binaries, before)
	}
	measured := []figures{{}, {}}
	for round := range rounds {
		for i := range binaries {
			i = (i + round) % len(binaries) // neither is always first
			for _, r := range runs {
				out, err := exec.Command(binaries[i], "-test.run=^$", "-test.bench="+r.benchmark, "-test.benchtime="+r.time, "-test.cpu=1").Output()
				if err != nil {
					return fmt.Errorf("%s: %w", r.benchmark, err)
				}
				measured[i].read(string(out))
			}
		}
	}
	return report(measured[0], measured[1])
}

func command(dir, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir, c.Stderr = dir, os.Stderr
	return c
}

func build(dir, to string) error {
	if err := command(dir, "go", "test", "-c", "-o", to, "./pkg/ledger").Run(); err != nil {
		return fmt.Errorf("build the benchmarks of %s: %w", dir, err)
	}
	return nil
}

var benchmarkLine = regexp.MustCompile(`^Benchmark(\S+)\s+\d+\s+(.*)$`)

// read takes the figures of what a benchmark printed.
func (f figures) read(out string) {
	for line := range strings.Lines(out) {
		m := benchmarkLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		fields := strings.Fields(m[2])
		for i := 0; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				key := m[1] + " " + fields[i+1]
				f[key] = append(f[key], v)
			}
		}
	}
}

func (f figures) median(key string) (float64, bool) {
	all := slices.Sorted(slices.Values(f[key]))
	if len(all) == 0 {
		return 0, false
	}
	return all[len(all)/2], true
}

func (f figures) value(t target) (float64, bool) {
	v, ok := f.median(t.figure)
	if t.divisor == "" || !ok {
		return v, ok
	}
	d, ok := f.median(t.divisor)
	return v / d, ok && d > 0
}

func report(now, before figures) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ledger\ttarget\tmeasured\tbaseline\t")
	for _, t := range targets {
		v, ok := now.value(t)
		if !ok {
			return fmt.Errorf("%s was not measured", t.figure)
		}
		bound, verdict := "≤ "+fmt.Sprintf(t.format, t.most), ""
		if t.least > 0 {
			bound = "≥ " + fmt.Sprintf(t.format, t.least)
		}
		if v < t.least || t.most > 0 && v > t.most {
			verdict = "missed"
		}
		old := "-"
		if b, ok := before.value(t); ok {
			old = fmt.Sprintf(t.format, b)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", t.what, bound, fmt.Sprintf(t.format, v), old, verdict)
	}
	for _, key := range []string{"Complete/queues=1/waiting=1000 cpu-ns/op", "Complete/queues=1/waiting=1000000 cpu-ns/op", "Complete/queues=1000/waiting=1000000 cpu-ns/op", "CompleteDiverse/vectors=10000 cpu-ns/op"} {
		v, _ := now.median(key)
		old := "-"
		if b, ok := before.median(key); ok {
			old = fmt.Sprintf("%.0f", b)
		}
		fmt.Fprintf(table, "%s\t\t%.0f\t%s\t\n", key, v, old)
	}
	return table.Flush()
}
