package workflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// told writes decisions as "name status: reason".
func told(g *Graph, decisions []Decision) []string {
	out := []string{}
	for _, d := range decisions {
		text := fmt.Sprintf("%s %s", g.Node(d.Node).Name, d.Status)
		if d.Reason != "" {
			text += ": " + d.Reason
		}
		out = append(out, text)
	}
	return out
}

func TestAdvance(t *testing.T) {
	tests := []struct {
		name     string
		nodes    []Node
		statuses []Status
		when     When
		want     []string
	}{
		{"nothing", nil, nil, nil, []string{}},
		{"roots start", dag("a", "b", "c: a"), nil, nil, []string{"a active", "b active"}},
		{"next starts", dag("a", "b: a", "c: b"), []Status{Succeeded}, nil, []string{"b active"}},
		{"failure runs through", dag("a", "b: a", "c: b"), []Status{Failed}, nil, []string{
			`b upstream_failed: all_succeeded cannot be met: "a" failed`,
			`c upstream_failed: all_succeeded cannot be met: "b" upstream_failed`,
		}},
		{"a stop is no success", dag("a", "b: a"), []Status{Stopped}, nil, []string{`b upstream_failed: all_succeeded cannot be met: "a" stopped`}},
		{"and no failure", []Node{{Name: "a"}, {Name: "b", DependsOn: []string{"a"}, Trigger: OneFailed}}, []Status{Stopped}, nil,
			[]string{`b upstream_failed: one_failed cannot be met: "a" stopped`}},
		{"decided before all are done", dag("a", "b", "c: b a"), []Status{Active, Failed}, nil, []string{`c upstream_failed: all_succeeded cannot be met: "b" failed`}},
		{"a false condition skips, and counts as success", dag("a", "b: a"), nil, func(n int) (bool, error) { return n != 0, nil },
			[]string{"a skipped: its condition is false", "b active"}},
		{"skips follow skips", []Node{{Name: "a"}, {Name: "b", DependsOn: []string{"a"}, SkipOnUpstreamSkip: true, Trigger: AllDone}, {Name: "c", DependsOn: []string{"b"}, SkipOnUpstreamSkip: true}},
			nil, func(int) (bool, error) { return false, nil }, []string{
				"a skipped: its condition is false",
				`b skipped: "a" skipped, and skipOnUpstreamSkip is set`,
				`c skipped: "b" skipped, and skipOnUpstreamSkip is set`,
			}},
		{"a skip of this call goes before a failure of before", []Node{{Name: "c", DependsOn: []string{"a", "b"}, SkipOnUpstreamSkip: true}, {Name: "a"}, {Name: "b"}},
			[]Status{Pending, Failed, Pending}, func(int) (bool, error) { return false, nil }, []string{
				"b skipped: its condition is false",
				`c skipped: "b" skipped, and skipOnUpstreamSkip is set`,
			}},
		{"a condition that makes no sense", dag("a", "b: a"), nil, func(int) (bool, error) { return false, errors.New("no such key: loss") }, []string{
			"a failed: its condition cannot be evaluated: no such key: loss",
			`b upstream_failed: all_succeeded cannot be met: "a" failed`,
		}},
		{"a handler of failures", []Node{{Name: "a"}, {Name: "b"}, {Name: "alert", DependsOn: []string{"a", "b"}, Trigger: OneFailed}}, []Status{Active, Failed}, nil, []string{"alert active"}},
		{"that is not needed", []Node{{Name: "a"}, {Name: "alert", DependsOn: []string{"a"}, Trigger: AllFailed}}, []Status{Succeeded}, nil, []string{`alert upstream_failed: all_failed cannot be met: "a" succeeded`}},
		{"long lists are cut", dag("a", "b", "c", "d", "e", "f", "z: a b c d e f"), slices.Repeat([]Status{Failed}, 6), nil,
			[]string{`z upstream_failed: all_succeeded cannot be met: "a" failed, "b" failed, "c" failed, "d" failed and 2 more`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := NewGraph(tt.nodes)
			require.NoError(t, err)
			require.Equal(t, tt.want, told(g, Advance(g, tt.statuses, tt.when)))
		})
	}
}

func TestProgressRemembers(t *testing.T) {
	g := graph(t, "a", "b: a", "c: a b")
	p := NewProgress(g, nil)
	require.Equal(t, []string{"a active"}, told(g, p.Advance(nil)))
	require.Empty(t, p.Advance(nil), "what was handed out is not handed out again")
	require.Equal(t, `waits for 2 of 2: "a" active, "b" pending`, p.Waiting(2))
	require.Empty(t, p.Waiting(0))
	p.Set(0, Succeeded)
	require.Equal(t, `waits for 1 of 2: "b" pending`, p.Waiting(2))
	require.Equal(t, []string{"b active"}, told(g, p.Advance(nil)))
	p.Set(0, Active) // it runs again
	p.Set(1, Succeeded)
	require.Empty(t, p.Advance(nil))
	p.Set(0, Succeeded)
	require.Equal(t, []string{"c active"}, told(g, p.Advance(nil)))
	require.Equal(t, Active, p.Status(2))
	require.Equal(t, "1 active, 2 succeeded", p.Counts().String())
}

// The condition is asked only of nodes whose trigger is met, after all decisions it could depend on.
func TestWhenIsAskedLate(t *testing.T) {
	g := graph(t, "last: b c", "b: a", "c: a", "a")
	var asked []string
	p := NewProgress(g, nil)
	when := func(n int) (bool, error) {
		asked = append(asked, g.Node(n).Name)
		for _, u := range g.Upstreams(n) {
			require.True(t, p.Status(int(u)).Done())
		}
		return g.Node(n).Name == "last", nil
	}
	p.Advance(when)
	require.Equal(t, "a b c last", strings.Join(asked, " "))
}

func TestOutcome(t *testing.T) {
	tests := []struct {
		statuses []Status
		want     Status
	}{
		{nil, Succeeded},
		{[]Status{Succeeded, Succeeded}, Succeeded},
		{[]Status{Succeeded, Active}, Active},
		{[]Status{Failed, Pending}, Active},
		{[]Status{Succeeded, Failed}, Failed},
		{[]Status{Succeeded, UpstreamFailed}, Failed},
		{[]Status{Stopped, Failed}, Failed},
		{[]Status{Stopped, Stopped}, Stopped},
		{[]Status{Stopped, Skipped}, Stopped},
		{[]Status{Stopped, Succeeded}, Succeeded},
		{[]Status{Stopped, Succeeded, Skipped}, Succeeded},
		{[]Status{Skipped, Skipped}, Succeeded},
		{[]Status{Stopped, UpstreamFailed}, Failed},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, Count(tt.statuses).Outcome(), "%v", tt.statuses)
		require.Equal(t, len(tt.statuses), Count(tt.statuses).Total())
	}
	require.Equal(t, "nothing", Counts{}.String())
}

// naive is the whole of Advance as the rules say it: over names, without memory, in the order of ever
// looking for a node whose upstreams have all been looked at.
func naive(declared []Node, statuses map[string]Status, condition map[string]int) map[string]Status {
	now, out := map[string]Status{}, map[string]Status{}
	for name, s := range statuses {
		now[name] = s
	}
	looked := map[string]bool{}
	for len(looked) < len(declared) {
		for _, n := range declared {
			if looked[n.Name] || slices.ContainsFunc(n.DependsOn, func(u string) bool { return !looked[u] }) {
				continue
			}
			looked[n.Name] = true
			if now[n.Name] != Pending {
				continue
			}
			var upstreams []Status
			for _, u := range n.DependsOn {
				upstreams = append(upstreams, now[u])
			}
			becomes := expected(n.Trigger, n.SkipOnUpstreamSkip, upstreams)
			if becomes == Active {
				becomes = []Status{Active, Active, Active, Skipped, Failed}[condition[n.Name]]
			}
			if becomes != Pending {
				now[n.Name], out[n.Name] = becomes, becomes
			}
		}
	}
	return out
}

// Random DAGs with random outcomes, several at a time: what is decided from the changes, from all statuses,
// and by the naive evaluator is the same at every step, and every DAG comes to its end.
func TestAdvanceProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		declared := nodes(20, 4).Draw(t, "dag")
		g, err := NewGraph(declared)
		if err != nil {
			t.Fatal(err)
		}
		condition := map[string]int{}
		for _, n := range declared {
			condition[n.Name] = rapid.IntRange(0, 4).Draw(t, "condition of "+n.Name)
		}
		when := func(i int) (bool, error) {
			switch condition[g.Node(i).Name] {
			case 3:
				return false, nil
			case 4:
				return false, errors.New("makes no sense")
			}
			return true, nil
		}
		statuses := make([]Status, g.Len())
		p := NewProgress(g, nil)
		for {
			byName := map[string]Status{}
			for i, s := range statuses {
				byName[g.Node(i).Name] = s
			}
			want := naive(declared, byName, condition)
			full := Advance(g, statuses, when)
			if rapid.IntRange(0, 4).Draw(t, "restart") == 0 {
				p = NewProgress(g, statuses)
			}
			got := p.Advance(when)
			if fmt.Sprint(told(g, got)) != fmt.Sprint(told(g, full)) {
				t.Fatalf("from changes: %v\nfrom all: %v", told(g, got), told(g, full))
			}
			if len(got) != len(want) {
				t.Fatalf("got %v, want %v", told(g, got), want)
			}
			for _, d := range got {
				if d.Status != want[g.Node(d.Node).Name] {
					t.Fatalf("got %v, want %v", told(g, got), want)
				}
				statuses[d.Node] = d.Status
			}
			if p.Counts() != Count(statuses) {
				t.Fatalf("counted %v, there are %v", p.Counts(), Count(statuses))
			}
			var active []int
			for i, s := range statuses {
				if s == Active {
					active = append(active, i)
				}
			}
			if len(active) == 0 {
				break
			}
			for range rapid.IntRange(1, min(3, len(active))).Draw(t, "changes") {
				i := rapid.SampledFrom(active).Draw(t, "node")
				statuses[i] = rapid.SampledFrom([]Status{Succeeded, Failed, Stopped}).Draw(t, "outcome")
				p.Set(i, statuses[i])
			}
		}
		if !p.Counts().Over() || p.Counts().Outcome() == Active {
			t.Fatalf("stuck at %v", p.Counts())
		}
	})
}

// Advance from all statuses and from changes agree also when statuses go back and forth as no run of a DAG
// would have them.
func TestSetProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, err := NewGraph(nodes(12, 3).Draw(t, "dag"))
		if err != nil {
			t.Fatal(err)
		}
		if g.Len() == 0 {
			return
		}
		statuses := make([]Status, g.Len())
		p := NewProgress(g, nil)
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				i := rapid.IntRange(0, g.Len()-1).Draw(t, "node")
				statuses[i] = Status(rapid.IntRange(0, int(numStatuses)-1).Draw(t, "status"))
				p.Set(i, statuses[i])
			}
			full, got := Advance(g, statuses, nil), p.Advance(nil)
			if fmt.Sprint(full) != fmt.Sprint(got) {
				t.Fatalf("from changes: %v\nfrom all: %v", told(g, got), told(g, full))
			}
			for _, d := range got {
				statuses[d.Node] = d.Status
			}
		}
	})
}

// If all that starts succeeds, what waits for a failure never starts, and nothing is left undecided.
func TestIfAllSucceed(t *testing.T) {
	g, err := NewGraph([]Node{
		{Name: "a"}, {Name: "b", DependsOn: []string{"a"}}, {Name: "rescue", DependsOn: []string{"b"}, Trigger: OneFailed},
		{Name: "never"}, {Name: "after", DependsOn: []string{"never"}, SkipOnUpstreamSkip: true}, {Name: "end", DependsOn: []string{"rescue", "b"}, Trigger: AllDone},
	})
	require.NoError(t, err)
	decided := IfAllSucceed(g, func(node int) (bool, error) { return g.Node(node).Name != "never", nil })
	for i, want := range []Status{Active, Active, UpstreamFailed, Skipped, Skipped, Active} {
		require.Equal(t, want, decided[i].Status, g.Node(i).Name)
		require.Equal(t, i, decided[i].Node)
	}
}
