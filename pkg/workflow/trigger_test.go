package workflow

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata anew")

const table = "testdata/triggers.md"

// expected says by the words of the rules, one by one, what becomes of a pending node: what is certain is
// found by trying every way in which the upstreams that are not done could end.
func expected(trigger Trigger, skipOnUpstreamSkip bool, upstreams []Status) Status {
	if skipOnUpstreamSkip && slices.Contains(upstreams, Skipped) {
		return Skipped
	}
	open := slices.IndexFunc(upstreams, func(s Status) bool { return s == Pending || s == Active })
	switch {
	case len(upstreams) == 0:
		return Active
	case trigger == AllDone:
		return map[bool]Status{true: Active, false: Pending}[open < 0]
	case trigger == OneDone:
		return map[bool]Status{true: Active, false: Pending}[slices.ContainsFunc(upstreams, func(s Status) bool { return s != Pending && s != Active })]
	case open < 0:
		if holdsAtTheEnd(trigger, upstreams) {
			return Active
		}
		return UpstreamFailed
	}
	var outcomes []Status
	for _, end := range []Status{Succeeded, Failed, Stopped, Skipped, UpstreamFailed} {
		ended := slices.Clone(upstreams)
		ended[open] = end
		outcomes = append(outcomes, expected(trigger, false, ended))
	}
	slices.Sort(outcomes)
	if outcomes = slices.Compact(outcomes); len(outcomes) == 1 {
		return outcomes[0]
	}
	return Pending
}

func holdsAtTheEnd(trigger Trigger, upstreams []Status) bool {
	succeeded := func(s Status) bool { return s == Succeeded || s == Skipped }
	failed := func(s Status) bool { return s == Failed || s == UpstreamFailed }
	not := func(f func(Status) bool) func(Status) bool { return func(s Status) bool { return !f(s) } }
	switch trigger {
	case AllSucceeded, "":
		return !slices.ContainsFunc(upstreams, not(succeeded))
	case AllFailed:
		return !slices.ContainsFunc(upstreams, not(failed))
	case OneSucceeded:
		return slices.ContainsFunc(upstreams, succeeded)
	case OneFailed:
		return slices.ContainsFunc(upstreams, failed)
	}
	panic(trigger)
}

// fan is a node that depends on n others, the last of the graph.
func fan(t testing.TB, n int, trigger Trigger, skip bool) *Graph {
	nodes := make([]Node, n)
	last := Node{Name: "node", Trigger: trigger, SkipOnUpstreamSkip: skip}
	for i := range n {
		nodes[i].Name = fmt.Sprint("up", i)
		last.DependsOn = append(last.DependsOn, nodes[i].Name)
	}
	g, err := NewGraph(append(nodes, last))
	require.NoError(t, err)
	return g
}

// decided is what Advance makes of the last node of a fan. The upstreams are taken as they are, though
// Advance would start the pending ones.
func decided(g *Graph, upstreams []Status) Status {
	p := NewProgress(g, upstreams)
	d, _ := p.decide(g.Len()-1, nil)
	return d.Status
}

// sequences calls f with every sequence of n statuses.
func sequences(n int, f func([]Status)) {
	of := make([]Status, n)
	for {
		f(slices.Clone(of))
		i := 0
		for ; i < n; i++ {
			if of[i]++; of[i] < numStatuses {
				break
			}
			of[i] = 0
		}
		if i == n {
			return
		}
	}
}

// TestTriggers tries each trigger on all statuses of up to three upstreams in all orders, against the words
// of the rules and against the table that people read.
func TestTriggers(t *testing.T) {
	rows := map[string]string{}
	var order []string
	for n := range 4 {
		sequences(n, func(upstreams []Status) {
			var cells []string
			for _, trigger := range Triggers {
				got := decided(fan(t, n, trigger, false), upstreams)
				require.Equal(t, expected(trigger, false, upstreams), got, "%s of %v", trigger, upstreams)
				require.Equal(t, expected(trigger, true, upstreams), decided(fan(t, n, trigger, true), upstreams), "%s of %v, skipOnUpstreamSkip", trigger, upstreams)
				cells = append(cells, cell(got))
			}
			require.Equal(t, decided(fan(t, n, AllSucceeded, false), upstreams), decided(fan(t, n, "", false), upstreams))
			key, row := key(upstreams), strings.Join(cells, " | ")
			if was, seen := rows[key]; seen {
				require.Equal(t, was, row, "the order of upstreams matters: %v", upstreams)
				return
			}
			rows[key] = row
			order = append(order, key)
		})
	}
	require.Len(t, rows, 1+6+21+56)

	var b strings.Builder
	b.WriteString("# What upstreams make of a trigger\n\n")
	b.WriteString("A node with these upstreams, in any order, *waits*, *starts* (its condition permitting), or is *never* to start and becomes\n")
	b.WriteString("upstream_failed. An upstream that is active or pending is \"open\". With `skipOnUpstreamSkip` every row that has a skipped\n")
	b.WriteString("upstream reads: skipped.\n\n")
	fmt.Fprintf(&b, "| upstreams | %s |\n|---|%s\n", strings.Join(triggerNames(), " | "), strings.Repeat("---|", len(Triggers)))
	for _, key := range order {
		fmt.Fprintf(&b, "| %s | %s |\n", key, rows[key])
	}
	if *update {
		require.NoError(t, os.WriteFile(table, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(table)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "go test ./pkg/workflow -update writes %s anew", table)
}

func cell(s Status) string {
	return map[Status]string{Pending: "waits", Active: "starts", UpstreamFailed: "never"}[s]
}

func key(upstreams []Status) string {
	if len(upstreams) == 0 {
		return "none"
	}
	var names []string
	sorted := slices.Clone(upstreams)
	slices.Sort(sorted)
	for _, s := range sorted {
		if !s.Done() {
			names = append(names, "open")
		} else {
			names = append(names, s.String())
		}
	}
	return strings.Join(names, ", ")
}
